"""Links as maps: features × markers, and families of features × gene sets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure as Canvas
from scipy.cluster.hierarchy import leaves_list, linkage

from radiolocus.model import Array
from radiolocus.report.blocks import Figure
from radiolocus.report.drawing import ACCENT, DARK, INK, PALE, canvas, embed, shorten, styled
from radiolocus.report.numbers import count, plural

__all__ = ["link_map", "set_map"]

_ROWS, _COLUMNS = 40, 40
_FDR = 0.05
_CELL = 0.17
_BOTH = LinearSegmentedColormap.from_list("both", [DARK, "#ffffff", ACCENT])
_ONE = LinearSegmentedColormap.from_list("one", ["#ffffff", DARK])


def _first(frame: pl.DataFrame, column: str, most: int) -> list[str]:
    """Names with the smallest p-values, each once."""
    ordered = frame.sort(["neg_log_10_p_value", "feature", "marker"], descending=[True, False, False])
    return ordered[column].unique(maintain_order=True).head(most).to_list()


def _matrix(
    frame: pl.DataFrame, rows: Sequence[str], columns: Sequence[str], keys: tuple[str, str], value: str
) -> Array:
    out = np.full((len(rows), len(columns)), np.nan)
    at, to = {n: i for i, n in enumerate(rows)}, {n: i for i, n in enumerate(columns)}
    for row, column, number in frame.select(*keys, pl.col(value).cast(pl.Float64)).iter_rows():
        if row in at and column in to and number is not None:
            out[at[row], to[column]] = number
    return out


def _clustered(values: Array) -> npt.NDArray[np.intp]:
    """Order of the rows by average linkage, missing values as no link."""
    if len(values) < 3:
        return np.arange(len(values))
    return np.asarray(leaves_list(linkage(np.nan_to_num(values), "average")), dtype=np.intp)


def _sheet(rows: Sequence[str], columns: Sequence[str]) -> tuple[Canvas, Axes, tuple[float, float, float, float]]:
    """Sheet with a map whose cells have a size of their own; left, bottom, width and height in inches."""
    left = 0.2 + 0.057 * max(map(len, rows))
    bottom = 0.2 + 0.057 * max(map(len, columns))
    width, height = max(_CELL * len(columns), 0.6), max(_CELL * len(rows), 0.5)
    sheet = (max(left + width + 0.2, 6.4), bottom + height + 0.85)
    figure = canvas(*sheet)
    axes = figure.add_axes((left / sheet[0], bottom / sheet[1], width / sheet[0], height / sheet[1]))
    axes.set_facecolor(PALE)
    return figure, axes, (left, bottom, width, height)


def _named(axes: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    axes.set_xticks(range(len(columns)), columns, rotation=90, fontsize=7.0)
    axes.set_yticks(range(len(rows)), rows, fontsize=7.0)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(len(columns) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(rows) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#ffffff", lw=0.8)
    axes.tick_params(which="minor", length=0)


def _bar(figure: Canvas, axes: Axes, image: object, label: str) -> None:
    place = axes.get_position()
    _, high = figure.get_size_inches()
    bar = figure.add_axes((place.x0, place.y1 + 0.12 / high, min(2.2 / figure.get_size_inches()[0], 0.4), 0.1 / high))
    scale = figure.colorbar(image, cax=bar, orientation="horizontal")  # type: ignore[arg-type]
    scale.set_label(label, fontsize=8)
    bar.xaxis.set_label_position("top")
    bar.xaxis.set_ticks_position("top")
    bar.tick_params(labelsize=7)


@styled
def link_map(link: pl.DataFrame) -> Figure | None:
    """Draw the correlation of the features and markers with the strongest links; None for fewer than two of either."""
    rows, columns = _first(link, "feature", _ROWS), _first(link, "marker", _COLUMNS)
    if len(rows) < 2 or len(columns) < 2:
        return None
    keys = ("feature", "marker")
    r = _matrix(link, rows, columns, keys, "correlation")
    by_row, by_column = _clustered(r), _clustered(r.T)
    rows, columns = [rows[i] for i in by_row], [columns[i] for i in by_column]
    r = r[np.ix_(by_row, by_column)]
    shown_rows, shown_columns = [shorten(n, 44) for n in rows], [shorten(n, 32) for n in columns]
    figure, axes, _ = _sheet(shown_rows, shown_columns)
    limit = max(0.2, float(np.nanmax(np.abs(r))))
    image = axes.imshow(r, cmap=_BOTH, vmin=-limit, vmax=limit, interpolation="nearest", aspect="auto")
    _named(axes, shown_rows, shown_columns)
    q = _matrix(link, rows, columns, keys, "q_value")
    i, j = np.nonzero(q < _FDR)
    axes.scatter(j, i, s=9, color=INK, linewidths=0, zorder=3)
    family_wise = _matrix(link, rows, columns, keys, "family_wise_p_value")
    i, j = np.nonzero(family_wise < _FDR)
    axes.scatter(j, i, s=42, facecolors="none", edgecolors=INK, linewidths=0.8, zorder=3)
    _bar(figure, axes, image, "(partial) correlation (no unit)")
    held = " Ring: family-wise p < 0.05 by permutation." if link["family_wise_p_value"].is_not_null().any() else ""
    features, markers = link["feature"].n_unique(), link["marker"].n_unique()
    return embed(
        figure,
        f"Map of the correlation of {len(rows)} imaging features with {len(columns)} molecular markers",
        f"The {len(rows)} of {count(features)} features and {len(columns)} of {count(markers)} markers with the "
        "smallest "
        f"p-values, in the order of their clustering. Dot: q < 0.05 over all pairs.{held} Grey: not tested or not "
        "kept. "
        "Features and markers were chosen by these same p-values.",
    )


@styled
def set_map(sets: pl.DataFrame) -> Figure | None:
    """Draw the competitive p-values of families × gene sets; None without any."""
    ranked = sets.sort(["competitive_p_value", "gene_set"])
    rows = ranked["gene_set"].unique(maintain_order=True).head(_ROWS).to_list()
    columns = sorted(sets["feature_family"].unique().to_list())[:_COLUMNS]
    if not rows or not columns:
        return None
    keys = ("gene_set", "feature_family")
    shown = [shorten(n, 48) for n in rows]
    p = _matrix(sets, rows, columns, keys, "competitive_p_value")
    order = _clustered(-np.log10(np.maximum(np.nan_to_num(p, nan=1.0), 1e-12)))
    rows, shown, p = [rows[i] for i in order], [shown[i] for i in order], p[order]
    figure, axes, _ = _sheet(shown, [shorten(n, 32) for n in columns])
    image = axes.imshow(
        -np.log10(np.maximum(p, 1e-12)), cmap=_ONE, vmin=0, vmax=max(3.0, float(-np.log10(np.nanmin(p)))),
        interpolation="nearest", aspect="auto",
    )  # fmt: skip
    _named(axes, shown, [shorten(n, 32) for n in columns])
    for column, size, filled in (("competitive_q_value", 9, True), ("self_contained_q_value", 42, False)):
        i, j = np.nonzero(_matrix(sets, rows, columns, keys, column) < _FDR)
        axes.scatter(j, i, s=size, facecolors=ACCENT if filled else "none", edgecolors=ACCENT, linewidths=0.8, zorder=3)
    _bar(figure, axes, image, "−log₁₀ p, competitive")
    return embed(
        figure,
        f"Map of {len(rows)} gene sets against {plural(len(columns), 'family', 'families')} of imaging features",
        f"{len(rows)} of {sets['gene_set'].n_unique()} gene sets, those with the smallest p-values. Shade: are the "
        "genes "
        "of the set linked with the family more than other genes are (CAMERA). Dot: that with q < 0.05. Ring: "
        "self-contained, is any feature of the family linked with the set, q < 0.05 by permutation.",
    )
