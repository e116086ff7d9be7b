"""One look for all figures, and how a figure becomes part of the page.

Figures are drawn with matplotlib's object interface under a style of our own, so neither a user's matplotlibrc nor the
global state of pyplot can change a report. Text becomes outlines: a report looks the same wherever it is opened.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from matplotlib.transforms import Bbox

from radiolocus.errors import ConfigError
from radiolocus.report import blocks
from radiolocus.store import write_bytes

__all__ = [
    "ACCENT",
    "DARK",
    "GREY",
    "INK",
    "LIGHT",
    "PALE",
    "Drawn",
    "canvas",
    "embed",
    "legend_above",
    "shorten",
    "styled",
]

# Told apart by lightness as well as by hue: L* about 13, 38, 55, 62, 80 and 93.
INK, ACCENT, DARK, GREY, LIGHT, PALE = "#222222", "#b2342a", "#3d5a80", "#8c8c8c", "#c3c7cc", "#eceef0"
DPI = 200
_MARGIN = 0.04  # inches around a text that would be cut off
_SCREEN = 110  # CSS pixels an inch of figure: 8 pt text shows at 12 px

_STYLE: dict[str, Any] = {
    "svg.hashsalt": "radiolocus",
    "svg.fonttype": "path",
    "svg.image_inline": True,
    "font.family": ["DejaVu Sans"],
    "font.size": 8.0,
    "axes.titlesize": 9.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "axes.linewidth": 0.7,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "text.color": INK,
    "text.usetex": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "hatch.linewidth": 0.6,
    "lines.linewidth": 1.3,
    "path.simplify": True,
    "savefig.dpi": DPI,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}

P = ParamSpec("P")
T = TypeVar("T")


def styled(draw: Callable[P, T]) -> Callable[P, T]:
    """Run a drawing function under the style of the report, whatever the settings of the process."""

    @wraps(draw)
    def inside(*args: P.args, **kwargs: P.kwargs) -> T:
        with mpl.rc_context():
            # rcdefaults first: a matplotlibrc of the user must not leak into a report.
            parameters: Any = mpl.rcParams
            parameters.update({k: v for k, v in mpl.rcParamsDefault.items() if not k.startswith("backend")})
            parameters.update(_STYLE)
            return draw(*args, **kwargs)

    return inside


def canvas(width: float, height: float, **layout: Any) -> Canvas:
    """Return an empty figure of `width` × `height` inches; `layout` goes to ``subplots_adjust`` when given."""
    figure = Canvas(figsize=(width, height))
    FigureCanvasAgg(figure)
    if layout:
        figure.subplots_adjust(**layout)
    return figure


def legend_above(axes: Axes, columns: int = 4, **kwargs: Any) -> None:
    """Put the legend over the data area, never on it."""
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=columns,
        borderaxespad=0.2,
        handlelength=1.6,
        columnspacing=1.2,
        **kwargs,
    )


def shorten(name: str, limit: int) -> str:
    """Cut the middle out of a long name: features differ at the end, clinical columns at the start.

    >>> shorten("Time – diagnosis to outcome (days)", 20)
    'Time – dia…me (days)'
    """
    if len(name) <= limit:
        return name
    tail = (limit - 1) // 2
    return f"{name[: limit - 1 - tail]}…{name[-tail:]}"


def extent(figure: Canvas) -> Bbox:
    """Return the box, in inches, that holds the whole figure and every text that reaches over its edge."""
    sheet = Bbox.from_bounds(0, 0, *figure.get_size_inches())
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    drawn = figure.get_tightbbox(renderer)
    if drawn.x0 >= 0 and drawn.y0 >= 0 and drawn.x1 <= sheet.x1 and drawn.y1 <= sheet.y1:
        return sheet
    return Bbox.union([sheet, drawn.padded(_MARGIN)])


_PLAIN: dict[str, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None, "Format": None, "Type": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}


def _bytes(figure: Canvas, kind: str) -> tuple[bytes, Bbox]:
    """A figure as a file without date or program, and the sheet it fills."""
    buffer = io.BytesIO()
    sheet = extent(figure)
    figure.savefig(buffer, format=kind, bbox_inches=sheet, metadata=_PLAIN[kind])
    return buffer.getvalue(), sheet


def embed(figure: Canvas, alt: str, caption: str | Markup, *, half: bool = False) -> blocks.Figure:
    """Turn a drawn figure into a block of the page.

    The SVG travels as a data address: its ids cannot clash with those of other figures, and a reader can save it.
    The sheet grows where a long name would be cut off.
    """
    data, sheet = _bytes(figure, "svg")
    source = "data:image/svg+xml;base64," + base64.b64encode(data).decode()
    return blocks.Figure(source, alt, caption, round(sheet.width * _SCREEN), half)


@dataclass(frozen=True, eq=False)
class Drawn:
    """A figure that may become a block of a page or a file: the canvas, what it shows in words, and its caption."""

    figure: Canvas
    alt: str
    caption: str
    half: bool = False

    def block(self) -> blocks.Figure:
        """Block of a page."""
        return styled(embed)(self.figure, self.alt, self.caption, half=self.half)

    def write(self, path: Path) -> None:
        """Write a file of the kind that the ending says.

        Raises
        ------
        ConfigError
            Another ending than .svg, .png or .pdf.
        """
        kind = path.suffix.removeprefix(".").lower()
        if kind not in _PLAIN:
            raise ConfigError(f"figure '{path.name}'", where="plot", allowed="a file ending in .svg, .png or .pdf")
        write_bytes(path, styled(_bytes)(self.figure, kind)[0])
