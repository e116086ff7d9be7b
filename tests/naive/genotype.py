"""Slow, obvious twins of the genotype loops."""

from __future__ import annotations

import math

COPIES = {"00": 2.0, "01": math.nan, "10": 1.0, "11": 0.0}  # PLINK 1.9 file formats, .bed


def decode(data: bytes, samples: int, variants: int) -> list[list[float]]:
    """A1 counts, variant by variant, from the bytes of a whole bed file."""
    stride = -(-samples // 4)
    out = []
    for v in range(variants):
        bits = "".join(f"{byte:08b}"[::-1] for byte in data[3 + v * stride : 3 + (v + 1) * stride])
        # reversed bytes put the low bit of each pair first; a code is written high bit first
        out.append([COPIES[bits[2 * i + 1] + bits[2 * i]] for i in range(samples)])
    return out


def call_rate(row: list[float]) -> float:
    return sum(not math.isnan(x) for x in row) / len(row)


def frequency(row: list[float]) -> float:
    seen = [x for x in row if not math.isnan(x)]
    return sum(seen) / (2 * len(seen)) if seen else math.nan
