"""Scars of homologous recombination deficiency, counted on allele-specific copy-number segments.

LOH (Abkevich et al. 2012, Br J Cancer 107:1776): regions of loss of heterozygosity longer than 15 Mb that are not a
whole chromosome. TAI (Birkbak et al. 2012, Cancer Discov 2:366): regions of allelic imbalance that reach a telomere
and do not cross the centromere. LST (Popova et al. 2012, Cancer Res 72:5454): breaks within an arm between segments of
10 Mb or more that lie less than 3 Mb apart, once segments below 3 Mb were taken out. Their sum is the HRD score (Telli
et al. 2016, Clin Cancer Res 22:3764, who call 42 and more deficient); no score here is corrected for ploidy.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from radiolocus.molecular.arms import ARMS, AUTOSOMES, Build

__all__ = ["Scars", "scars"]

_LOH = 15_000_000
_TAI = 1_000_000
_LST_SEGMENT, _LST_GAP = 10_000_000, 3_000_000


@dataclass(frozen=True)
class Segment:
    """A segment of a chromosome: places in bp, copies of the major and the minor allele."""

    start: int
    end: int
    major: float
    minor: float

    @property
    def size(self) -> int:
        """Length in bp."""
        return self.end - self.start

    @property
    def alleles(self) -> tuple[float, float]:
        """Copies of both alleles."""
        return self.major, self.minor


@dataclass(frozen=True)
class Scars:
    """Numbers of scars of one sample."""

    loh: int
    tai: int
    lst: int

    @property
    def total(self) -> int:
        """The HRD score: unweighted sum of the three."""
        return self.loh + self.tai + self.lst


def scars(segments: pl.DataFrame, build: Build) -> Scars:
    """Count the scars of one sample.

    Parameters
    ----------
    segments : polars.DataFrame
        `chromosome`, `start`, `end` (bp), `major`, `minor` of one sample, in order along each chromosome; other
        chromosomes than 1–22 and segments without alleles are passed over.
    build : {"hg19", "hg38"}

    Returns
    -------
    Scars
    """
    loh = tai = lst = 0
    known = segments.drop_nulls(["major", "minor"])
    for name in AUTOSOMES:
        rows = known.filter(chromosome=name).select("start", "end", "major", "minor")
        pieces = _merged([Segment(*row) for row in rows.iter_rows()])
        if not pieces:
            continue
        begin, stop, _ = ARMS[build][name]
        loh += _lost(pieces)
        tai += _imbalances(pieces, begin, stop)
        lst += _transitions(pieces, begin, stop)
    return Scars(loh, tai, lst)


def _merged(pieces: list[Segment]) -> list[Segment]:
    """Unite neighbours of the same alleles, whatever the gap between them."""
    out: list[Segment] = []
    for piece in pieces:
        if out and out[-1].alleles == piece.alleles:
            out[-1] = Segment(out[-1].start, max(out[-1].end, piece.end), *piece.alleles)
        else:
            out.append(piece)
    return out


def _lost(pieces: list[Segment]) -> int:
    if all(p.minor == 0 for p in pieces):
        return 0
    # How many copies the retained allele has does not matter, only that there is one.
    folded = _merged([Segment(p.start, p.end, min(p.major, 1.0), p.minor) for p in pieces])
    return sum(p.minor == 0 and p.major > 0 and p.size > _LOH for p in folded)


def _imbalances(pieces: list[Segment], begin: int, stop: int) -> int:
    pieces = _merged([p for p in pieces if p.size >= _TAI])
    if len(pieces) < 2:
        return 0
    main = _main_number(pieces)
    first, last = pieces[0], pieces[-1]
    return (_imbalanced(first, main) and first.end < begin) + (_imbalanced(last, main) and last.start > stop)


def _main_number(pieces: list[Segment]) -> float:
    """Total copy number of most of the chromosome, 0 left out."""
    sizes: dict[float, int] = {}
    for p in pieces:
        if p.major + p.minor > 0:
            sizes[p.major + p.minor] = sizes.get(p.major + p.minor, 0) + p.size
    return max(sizes, key=lambda total: (sizes[total], -total)) if sizes else 0.0


def _imbalanced(piece: Segment, main: float) -> bool:
    # A chromosome of three copies cannot be 1:1; there both alleles in the main number are the balanced state.
    if main >= 3 and main % 2 == 1:
        return piece.major + piece.minor != main or piece.minor == 0
    return piece.major != piece.minor


def _transitions(pieces: list[Segment], begin: int, stop: int) -> int:
    short = [p for p in pieces if p.start <= begin]
    long = [p for p in pieces if p.end >= stop]
    if short:
        short[-1] = Segment(short[-1].start, begin, *short[-1].alleles)
    if long:
        long[0] = Segment(stop, long[0].end, *long[0].alleles)
    return _breaks(short) + _breaks(long)


def _breaks(arm: list[Segment]) -> int:
    arm = _merged(arm)
    # One at a time and in the order of the chromosome, as scarHRD does: what lies about a gap may unite and stay.
    while (small := next((i for i, p in enumerate(arm) if p.size < _LST_GAP), None)) is not None:
        arm = _merged(arm[:small] + arm[small + 1 :])
    return sum(
        one.size >= _LST_SEGMENT and two.size >= _LST_SEGMENT and two.start - one.end < _LST_GAP
        for one, two in pairwise(arm)
    )
