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

__all__ = ["label_points"]

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
