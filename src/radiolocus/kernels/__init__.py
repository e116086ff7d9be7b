"""Numba loops on bare arrays, nothing else."""
