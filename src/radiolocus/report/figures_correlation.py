"""Which features say the same thing: a map of rank correlations in the order of their clustering."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Patch
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform

from radiolocus.model import Array
from radiolocus.report.blocks import Figure
from radiolocus.report.drawing import INK, canvas, embed, styled
from radiolocus.report.numbers import plural
from radiolocus.stats.correlation import average_ranks

__all__ = ["Correlation", "correlate", "correlation_map", "wide"]

_KEYS = ("subject", "image", "visit", "roi", "modality")
_MOST_MISSING = 0.2
_LABELS_MAX = 100
_STRIP = ("#1d3557", "#e9c46a", "#6a994e", "#a8dadc", "#b2342a", "#bdb2ff", "#555555", "#f4a261")


@dataclass(frozen=True)
class Correlation:
    """|Spearman| of the kept features over the subjects with all of them, in the order of the clustering."""

    names: tuple[str, ...]
    matrix: Array
    subjects: int
    missing: int
    constant: int


def wide(features: pl.DataFrame) -> pl.DataFrame:
    """Bring ``features/features`` to one row a subject and one column an image and feature.

    Columns are called ``image:feature``; region and visit are inserted (``image:roi@visit:feature``) only where the
    study has more than one.
    """
    several_rois = features["roi"].n_unique() > 1
    several_visits = features["visit"].n_unique() > 1
    parts = []
    columns = [c for c in features.columns if c not in _KEYS and features.schema[c].is_numeric()]
    for (image, roi, visit), part in features.sort("image", "roi", "visit").group_by(
        ["image", "roi", "visit"], maintain_order=True
    ):
        place = f"{image}{f':{roi}' if several_rois else ''}{f'@{visit}' if several_visits else ''}"
        parts.append(part.select("subject", *(pl.col(c).cast(pl.Float64).alias(f"{place}:{c}") for c in columns)))
    table = parts[0]
    for part in parts[1:]:
        table = table.join(part, on="subject", how="full", coalesce=True)
    return table.sort("subject")


def correlate(table: pl.DataFrame) -> Correlation | None:
    """Correlate the columns of :func:`wide` by rank and order them by average-linkage clustering of 1 − |ρ|.

    A feature with more than 20 % missing values is left out, then subjects with any missing value are: every
    coefficient rests on the same subjects, so the matrix is a proper correlation matrix. None when fewer than three
    features or five subjects remain.
    """
    columns = [c for c in table.columns if c != "subject"]
    values = table.select(columns).to_numpy().astype(np.float64)
    values[~np.isfinite(values)] = np.nan
    whole = np.isnan(values).mean(0) <= _MOST_MISSING
    rows = ~np.isnan(values[:, whole]).any(1)
    used = values[np.ix_(rows, whole)]
    if used.shape[0] < 5:
        return None
    varies = np.ptp(used, axis=0) > 0
    names = [c for c, w in zip(columns, whole, strict=True) if w]
    names = [c for c, v in zip(names, varies, strict=True) if v]
    if len(names) < 3:
        return None
    rho = np.clip(np.abs(np.corrcoef(average_ranks(used[:, varies]), rowvar=False)), 0, 1)
    distance = squareform(1 - rho, checks=False)
    tree = linkage(distance, "average")
    if len(names) <= 200:  # cubic in the number of features
        tree = optimal_leaf_ordering(tree, distance)
    order = leaves_list(tree)
    return Correlation(
        tuple(names[i] for i in order),
        rho[np.ix_(order, order)],
        int(rows.sum()),
        int((~whole).sum()),
        int((~varies).sum()),
    )


def _without_common_image(names: tuple[str, ...]) -> list[str]:
    """Drop the name of the image where there is only one, which leaves the labels more room."""
    images = {name.rsplit(":", 1)[0] for name in names}
    return [name.rsplit(":", 1)[-1] for name in names] if len(images) == 1 else list(names)


def _family_strip(figure: Canvas, kinds: list[str], place: tuple[float, float, float]) -> None:
    left, bottom, side = place
    width, height = figure.get_size_inches()
    known = sorted(set(kinds))
    colours = {k: _STRIP[i % len(_STRIP)] for i, k in enumerate(known)}
    strip = figure.add_axes(((left - 0.13) / width, bottom / height, 0.1 / width, side / height))
    rgb = np.array([[[int(colours[k][i : i + 2], 16) for i in (1, 3, 5)]] for k in kinds], dtype=np.uint8)
    strip.imshow(rgb, aspect="auto", interpolation="nearest")
    strip.set_axis_off()
    figure.legend(
        handles=[Patch(facecolor=colours[k], edgecolor=INK, linewidth=0.4, label=k) for k in known],
        title="feature family (strip at the left)",
        loc="lower left",
        bbox_to_anchor=(max(0.0, left - 0.13) / width, (bottom + side + 0.1) / height),
        alignment="left",
        borderaxespad=0.0,
        ncols=3,
    )


@styled
def correlation_map(found: Correlation, families: dict[str, str]) -> Figure:
    """Draw the map; `families` gives the family of a feature column."""
    count = len(found.names)
    labelled = count <= _LABELS_MAX
    names = _without_common_image(found.names)
    left = 0.25 + 0.058 * max(map(len, names)) if labelled else 0.55
    side = min(8.4 - left, max(3.6, 0.13 * count)) if labelled else 7.4
    width, height, bottom = max(left + side + 0.1, 6.2), side + 1.15, 0.4
    figure = canvas(width, height)
    axes = figure.add_axes((left / width, bottom / height, side / width, side / height))
    image = axes.imshow(found.matrix, cmap="Greys", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
    axes.set_xticks([])
    axes.set_xlabel(f"{count} features, in the same order as the rows")
    axes.spines[:].set_visible(False)
    if labelled:
        axes.set_yticks(range(count), names, fontsize=min(8.0, side / count * 72 * 0.88))
        axes.tick_params(axis="y", length=0, pad=12)
    else:
        axes.set_yticks([])
        axes.set_ylabel(f"{count} features", labelpad=16)
    _family_strip(figure, [families.get(n.rsplit(":", 1)[-1], "other") for n in found.names], (left, bottom, side))
    bar = figure.add_axes(((width - 2.5) / width, (bottom + side + 0.42) / height, 2.4 / width, 0.12 / height))
    scale = figure.colorbar(image, cax=bar, orientation="horizontal")
    scale.set_label("absolute Spearman correlation |ρ| (no unit)", fontsize=8)
    bar.xaxis.set_label_position("top")
    strong = float((found.matrix[np.triu_indices(count, 1)] > 0.9).mean())
    left_out = (
        [f"{plural(found.missing, 'feature column')} with more than 20 % missing values"] if found.missing else []
    )
    left_out += [f"{found.constant} without variation"] if found.constant else []
    caption = (
        f"Absolute Spearman correlation of {count} features over the {found.subjects} subjects with a value for each "
        f"of them, ordered by average-linkage clustering of 1 − |ρ|. {100 * strong:.0f} % of the pairs have |ρ| > 0.9."
    )
    if left_out:
        caption += f" Left out: {' and '.join(left_out)}."
    return embed(figure, f"Clustered map of the rank correlations of {count} imaging features", caption)
