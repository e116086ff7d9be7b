"""Cohorts with planted truth, written as ordinary files."""
