"""Regions of interest as pictures: grey pixels at their own resolution, the outline as a vector along pixel edges."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import polars as pl
from PIL import Image

from radiolocus.report.blocks import Gallery, Tile
from radiolocus.report.numbers import count, number, plural

__all__ = ["gallery", "outline", "shrink", "tiles"]

Pixels = npt.NDArray[np.uint8]

_PIXELS_OF_PAGE = 8_000_000  # of all tiles together: about 8 MB of page whatever the size of the cohort
_SIDE_MAX, _SIDE_MIN = 192, 40
_BARS_MM = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)


def _runs(edge: npt.NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    """Runs of True along the rows of `edge`, as (row, start, stop)."""
    padded = np.pad(edge.astype(np.int8), ((0, 0), (1, 1)))
    step = np.diff(padded, axis=1)
    rows, starts = np.nonzero(step == 1)
    stops = np.nonzero(step == -1)[1]
    return list(zip(rows.tolist(), starts.tolist(), stops.tolist(), strict=True))


def outline(mask: npt.NDArray[np.bool_], dy: float = 1.0, dx: float = 1.0) -> str:
    """Return the SVG path of the edges between pixels in and out of a mask.

    Parameters
    ----------
    mask : ndarray of bool, shape (rows, columns)
    dy, dx : float
        Size of a pixel in the units of the drawing.

    Returns
    -------
    str
        One straight piece per run of pixel edges; empty for an empty mask.
    """
    padded = np.pad(mask, 1)
    across = padded[1:, 1:-1] != padded[:-1, 1:-1]  # edge above row r, for r = 0..rows
    down = (padded[1:-1, 1:] != padded[1:-1, :-1]).T  # edge left of column c, for c = 0..columns
    pieces = [f"M{a * dx:.6g} {r * dy:.6g}H{b * dx:.6g}" for r, a, b in _runs(across)]
    pieces += [f"M{c * dx:.6g} {a * dy:.6g}V{b * dy:.6g}" for c, a, b in _runs(down)]
    return "".join(pieces)


def _crop(mask: npt.NDArray[np.bool_], side: int) -> tuple[slice, slice]:
    """Window that holds the region with a margin of a quarter of its size, at least `side` long where there is room."""
    window = []
    for axis in (1, 0):
        at = np.flatnonzero(mask.any(axis=axis))
        size = mask.shape[1 - axis]
        if not at.size:
            window.append(slice(0, size))
            continue
        length = min(size, max(side, int((at[-1] - at[0] + 1) * 1.5)))
        start = int(np.clip((at[0] + at[-1] + 1 - length) // 2, 0, size - length))
        window.append(slice(start, start + length))
    return window[0], window[1]


def shrink(grey: Pixels, mask: npt.NDArray[np.bool_], side: int) -> tuple[Pixels, npt.NDArray[np.bool_], int]:
    """Crop a picture around its region and average blocks of pixels until no side is longer than `side`.

    Returns
    -------
    grey, mask, step
        `step` pixels became one along each axis; a block belongs to the region when at least half of it does.
    """
    if max(grey.shape) <= side:
        return grey, mask, 1
    window = _crop(mask, side)
    grey, mask = grey[window], mask[window]
    step = -(-max(grey.shape) // side)
    if step == 1:
        return grey, mask, 1
    spare = [(0, -n % step) for n in grey.shape]
    blocks = np.pad(grey.astype(np.float64), spare, mode="edge")
    share = np.pad(mask.astype(np.float64), spare)
    rows, columns = blocks.shape[0] // step, blocks.shape[1] // step
    mean = blocks.reshape(rows, step, columns, step).mean((1, 3))
    part = share.reshape(rows, step, columns, step).mean((1, 3))
    kept = part >= 0.5
    if mask.any() and not kept.any():
        kept = part == part.max()
    return np.round(mean).astype(np.uint8), kept, step


def _png(grey: Pixels) -> str:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(grey)).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _tile(row: dict[str, object], side: int) -> Tile:
    shape = int(str(row["height"])), int(str(row["width"]))
    grey = np.frombuffer(row["pixels"], np.uint8).reshape(shape)  # type: ignore[call-overload]
    mask = np.frombuffer(row["mask"], np.uint8).reshape(shape).astype(bool)  # type: ignore[call-overload]
    grey, mask, step = shrink(grey, mask, side)
    dy, dx = float(str(row["spacing_y"])) * step, float(str(row["spacing_x"])) * step
    height, width = grey.shape[0] * dy, grey.shape[1] * dx
    bar = max((b for b in _BARS_MM if b <= 0.4 * width), default=_BARS_MM[0])
    place = " ".join(str(row[k]) for k in ("image", "visit", "roi") if row[k])
    volume, low, high = _real(row["volume_ml"]), _real(row["low"]), _real(row["high"])
    voxels = count(int(str(row["voxels"] or 0)))
    return Tile(
        _png(grey),
        width,
        height,
        outline(mask, dy, dx),
        bar,
        str(row["subject"]),
        (place, f"{number(volume)} mL", _shown(row), f"bar {number(bar)} mm"),
        f"{place} of subject {row['subject']}: slice of the largest area with the outline of the region, "
        f"{number(volume)} mL in {voxels} voxels; scale bar {number(bar)} mm",
        inverted=low is not None and high is not None and low > high,
    )


def _shown(row: dict[str, object]) -> str:
    low, high = _real(row["low"]), _real(row["high"])
    if low is not None and high is not None and low > high:  # stored as black, white
        low, high = high, low
    return _window(low, high)


def _window(low: float | None, high: float | None) -> str:
    """Both ends with the decimals that the width of the window deserves."""
    if low is None or high is None or not high > low:
        return f"{number(low)} to {number(high)}"
    decimals = max(0, 2 - int(np.floor(np.log10(high - low))))
    ends = ("0" if end == 0 else f"{end:.{decimals}f}" for end in (low, high))
    return " to ".join(ends).replace("-", "−")


def _real(value: object) -> float | None:
    return float(value) if isinstance(value, float | int) else None


def gallery(thumbnails: pl.DataFrame) -> Gallery:
    """Return all tiles under one caption, which says once what they have in common and which way the grey scale runs.

    Parameters
    ----------
    thumbnails : polars.DataFrame
        ``features/thumbnails``. Its columns `low` and `high` are the intensities drawn black and white, so `low` is the
        larger one where dark means high, as for PET.
    """
    made = tiles(thumbnails)
    people = thumbnails["subject"].n_unique()
    caption = f"{plural(len(made), 'region')} of interest of {plural(people, 'subject')}. {_scales(thumbnails)} "
    common = {i: made[0].lines[i] for i in range(4) if len({t.lines[i] for t in made}) == 1} if len(made) > 1 else {}
    common.pop(1, None)  # a volume belongs to its region even when all are equal
    under = [
        name
        for i, name in enumerate(("image and region", "volume", "intensities shown", "length of the scale bar"))
        if i not in common
    ]
    caption += f"Under each picture: subject, {', '.join(under)}."
    if common:
        caption += f" The same for all: {', '.join(common.values())}."
        made = [replace(t, lines=tuple(line for i, line in enumerate(t.lines) if i not in common)) for t in made]
    return Gallery(caption, made)


def _scales(thumbnails: pl.DataFrame) -> str:
    """Say the unit of every image, and whether its higher intensities are white or black."""
    dark = (pl.col("low") > pl.col("high")).alias("dark")
    looks = thumbnails.select("image", pl.col("unit").fill_null(""), dark).unique().sort("dark", "unit", "image")
    told = []
    for (inverted, unit), part in looks.group_by(["dark", "unit"], maintain_order=True):
        names = ", ".join(part["image"].to_list())
        told.append(f"{names} ({unit or 'arbitrary intensity'}): high is {'black' if inverted else 'white'}")
    return "; ".join(told) + "."


def tiles(thumbnails: pl.DataFrame) -> list[Tile]:
    """Return a tile for every row of ``features/thumbnails``, sorted by subject, image, visit and region.

    The more regions there are, the smaller each picture, so that the page stays of a size that mail accepts.
    """
    side = int(np.clip(np.sqrt(_PIXELS_OF_PAGE / max(1, thumbnails.height)), _SIDE_MIN, _SIDE_MAX))
    ordered = thumbnails.sort("subject", "image", "visit", "roi", nulls_last=True)
    return [_tile(row, side) for row in ordered.iter_rows(named=True)]
