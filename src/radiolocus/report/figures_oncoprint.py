"""Who has which mutations: the oncoprint, beside the burden and, where there are any, imaging features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Patch
from scipy.stats import rankdata

from radiolocus.model import Array, BoolArray
from radiolocus.molecular.panels import Coverage
from radiolocus.report.blocks import Figure
from radiolocus.report.drawing import ACCENT, DARK, GREY, INK, PALE, canvas, embed, shorten, styled
from radiolocus.report.numbers import count

__all__ = ["KINDS", "kind_matrix", "marker_print", "memo_order", "oncoprint"]

Codes = npt.NDArray[np.int64]

KINDS = ("missense", "truncating", "in-frame", "several kinds")
_COLOURS = (DARK, INK, ACCENT, GREY)
_KIND_OF = {
    "Missense_Mutation": 1,
    "Nonsense_Mutation": 2,
    "Frame_Shift_Del": 2,
    "Frame_Shift_Ins": 2,
    "Splice_Site": 2,
    "Translation_Start_Site": 2,
    "Nonstop_Mutation": 2,
    "In_Frame_Del": 3,
    "In_Frame_Ins": 3,
}
_GENES = 20
_ROW, _BURDEN = 0.21, 0.75  # inches


def kind_matrix(mutations: pl.DataFrame, subjects: Sequence[str], genes: Sequence[str]) -> Codes:
    """Return the kind of mutation by gene and subject.

    Parameters
    ----------
    mutations : polars.DataFrame
        Table ``molecular/mutations``.
    subjects, genes : sequence of str

    Returns
    -------
    ndarray of int, shape (genes, subjects)
        0 none, else the place of the kind in KINDS, from 1.
    """
    codes = np.zeros((len(genes), len(subjects)), dtype=np.int64)
    row, column = {g: i for i, g in enumerate(genes)}, {s: j for j, s in enumerate(subjects)}
    kept = mutations.filter("nonsynonymous").select("gene", "subject", "variant_class").unique()
    for gene, subject, variant_class in kept.iter_rows():
        if gene in row and subject in column:
            kind, here = _KIND_OF.get(variant_class, 1), (row[gene], column[subject])
            codes[here] = kind if codes[here] in (0, kind) else len(KINDS)
    return codes


def memo_order(codes: Codes) -> Codes:
    """Order of the subjects: those with the first gene mutated first, among them those with the second, and so on."""
    keys = [-(row > 0).astype(np.int64) for row in codes[::-1]]
    return np.lexsort(keys) if keys else np.arange(codes.shape[1])


@styled
def oncoprint(
    mutations: pl.DataFrame,
    subjects: Sequence[str],
    *,
    burden: Mapping[str, float] | None = None,
    tracks: Mapping[str, Mapping[str, float]] | None = None,
    coverage: Coverage | None = None,
) -> Figure | None:
    """Draw the most frequently mutated genes, a column a subject.

    Parameters
    ----------
    mutations : polars.DataFrame
        Table ``molecular/mutations``.
    subjects : sequence of str
        All who were sequenced.
    burden : mapping of str to float, optional
        Burden per Mb by subject, as bars above.
    tracks : mapping of str to mapping of str to float, optional
        Imaging features, by their name and by subject, as rows below: the rank among the subjects of the figure.
    coverage : Coverage, optional
        Which genes of whom were looked at; all by default.

    Returns
    -------
    Figure or None
        None when nobody has a nonsynonymous variant.
    """
    counts = (
        mutations.filter("nonsynonymous").select("gene", "subject").unique().group_by("gene").len()
        .sort(["len", "gene"], descending=[True, False]).head(_GENES)
    )  # fmt: skip
    genes = counts["gene"].to_list()
    if not genes or not subjects:
        return None
    codes = kind_matrix(mutations, subjects, genes)
    order = memo_order(codes)
    people = [subjects[j] for j in order]
    unknown = np.zeros(codes.shape, bool) if coverage is None else ~coverage.matrix(people, genes).T
    unknown &= codes[:, order] == 0
    tracks = tracks or {}
    heights = [_BURDEN if burden else 0.02, _ROW * len(genes), _ROW * len(tracks) if tracks else 0.02]
    figure, (top, middle, below) = _panels(heights)
    _matrix(middle, codes[:, order], genes, unknown)
    if burden:
        _bars(top, [burden.get(s, np.nan) for s in people])
    else:
        top.set_visible(False)
    if tracks:
        _ranks(below, np.array([[t.get(s, np.nan) for s in people] for t in tracks.values()]), list(tracks))
    else:
        below.set_visible(False)
    handles = [Patch(color=colour, label=kind) for kind, colour in zip(KINDS, _COLOURS, strict=True)]
    handles.append(Patch(facecolor=PALE, edgecolor=GREY, linewidth=0.4, label="none"))
    if unknown.any():
        handles.append(Patch(facecolor="white", edgecolor=GREY, linewidth=0.4, label="not on the panel"))
    figure.legend(handles=handles, loc="lower left", ncols=len(handles), bbox_to_anchor=(0.13, 0.0), handlelength=1.0)
    altered = int((codes > 0).any(axis=0).sum())
    beside = (
        f" Below: rank of {len(tracks)} imaging features among these subjects, dark is high, white where missing."
        if tracks
        else ""
    )
    above = " Above: tumour mutational burden." if burden else ""
    return embed(
        figure,
        f"Oncoprint of {len(genes)} genes in {count(len(subjects))} subjects",
        f"The {len(genes)} most frequently mutated genes in {count(len(subjects))} sequenced subjects, of whom "
        f"{count(altered)} have a nonsynonymous variant in one of them; a column a subject, per cent on the right"
        f"{', of those whose panel has the gene' if unknown.any() else ''}. "
        f"Truncating: nonsense, frameshift, splice site, start or stop lost.{above}{beside}",
    )


@styled
def marker_print(
    markers: pl.DataFrame, names: Sequence[str], tracks: Mapping[str, Mapping[str, float]] | None = None
) -> Figure | None:
    """Draw who has which binary marker, where no table of variants stands behind them.

    Parameters
    ----------
    markers : polars.DataFrame
        Table ``molecular/markers``.
    names : sequence of str
        Binary markers; the twenty most frequent ones are drawn.
    tracks : mapping of str to mapping of str to float, optional
        As for :func:`oncoprint`.

    Returns
    -------
    Figure or None
        None when nobody has any of them.
    """
    counts = sorted((-float(markers[n].cast(pl.Float64).sum()), n) for n in names)
    shown = [name for negative, name in counts if negative < 0][:_GENES]
    if not shown:
        return None
    known = markers.filter(pl.any_horizontal(pl.col(shown).is_not_null()))
    values = known.select(pl.col(shown).cast(pl.Float64)).fill_null(float("nan")).to_numpy().T
    codes = (values == 1).astype(np.int64)
    order = memo_order(codes)
    people = [known["subject"][int(j)] for j in order]
    tracks = tracks or {}
    heights = [0.02, _ROW * len(shown), _ROW * len(tracks) if tracks else 0.02]
    figure, (top, middle, below) = _panels(heights)
    top.set_visible(False)
    unknown = np.isnan(values[:, order])
    _matrix(middle, codes[:, order], shown, unknown)
    if tracks:
        _ranks(below, np.array([[t.get(s, np.nan) for s in people] for t in tracks.values()]), list(tracks))
    else:
        below.set_visible(False)
    handles = [
        Patch(color=_COLOURS[0], label="present"),
        Patch(facecolor=PALE, edgecolor=GREY, linewidth=0.4, label="absent"),
    ]
    if unknown.any():
        handles.append(Patch(facecolor="white", edgecolor=GREY, linewidth=0.4, label="not known"))
    figure.legend(handles=handles, loc="lower left", ncols=3, bbox_to_anchor=(0.13, 0.0), handlelength=1.0)
    beside = (
        f" Below: rank of the {len(tracks)} imaging features that go best with them, dark is high, white where missing."
        if tracks
        else ""
    )
    return embed(
        figure,
        f"Binary markers of {count(len(people))} subjects beside imaging features",
        f"The {len(shown)} most frequent binary markers of {count(len(people))} subjects, a column a subject; on the "
        f"right per cent of those in whom the marker is known.{beside}",
    )


def _panels(heights: list[float]) -> tuple[Canvas, list[Axes]]:
    gap, foot = 0.06, 0.42
    total = sum(heights) + 2 * gap + foot + 0.12
    figure = canvas(7.6, total)
    out, place = [], total - 0.1
    for height in heights:
        place -= height
        out.append(figure.add_axes((0.15, place / total, 0.78, height / total)))
        place -= gap
    return figure, out


def _cells(axes: Axes, rows: int, columns: int) -> None:
    axes.set_xlim(0, columns)
    axes.set_ylim(rows, 0)
    axes.hlines(range(rows + 1), 0, columns, color="white", lw=1.6)
    if columns <= 120:
        axes.vlines(range(columns + 1), 0, rows, color="white", lw=min(1.0, 60 / columns))
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_xticks([])
    axes.tick_params(length=0)


def _matrix(axes: Axes, codes: Codes, genes: Sequence[str], unknown: BoolArray) -> None:
    colours = ListedColormap([PALE, *_COLOURS])
    axes.pcolormesh(
        np.ma.masked_array(codes, unknown), cmap=colours, vmin=-0.5, vmax=len(_COLOURS) + 0.5, rasterized=True
    )
    _cells(axes, *codes.shape)
    axes.set_yticks(np.arange(len(genes)) + 0.5, [shorten(g, 16) for g in genes], style="italic")
    for i, row in enumerate(codes):
        axes.annotate(
            f"{100 * (row > 0).sum() / max(int((~unknown[i]).sum()), 1):.0f} %",
            (1.0, i + 0.5),
            xytext=(4, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            annotation_clip=False,
        )


def _bars(axes: Axes, values: Sequence[float]) -> None:
    heights = np.nan_to_num(np.asarray(values, dtype=np.float64))
    axes.bar(np.arange(heights.size) + 0.5, heights, width=1.0, color=GREY, linewidth=0, rasterized=True)
    axes.set_xlim(0, heights.size)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.set_ylabel("variants\nper Mb")
    axes.locator_params(axis="y", nbins=3)


def _ranks(axes: Axes, values: Array, names: Sequence[str]) -> None:
    ranks = np.full(values.shape, np.nan)
    for i, row in enumerate(values):
        known = np.isfinite(row)
        ranks[i, known] = rankdata(row[known]) / max(int(known.sum()), 1)
    axes.pcolormesh(np.ma.masked_invalid(ranks), cmap="Greys", vmin=-0.15, vmax=1.1, rasterized=True)
    _cells(axes, *values.shape)
    axes.set_yticks(np.arange(len(names)) + 0.5, [shorten(n, 20) for n in names], fontsize=6.5)
