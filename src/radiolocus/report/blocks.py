"""What a page is made of: sections of paragraphs, tables, figures and image galleries.

Sections are built as plain values and only the template turns them into HTML, so everything that comes from data is
escaped in one place. :class:`~markupsafe.Markup` is used for numbers with superscripts alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from markupsafe import Markup

__all__ = ["Block", "Cell", "Fact", "Facts", "Figure", "Flow", "Gallery", "Row", "Section", "Table", "Text", "Tile"]


@dataclass(frozen=True)
class Cell:
    """A table cell: what is shown, and the number it sorts by when it is one."""

    text: str | Markup
    sort: float | None = None


Row = Sequence[Cell | str | Markup]


@dataclass(frozen=True)
class Text:
    """A paragraph; `tone` is ``"note"`` for caveats and ``"plain"`` otherwise."""

    text: str | Markup
    tone: Literal["plain", "note"] = "plain"
    kind: str = "text"


@dataclass(frozen=True)
class Table:
    """A table. `numeric` marks the right-aligned columns; a `folded` table opens on demand (and in print)."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Row]
    numeric: Sequence[bool] = ()
    folded: bool = False
    sortable: bool = False
    note: str = ""
    kind: str = "table"

    def is_numeric(self, column: int) -> bool:
        """Whether `column` is right-aligned."""
        return column < len(self.numeric) and self.numeric[column]


@dataclass(frozen=True)
class Figure:
    """A picture as a data address, what it shows in words (`alt`), its caption, and its width in CSS pixels."""

    source: str
    alt: str
    caption: str | Markup
    width: int
    half: bool = False
    kind: str = "figure"


@dataclass(frozen=True)
class Tile:
    """One region of interest: a grey picture with its outline, all lengths in millimetres; `inverted`: dark is high."""

    source: str
    width: float
    height: float
    outline: str
    bar: float
    title: str
    lines: Sequence[str]
    alt: str
    inverted: bool = False


@dataclass(frozen=True)
class Gallery:
    """Tiles in a grid."""

    caption: str
    tiles: Sequence[Tile]
    kind: str = "gallery"


@dataclass(frozen=True)
class Flow:
    """Who came in: a first box and a row of boxes that it leads to, each (title, lines)."""

    first: tuple[str, Sequence[str]]
    then: Sequence[tuple[str, Sequence[str]]]
    kind: str = "flow"


@dataclass(frozen=True)
class Fact:
    """A name and its value."""

    name: str
    value: str | Markup


@dataclass(frozen=True)
class Facts:
    """A list of facts; `folded` opens on demand."""

    caption: str
    facts: Sequence[Fact]
    folded: bool = False
    kind: str = "facts"


Block = Text | Table | Figure | Gallery | Flow | Facts


@dataclass(frozen=True)
class Section:
    """A numbered section of the page; `verdict` is its line under the title of the report, in numbers."""

    id: str
    title: str
    blocks: Sequence[Block]
    verdict: Sequence[str | Markup] = field(default=())
