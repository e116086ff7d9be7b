"""Runs PLINK 1.9, whose clumping and linkage disequilibrium Debian's PLINK 2 does not have yet."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import polars as pl
import pytest

needs_plink19 = pytest.mark.skipif(
    shutil.which("plink1.9") is None, reason="plink1.9 is not installed (Debian package plink1.9)"
)


def plink19(prefix, out, *arguments):
    """Run plink1.9 on a bed set; returns what reads one of its tables of columns aligned by blanks, as text."""
    command = ["plink1.9", "--bfile", prefix, "--keep-allele-order", *arguments, "--threads", "1", "--out", out]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    return lambda ending: blanks(Path(f"{out}.{ending}"))


def blanks(path):
    lines = [",".join(line.split()) for line in path.read_text().splitlines() if line.strip()]
    # members of a clump are themselves set apart by commas
    text = "\n".join(line.replace(",", "\t") if "(" not in line else _clump(line) for line in lines)
    return pl.read_csv(io.StringIO(text), separator="\t", infer_schema=False, truncate_ragged_lines=True)


def _clump(line):
    fields = line.split(",")
    return "\t".join([*fields[:11], ",".join(fields[11:])])
