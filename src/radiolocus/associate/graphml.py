"""Graphs as GraphML, which Cytoscape, Gephi, yEd, igraph and NetworkX read (graphml.graphdrawing.org)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import polars as pl
from markupsafe import escape

__all__ = ["graphml"]

_TYPES: tuple[tuple[type[pl.DataType], str], ...] = (
    (pl.String, "string"), (pl.Float64, "double"), (pl.Int64, "long"), (pl.Boolean, "boolean"),
)  # fmt: skip
# Characters that no XML 1.0 document may hold, not even as references.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def graphml(
    nodes: pl.DataFrame, edges: pl.DataFrame, *, name: str = "node", kind: str = "kind",
    ends: Mapping[str, str] | None = None,
) -> str:  # fmt: skip
    """Write a directed graph.

    Parameters
    ----------
    nodes : polars.DataFrame
        Columns `name` and `kind`, which together are unique, and attributes of text, numbers and flags.
    edges : polars.DataFrame
        Columns of the two ends, and attributes. Null attributes are left out.
    name, kind : str
        Columns of `nodes`.
    ends : mapping of str to str, optional
        Column of the end to column of its kind: first the source, then the target.

    Returns
    -------
    str
        The same graph gives the same text. Ids are n0, n1, ... in the order of `nodes`; the name is the attribute
        ``label``, as Gephi and Cytoscape expect.
    """
    ends = ends or {"source": "source_kind", "target": "target_kind"}
    ids = {key: f"n{i}" for i, key in enumerate(nodes.select(name, kind).iter_rows())}
    keys, lines = [], []
    told = nodes.rename({name: "label"})
    own = edges.drop(*ends, *ends.values())
    for prefix, scope, frame in (("d", "node", told), ("e", "edge", own)):
        for j, (column, dtype) in enumerate(frame.schema.items()):
            kept = next(t for k, t in _TYPES if dtype == k)
            keys.append(f'  <key id="{prefix}{j}" for="{scope}" attr.name="{_text(column)}" attr.type="{kept}"/>')
    for i, row in enumerate(told.iter_rows()):
        lines += [f'    <node id="n{i}">', *_data("d", row), "    </node>"]
    (source, source_kind), (target, target_kind) = ends.items()
    places = edges.select(source, source_kind, target, target_kind)
    for i, (row, (a, a_kind, b, b_kind)) in enumerate(zip(own.iter_rows(), places.iter_rows(), strict=True)):
        head = f'    <edge id="l{i}" source="{ids[a, a_kind]}" target="{ids[b, b_kind]}">'
        lines += [head, *_data("e", row), "    </edge>"]
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            '<graphml xmlns="http://graphml.graphdrawing.org/xmlns" '
            'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
            'xsi:schemaLocation="http://graphml.graphdrawing.org/xmlns '
            'http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd">',
            *keys, '  <graph edgedefault="directed">', *lines, "  </graph>", "</graphml>", "",
        ]
    )  # fmt: skip


def _data(prefix: str, row: tuple[object, ...]) -> list[str]:
    shown = ((j, _value(v)) for j, v in enumerate(row))
    return [f'      <data key="{prefix}{j}">{v}</data>' for j, v in shown if v]


def _value(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and math.isinf(value):
        return "INF" if value > 0 else "-INF"
    return _text(str(value))


def _text(text: str) -> str:
    return str(escape(_FORBIDDEN.sub("\ufffd", text)))
