"""The graph of mechanism in layers, and the mediated and direct effects of its paths."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from radiolocus.report.blocks import Figure
from radiolocus.report.drawing import ACCENT, DARK, GREY, INK, LIGHT, canvas, embed, shorten, styled
from radiolocus.report.numbers import plural

__all__ = ["layered_graph", "path_effects"]

_FEATURES, _SOURCES, _EDGES = 16, 14, 60
_MARKS = {"marker": "o", "variant": "D", "gene set": "s", "feature": "o", "endpoint": "o"}
_LEFT, _MIDDLE, _RIGHT = 0.0, 1.0, 2.0
_ROW = 0.26
_PANELS, _PATHS = 3, 14
_P = "neg_log_10_p_value"


def _turns(frame: pl.DataFrame, by: str, name: str, most: int) -> list[str]:
    """Names by strength, the strongest of every group first, then the second strongest of every group, ..."""
    ranked = frame.sort([_P, "source", "target"], descending=[True, False, False], nulls_last=True)
    ranked = ranked.with_columns(pl.int_range(pl.len()).over(by).alias("turn")).sort("turn", maintain_order=True)
    return ranked[name].unique(maintain_order=True).head(most).to_list()


def _chosen(edges: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Edges that are drawn: into features, and from features to endpoints; features with both sides come first."""
    into = edges.filter(pl.col("target_kind") == "feature")
    out = edges.filter((pl.col("source_kind") == "feature") & (pl.col("target_kind") == "endpoint"))
    both = into.filter(pl.col("target").is_in(out["source"].implode()))
    names = _turns(both, "source", "target", _FEATURES)
    names += [n for n in _turns(into, "source", "target", _FEATURES) if n not in names]
    names += [n for n in _turns(out, "target", "source", _FEATURES) if n not in names]
    names = names[:_FEATURES]
    into, out = into.filter(pl.col("target").is_in(names)), out.filter(pl.col("source").is_in(names))
    sources = _turns(into, "target", "source", _SOURCES)
    into = into.filter(pl.col("source").is_in(sources))
    return _strongest(into), _strongest(out)


def _strongest(edges: pl.DataFrame) -> pl.DataFrame:
    """As many edges as are drawn: the strongest of every end, then the second strongest of every end, ..."""
    ranked = edges.sort([_P, "source", "target"], descending=[True, False, False], nulls_last=True)
    turns = pl.min_horizontal(pl.int_range(pl.len()).over(end) for end in ("source", "target"))
    return ranked.with_columns(turns.alias("turn")).sort("turn", maintain_order=True).head(_EDGES).drop("turn")


def _heights(names: Sequence[str], neighbours: dict[str, list[float]]) -> dict[str, float]:
    """Places from 0 to 1 in the order of the mean place of the neighbours, so that fewer lines cross."""
    order = sorted(names, key=lambda n: (float(np.mean(neighbours.get(n) or [0.5])), n))
    step = 1.0 / max(1, len(order))
    return {name: (i + 0.5) * step for i, name in enumerate(order)}


def _neighbours(frame: pl.DataFrame, own: str, other: str, places: dict[str, float]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for a, b in frame.select(own, other).iter_rows():
        if b in places:
            found.setdefault(a, []).append(places[b])
    return found


def _placed(into: pl.DataFrame, out: pl.DataFrame) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    sources, endpoints = sorted(set(into["source"])), sorted(set(out["target"]))
    features = sorted(set(into["target"]) | set(out["source"]))
    left, middle, right = _heights(sources, {}), _heights(features, {}), _heights(endpoints, {})
    for _ in range(4):
        mean = _neighbours(into, "target", "source", left)
        for name, places in _neighbours(out, "source", "target", right).items():
            mean[name] = mean.get(name, []) + places
        middle = _heights(features, mean)
        left = _heights(sources, _neighbours(into, "source", "target", middle))
        right = _heights(endpoints, _neighbours(out, "target", "source", middle))
    return left, middle, right


def _line(axes: Axes, start: tuple[float, float], end: tuple[float, float], row: dict[str, object]) -> None:
    half = (start[0] + end[0]) / 2
    curve = Path([start, (half, start[1]), (half, end[1]), end], [Path.MOVETO, *[Path.CURVE4] * 3])
    strength = row[_P]
    width = 0.5 + 0.22 * min(float(strength), 12.0) if isinstance(strength, float) else 0.5
    colour = {1: ACCENT, -1: DARK}.get(int(str(row["direction"])), GREY)
    dash = (0, (4, 2)) if row["replicated"] is False else "-"
    axes.add_patch(PathPatch(curve, fc="none", ec=colour, lw=width, ls=dash, alpha=0.65, zorder=1, capstyle="butt"))


def _legend(axes: Axes, kinds: set[str], replication: bool, mediators: bool) -> None:
    entries = [
        Line2D([], [], color=ACCENT, lw=1.8, label="more with more"),
        Line2D([], [], color=DARK, lw=1.8, label="more with less"),
        Line2D([], [], color=GREY, lw=1.8, label="no direction"),
    ]
    entries += [
        Line2D([], [], color=INK, ls="none", marker=_MARKS[kind], ms=4.5, label=kind)
        for kind in ("marker", "variant", "gene set") if kind in kinds
    ]  # fmt: skip
    if replication:
        entries.append(Line2D([], [], color=INK, lw=1.2, ls=(0, (4, 2)), label="not replicated"))
    if mediators:
        entries.append(
            Line2D([], [], color=INK, ls="none", marker="s", mfc="white", mew=1.4, ms=6, label="feature that mediates")
        )
    axes.legend(
        handles=entries, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=min(4, len(entries)), handlelength=1.6,
        columnspacing=1.4, borderaxespad=1.6,
    )  # fmt: skip


@styled
def layered_graph(edges: pl.DataFrame, paths: pl.DataFrame | None) -> Figure | None:
    """Draw markers, features and outcomes in three layers with the strongest edges between them; None without any.

    Parameters
    ----------
    edges : polars.DataFrame
        Table ``mechanism/edges``.
    paths : polars.DataFrame or None
        Table ``mechanism/paths``: features that mediate are told apart.
    """
    into, out = _chosen(edges)
    if not into.height and not out.height:
        return None
    left, middle, right = _placed(into, out)
    rows = max(len(left), len(middle), len(right), 4)
    height = 1.25 + _ROW * rows
    figure = canvas(8.4, height, left=0.2, right=0.8, top=1 - 0.95 / height, bottom=0.12 / height)
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set_xlim(_LEFT, _RIGHT)
    axes.set_ylim(1, 0)
    for row in into.iter_rows(named=True):
        _line(axes, (_LEFT, left[row["source"]]), (_MIDDLE, middle[row["target"]]), row)
    for row in out.iter_rows(named=True):
        _line(axes, (_MIDDLE, middle[row["source"]]), (_RIGHT, right[row["target"]]), row)
    kinds = dict(into.select("source", "source_kind").iter_rows())
    through = set() if paths is None else set(_apart(paths)["mediator"]) & set(middle)
    _nodes(axes, left, middle, right, kinds, through)
    for x, title, side in ((_LEFT, "genome", "right"), (_MIDDLE, "image", "center"), (_RIGHT, "outcome", "left")):
        axes.annotate(
            title, (x, 0), xytext=({"right": -8, "center": 0, "left": 8}[side], 6), textcoords="offset points",
            ha=side, va="bottom", weight="bold", fontsize=9, annotation_clip=False,
        )  # fmt: skip
    _legend(axes, set(kinds.values()), bool((into["replicated"] == False).any()), bool(through))  # noqa: E712
    drawn = into.height + out.height
    return embed(
        figure,
        f"Graph of {plural(len(left), 'marker')}, {plural(len(middle), 'imaging feature')} and "
        f"{plural(len(right), 'outcome')} with {plural(drawn, 'edge')}",
        f"{drawn} of {plural(edges.height, 'edge')}: at most {_FEATURES} features (those with an edge on both sides "
        f"first, every marker in turn), {_SOURCES} markers and {_EDGES} edges a side. The wider a line, the smaller p "
        "(up to 10⁻¹²). Edges from a marker straight to an outcome are in the table alone. A line says that two things "
        "go together, not that one makes the other.",
    )


def _nodes(
    axes: Axes, left: dict[str, float], middle: dict[str, float], right: dict[str, float], kinds: dict[str, str],
    through: set[str],
) -> None:  # fmt: skip
    for x, places, side in ((_LEFT, left, "right"), (_RIGHT, right, "left")):
        for name, y in places.items():
            axes.plot(x, y, _MARKS[kinds.get(name, "endpoint")], color=INK, ms=4.5, clip_on=False, zorder=3)
            axes.annotate(
                shorten(name, 26), (x, y), xytext=(-8 if side == "right" else 8, 0), textcoords="offset points",
                ha=side, va="center", fontsize=7.5, annotation_clip=False,
            )  # fmt: skip
    for name, y in middle.items():
        ring = name in through
        axes.annotate(
            shorten(name, 34), (_MIDDLE, y), ha="center", va="center", fontsize=7.5, zorder=4,
            weight="bold" if ring else "normal",
            bbox={
                "boxstyle": "round,pad=0.25", "fc": "white", "ec": INK if ring else LIGHT, "lw": 1.3 if ring else 0.6,
            },
        )  # fmt: skip


def _apart(paths: pl.DataFrame) -> pl.DataFrame:
    """Paths whose mediated effect is apart from zero and whose false discovery rate is below 5 %."""
    return paths.filter(((pl.col("lower") > 0) | (pl.col("upper") < 0)) & (pl.col("q_value") < 0.05))


@styled
def path_effects(paths: pl.DataFrame) -> Figure | None:
    """Draw the mediated and the direct effect of every path, a panel an outcome; None without any path."""
    if not paths.height:
        return None
    outcomes = paths["outcome"].unique(maintain_order=True).to_list()
    shown = outcomes[:_PANELS]
    pairs = list(dict.fromkeys(paths.select("exposure", "mediator").iter_rows()))
    names = pairs[:_PATHS]
    height = 1.05 + 0.3 * len(names)
    figure = canvas(8.4, height)
    panels = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    figure.subplots_adjust(left=0.33, right=0.98, top=1 - 0.5 / height, bottom=0.5 / height, wspace=0.12)
    for axes, outcome in zip(panels, shown, strict=True):
        own = paths.filter(outcome=outcome)
        for row in own.iter_rows(named=True):
            if (row["exposure"], row["mediator"]) not in names:
                continue
            y = names.index((row["exposure"], row["mediator"]))
            ends = {
                "mediated": ("lower", "upper", -0.16, ACCENT, "o"),
                "direct": ("direct_lower", "direct_upper", 0.16, GREY, "s"),
            }
            for name, (low, high, shift, colour, mark) in ends.items():
                axes.hlines(y + shift, row[low], row[high], color=colour, lw=1.3)
                axes.plot(row[name], y + shift, mark, color=colour, ms=3.6)
        axes.axvline(0, color=INK, lw=0.7, zorder=0)
        axes.set_title(shorten(outcome, 26))
        axes.set_xlabel("events per unit of time" if "events" in own["scale"][0] else own["scale"][0])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.locator_params(axis="x", nbins=4)
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    panels[0].set_yticks(range(len(names)), [f"{shorten(a, 16)} → {shorten(m, 27)}" for a, m in names], fontsize=7.5)
    handles = [
        Line2D([], [], color=ACCENT, marker="o", ms=3.6, lw=1.3, label="through the feature (mediated)"),
        Line2D([], [], color=GREY, marker="s", ms=3.6, lw=1.3, label="beside it (direct)"),
    ]
    figure.legend(handles=handles, loc="lower left", ncols=1, fontsize=7.5, borderaxespad=0.3)
    cut = [f"{len(outcomes) - len(shown)} further outcomes"] if len(outcomes) > len(shown) else []
    cut += [f"{len(pairs) - len(names)} further pairs"] if len(pairs) > len(names) else []
    left_out = f" {' and '.join(cut)} are in the table alone." if cut else ""
    return embed(
        figure,
        f"Mediated and direct effects of {len(names)} pairs of exposure and feature on {len(shown)} outcomes",
        "Effect of each exposure on each outcome, split into what goes through the feature and what does not, with "
        "95 % bootstrap intervals. Outcome scale: difference of probability, or of events per unit of time (additive "
        f"hazards).{left_out}",
    )
