"""Labels beside points, placed so that none covers another or a point it should leave visible."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from radiolocus.model import Array
from radiolocus.report.drawing import GREY, INK

__all__ = ["label_points", "label_rails"]

# Offsets in points from the labelled point, nearest first; the text is anchored on the side that faces the point.
_RINGS = (7.0, 14.0, 22.0, 32.0, 44.0, 58.0)
_ANGLES = (20, 160, 60, 120, -20, 200, 90, -60, 240)


Side = Literal["left", "center", "right"]


def _candidates() -> list[tuple[float, float, Side]]:
    places: list[tuple[float, float, Side]] = []
    for radius in _RINGS:
        for angle in _ANGLES:
            x, y = radius * np.cos(np.radians(angle)), radius * np.sin(np.radians(angle))
            places.append((float(x), float(y), "center" if abs(x) < 1 else "left" if x > 0 else "right"))
    return places


def _free(box: Bbox, taken: list[Bbox], inside: Bbox, points: Array) -> bool:
    if box.x0 < inside.x0 or box.x1 > inside.x1 or box.y0 < inside.y0 or box.y1 > inside.y1:
        return False
    if any(box.overlaps(other) for other in taken):
        return False
    x, y = points[:, 0], points[:, 1]
    return not bool(((x > box.x0) & (x < box.x1) & (y > box.y0) & (y < box.y1)).any())


def label_points(
    axes: Axes,
    x: Sequence[float],
    y: Sequence[float],
    texts: Sequence[str],
    *,
    avoid: Array | None = None,
    size: float = 7.5,
) -> list[str]:
    """Write `texts` beside the points (x, y), most important first, with a thin line to the point.

    Parameters
    ----------
    axes : Axes
        With its final limits and place in the figure.
    x, y : sequence of float
        Data coordinates.
    texts : sequence of str
    avoid : ndarray, shape (k, 2), optional
        Further points, in data coordinates, that no label may cover.
    size : float
        Font size in points.

    Returns
    -------
    list of str
        The labels that were written; one that has no free place is left out rather than printed over another.
    """
    figure = axes.get_figure(root=True)
    if figure is None or not isinstance(figure.canvas, FigureCanvasAgg):
        raise TypeError("labels are measured on the Agg canvas that drawing.canvas() attaches")
    renderer = figure.canvas.get_renderer()  # type: ignore[no-untyped-call]
    scale = figure.dpi / 72
    own = axes.transData.transform(np.column_stack([x, y])) if len(texts) else np.empty((0, 2))
    rest = axes.transData.transform(avoid) if avoid is not None and len(avoid) else np.empty((0, 2))
    points = np.vstack([own, rest])
    inside, taken = axes.get_window_extent(renderer), list[Bbox]()
    written = []
    for i, text in enumerate(texts):
        note = axes.annotate(
            text,
            (x[i], y[i]),
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=size,
            color=INK,
            va="center",
            arrowprops={"arrowstyle": "-", "color": GREY, "lw": 0.5, "shrinkA": 0, "shrinkB": 2},
        )
        # Annotation.get_window_extent would include the line to the point, which may cross what it likes.
        extent = Text.get_window_extent(note, renderer)
        for dx, dy, side in _candidates():
            box = _box(own[i] + np.array([dx, dy]) * scale, extent, side).padded(1.5 * scale)
            if _free(box, taken, inside, points):
                note.xyann = (dx, dy)
                note.set_horizontalalignment(side)
                taken.append(box)
                written.append(text)
                break
        else:
            note.remove()
    return written


def _box(anchor: Array, extent: Bbox, side: Side) -> Bbox:
    share = {"left": 0.0, "center": 0.5, "right": 1.0}[side]
    return Bbox.from_bounds(
        anchor[0] - share * extent.width, anchor[1] - extent.height / 2, extent.width, extent.height
    )


def label_rails(
    axes: Axes, x: Sequence[float], y: Sequence[float], texts: Sequence[str], *, avoid: Array, size: float = 7.0
) -> None:
    """Write `texts` in a column beside the points right of zero and one beside those left of it.

    The order from top to bottom is that of the points, so that no line crosses another. Made for a few labels of points
    that crowd together, as at the tips of a volcano, where labels around each point would lie across its neighbours.

    Parameters
    ----------
    axes : Axes
        With its final limits and place in the figure.
    x, y : sequence of float
        Data coordinates.
    texts : sequence of str
    avoid : ndarray, shape (k, 2)
        Points, in data coordinates, that a column keeps clear of where it can.
    size : float
        Font size in points.
    """
    figure = axes.get_figure(root=True)
    if figure is None or not len(texts):
        return
    scale = figure.dpi / 72
    points = axes.transData.transform(np.column_stack([x, y])) / scale
    others = axes.transData.transform(avoid.reshape(-1, 2)) / scale
    box = axes.get_window_extent()
    bottom, top = box.y0 / scale + size, box.y1 / scale - size
    for side in (1, -1):
        mine = [i for i in range(len(texts)) if (x[i] >= 0) == (side > 0)]
        mine.sort(key=lambda i: (-points[i, 1], i))
        if not mine:
            continue
        heights = _spread(points[mine, 1], 1.4 * size, bottom, top)
        width = 0.62 * size * max(len(texts[i]) for i in mine)  # wider than the letters are on average
        rail = _rail(points[mine, 0], others, side, width, (heights[-1] - size, heights[0] + size))
        for i, height in zip(mine, heights, strict=True):
            axes.annotate(
                texts[i],
                (x[i], y[i]),
                xytext=(rail - points[i, 0], height - points[i, 1]),
                textcoords="offset points",
                fontsize=size,
                color=INK,
                va="center",
                ha="right" if side > 0 else "left",
                arrowprops={
                    "arrowstyle": "-",
                    "color": GREY,
                    "lw": 0.5,
                    "shrinkA": 1,
                    "shrinkB": 2,
                    "relpos": (1.0 if side > 0 else 0.0, 0.5),
                },
            )


def _spread(wanted: Array, step: float, bottom: float, top: float) -> Array:
    """Heights at least `step` apart, in descending order, near the wanted ones and inside the axes where they fit."""
    heights = wanted.astype(float).copy()
    for i in range(1, len(heights)):
        heights[i] = min(heights[i], heights[i - 1] - step)
    heights += float(np.mean(wanted - heights))
    heights += max(0.0, bottom - heights[-1])
    heights -= max(0.0, heights[0] - top)
    return heights


def _rail(own: Array, others: Array, side: int, width: float, span: tuple[float, float]) -> float:
    """Place of the column's edge: inward of the points, where it covers the fewest others."""
    edge = float(own.min() if side > 0 else own.max())
    across = others[(others[:, 1] > span[0]) & (others[:, 1] < span[1]), 0]
    covered = []
    for gap in (14.0, 24.0, 36.0, 50.0):
        start = edge - side * gap
        low, high = sorted((start, start - side * width))
        covered.append((int(((across > low) & (across < high)).sum()), start))
    return min(covered, key=lambda c: c[0])[1]
