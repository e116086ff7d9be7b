"""Readers, axes and parts of the lesions of a table."""

from __future__ import annotations

import polars as pl

from radiolocus.read.lesion_screen import Screen

__all__ = ["TOO_SMALL_MM", "add_parts", "screen_readers"]

TOO_SMALL_MM = 5.0
"""Size given to a target that is seen but too small to measure (Eisenhauer 2009, section 4.3.1)."""

# Of a split lesion the state of its worst part stands.
_WORST = {"absent": 0, "merged": 1, "too small": 2, "equivocal": 3, "present": 4, "progression": 5}


def screen_readers(screen: Screen, keep_reader: str) -> None:
    """One reader, and nodes on their short axis."""
    if keep_reader:
        others = screen.frame.filter(pl.col("reader").is_not_null() & (pl.col("reader") != keep_reader))
        if others.height:
            screen.note(f"{others.height} rows of readers other than '{keep_reader}' left out", count=others.height)
            screen.frame = screen.frame.join(others.select("row"), on="row", how="anti", maintain_order="left")
    said = pl.col("reader").drop_nulls()
    screen.aside(
        (said.n_unique().over("subject") > 1) & pl.col("reader").is_not_null(),
        pl.format("several readers, here '{}'", "reader"),
        "one reader in a table",
        "name the reader that counts (keep_reader), or compare them with reader agreement",
    )
    axis = pl.col("axis").str.to_lowercase()
    screen.aside(
        pl.col("axis").is_not_null() & ~axis.is_in(["long", "short"]),
        pl.format("axis '{}'", "axis"),
        "long or short",
        "correct the cell or leave it empty",
    )
    screen.aside(
        (axis == "long") & pl.col("node").fill_null(False) & pl.col("size").is_not_null(),
        "a lymph node measured on its long axis",
        "the short axis of nodes",
        "measure the short axis",
    )


def add_parts(screen: Screen, sizes: list[str]) -> None:
    """Make one row of the parts of a split lesion: their sizes added, mean density, largest uptake."""
    key = ["subject", "visit", "lesion"]
    split = pl.col("part").is_not_null().any().over(key) & (pl.len().over(key) > 1)
    marked = screen.frame.with_columns(split.alias("_split"))
    if not marked["_split"].any():
        return
    screen.aside(
        (pl.len().over(*key, "part") > 1) & (pl.col("part").is_not_null().any().over(key)),
        pl.format("the same part twice at one visit, '{}'", pl.col("part").fill_null("")),
        "one row a part of a lesion",
        "correct the parts",
    )
    nothing = pl.col("status").is_in(["absent", "merged"])
    size = pl.when(nothing).then(0.0).when(pl.col("status") == "too small").then(TOO_SMALL_MM)
    marked = screen.frame.with_columns(split.alias("_split"))
    marked = marked.with_columns(
        pl.when("_split").then(pl.coalesce("diameter_mm", size)).otherwise("diameter_mm").alias("diameter_mm")
    )
    # A part that was not evaluated leaves the lesion not evaluated.
    unknown = (pl.col("status") == "NE").any()
    whole = {"diameter_mm": pl.sum, **dict.fromkeys(sizes, pl.sum), "density_hu": pl.mean, "uptake": pl.max}
    added = [
        pl.when(unknown | pl.col(c).is_null().any()).then(None).otherwise(how(c)).alias(c)
        for c, how in whole.items()
        if c in marked.columns
    ]
    state = (
        pl.when(unknown)
        .then(pl.lit("NE"))
        .otherwise(pl.col("status").sort_by(pl.col("status").replace_strict(_WORST, default=0)).last())
    )
    rest = [pl.col(c).first() for c in marked.columns if c not in {*key, "status", *whole}]
    one = marked.filter("_split").group_by(key, maintain_order=True).agg(*rest, *added, state.alias("status"))
    screen.frame = pl.concat([marked.filter(~pl.col("_split")), one.select(marked.columns)]).drop("_split").sort("row")
