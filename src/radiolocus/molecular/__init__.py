"""Tumour tables in, markers out."""
