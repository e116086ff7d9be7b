"""The same variant in two tables: whose allele is counted, on which strand, and whether that can be known at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from radiolocus.errors import ConfigError, TableError
from radiolocus.registry import suggest

__all__ = [
    "ALIGNED",
    "OUTCOMES",
    "SET_ASIDE",
    "Alignment",
    "AlleleOptions",
    "align",
    "classify",
    "orient",
    "palindromic",
]

#: Outcomes with a direction, from the surest to the least sure.
ALIGNED = {
    "same": "the alleles stand as in the reference",
    "swapped": "effect and other allele are exchanged",
    "flipped": "the alleles of the other strand",
    "flipped_swapped": "the alleles of the other strand, exchanged",
    "palindromic_same": "A/T or C/G; the direction is that of the reference",
    "palindromic_swapped": "A/T or C/G; the direction is opposite to the reference",
}
#: Outcomes without a direction: the variant is not used.
SET_ASIDE = {
    "palindromic": "A/T or C/G, and nothing tells the strand",
    "mismatch": "the alleles are not those of the reference",
    "missing": "an allele is missing, or both are one",
    "several": "fits more than one row",
    "absent": "no variant of the reference lies there",
}
OUTCOMES = ALIGNED | SET_ASIDE

_BASES, _COMPLEMENT = ["A", "C", "G", "T"], ["T", "G", "C", "A"]
_NOTHING = ["", "0", ".", "NA", "-"]
# Columns that turn with the direction, and those that become their difference from one.
_TURN, _REST = ("beta", "statistic", "z"), ("effect_allele_frequency",)


@dataclass(frozen=True)
class AlleleOptions:
    """How alleles of two tables are compared.

    Parameters
    ----------
    palindromic : {"set_aside", "frequency", "as_written"}
        What is done with A/T and C/G, whose strand their letters do not tell: set them aside; tell it by the allele
        frequency where that is far from a half in both tables; or trust that both tables are of one strand.
    margin : float
        With "frequency": how far from 0.5 both frequencies must lie.
    flips : bool
        Take the complementary alleles for those of the other strand. Only single bases are complemented: the letters
        of an insertion or deletion on the other strand are not the complement of those on this one.
    """

    palindromic: Literal["set_aside", "frequency", "as_written"] = "set_aside"
    margin: float = 0.08
    flips: bool = True

    def __post_init__(self) -> None:
        kinds = ("set_aside", "frequency", "as_written")
        if self.palindromic not in kinds:
            raise ConfigError(
                f"palindromic = '{self.palindromic}'", allowed=", ".join(kinds), todo=suggest(self.palindromic, kinds)
            )
        if not 0 <= self.margin < 0.5:
            raise ConfigError(f"margin = {self.margin}", allowed="at least 0 and below 0.5")


@dataclass(frozen=True, eq=False)
class Alignment:
    """Rows of a table beside those of a reference.

    Parameters
    ----------
    rows : polars.DataFrame
        A row for each row of the table, in its order: ``outcome`` (a key of :data:`OUTCOMES`), ``sign`` (1, −1, or 0
        when it is set aside) and ``reference_row`` (null when it is set aside).
    """

    rows: pl.DataFrame

    @property
    def counts(self) -> pl.DataFrame:
        """How often each outcome came up: ``outcome``, ``meaning``, ``count``; those that did not are left out."""
        found = dict(self.rows.group_by("outcome").len().iter_rows())
        there = [name for name in OUTCOMES if name in found]
        return pl.DataFrame(
            {"outcome": there, "meaning": [OUTCOMES[n] for n in there], "count": [found[n] for n in there]},
            schema={"outcome": pl.String, "meaning": pl.String, "count": pl.Int64},
        )


def palindromic(effect: str = "effect_allele", other: str = "other_allele") -> pl.Expr:
    """Whether two columns of upper-case alleles hold A and T, or C and G."""
    return pl.col(effect).is_in(_BASES) & (_complement(pl.col(effect)) == pl.col(other))


def classify(
    effect: pl.Series,
    other: pl.Series,
    reference_effect: pl.Series,
    reference_other: pl.Series,
    frequency: pl.Series | None = None,
    reference_frequency: pl.Series | None = None,
    *,
    options: AlleleOptions | None = None,
) -> pl.DataFrame:
    """Compare alleles row by row.

    Parameters
    ----------
    effect, other, reference_effect, reference_other : polars.Series of str, shape (n,)
        Alleles in any case. An empty one, ``0``, ``.``, ``-``, ``NA`` or null is missing.
    frequency, reference_frequency : polars.Series of float, shape (n,), optional
        Of the effect allele of either; needed to tell the strand of palindromic alleles by frequency.
    options : AlleleOptions, optional

    Returns
    -------
    polars.DataFrame
        ``outcome`` and ``sign``; see :class:`Alignment`. Never ``several`` or ``absent``.
    """
    alleles = (effect, other, reference_effect, reference_other)
    count = effect.len()
    nothing = pl.repeat(None, count, dtype=pl.Float64, eager=True)
    frame = pl.DataFrame(
        [
            *(series.cast(pl.String).alias(name) for name, series in zip("eoEO", alleles, strict=True)),
            (nothing if frequency is None else frequency.cast(pl.Float64)).alias("f"),
            (nothing if reference_frequency is None else reference_frequency.cast(pl.Float64)).alias("F"),
        ]
    )  # fmt: skip
    return _classified(frame.lazy(), options or AlleleOptions()).select("outcome", "sign").collect()


def _complement(allele: pl.Expr) -> pl.Expr:
    return allele.replace(_BASES, _COMPLEMENT)


def _classified(frame: pl.LazyFrame, options: AlleleOptions) -> pl.LazyFrame:
    """Add ``outcome`` and ``sign`` to alleles e, o of a table and E, O of a reference, with frequencies f and F."""
    names = ("e", "o", "E", "O")
    clean = frame.with_columns(pl.col(n).str.strip_chars().str.to_uppercase() for n in names)
    known = {n: pl.when(~pl.col(n).is_in(_NOTHING)).then(pl.col(n)) for n in names}
    clean = clean.with_columns(**known)
    e, o, big_e, big_o = (pl.col(n) for n in names)
    missing = pl.any_horizontal(*(pl.col(n).is_null() for n in names)) | (e == o) | (big_e == big_o)
    as_is, turned = (e == big_e) & (o == big_o), (e == big_o) & (o == big_e)
    single = pl.all_horizontal(*(pl.col(n).is_in(_BASES) for n in names)) & options.flips
    other_e, other_o = _complement(e), _complement(o)
    flipped = single & (other_e == big_e) & (other_o == big_o)
    flipped_turned = single & (other_e == big_o) & (other_o == big_e)
    ambiguous = palindromic("e", "o") & (as_is | turned)
    outcome = (
        pl.when(missing).then(pl.lit("missing"))
        .when(ambiguous).then(_strand(as_is, options))
        .when(as_is).then(pl.lit("same"))
        .when(turned).then(pl.lit("swapped"))
        .when(flipped).then(pl.lit("flipped"))
        .when(flipped_turned).then(pl.lit("flipped_swapped"))
        .otherwise(pl.lit("mismatch"))
    )  # fmt: skip
    return clean.with_columns(outcome.alias("outcome")).with_columns(_sign().alias("sign"))


def _sign() -> pl.Expr:
    turned = pl.col("outcome").is_in(["swapped", "flipped_swapped", "palindromic_swapped"])
    known = pl.col("outcome").is_in(list(ALIGNED))
    return pl.when(~known).then(0).when(turned).then(-1).otherwise(1).cast(pl.Int8)


def _strand(as_is: pl.Expr, options: AlleleOptions) -> pl.Expr:
    """Outcome of palindromic alleles."""
    same, turned = pl.lit("palindromic_same"), pl.lit("palindromic_swapped")
    if options.palindromic == "set_aside":
        return pl.lit("palindromic")
    if options.palindromic == "as_written":
        return pl.when(as_is).then(same).otherwise(turned)
    table, reference = pl.col("f") - 0.5, pl.col("F") - 0.5
    # a frequency tells which allele is meant, whatever its letter: the rare one of both tables is one allele
    far = (table.abs() > options.margin) & (reference.abs() > options.margin)
    known = far & table.is_finite() & reference.is_finite()
    agree = (table > 0) == (reference > 0)
    return pl.when(~known.fill_null(value=False)).then(pl.lit("palindromic")).when(agree).then(same).otherwise(turned)


def align(
    table: pl.DataFrame,
    reference: pl.DataFrame,
    *,
    on: Literal["position", "variant_id"] = "position",
    options: AlleleOptions | None = None,
) -> Alignment:
    """Find each variant of a table in a reference and tell the direction of its effect allele there.

    Parameters
    ----------
    table, reference : polars.DataFrame
        ``effect_allele`` and ``other_allele``; ``chromosome`` and ``base_pair_location``, or ``variant_id``; and
        ``effect_allele_frequency`` where palindromic alleles are to be told by it. Chromosomes must be named alike.
    on : {"position", "variant_id"}
        What says that two rows may be one variant. Of several rows there (a variant of three alleles), the one whose
        alleles fit is taken.
    options : AlleleOptions, optional

    Returns
    -------
    Alignment

    Raises
    ------
    TableError
        A column that is missing.

    Notes
    -----
    Where two rows of the table fit one row of the reference, or the other way round, the surer fit is taken (in the
    order of :data:`ALIGNED`); equally sure ones are all set aside as ``several``, for which of them is meant cannot
    be known.
    """
    keys = ["chromosome", "base_pair_location"] if on == "position" else ["variant_id"]
    left = _lean(table, keys, ("e", "o", "f"), "row", "table")
    right = _lean(reference, keys, ("E", "O", "F"), "reference_row", "reference")
    pairs = _classified(left.join(right, on=keys, how="inner"), options or AlleleOptions())
    # a row may meet several others: only the surest fit counts, and only when it is the only one on both sides
    rank = pl.col("outcome").replace_strict({name: i for i, name in enumerate(OUTCOMES)}, return_dtype=pl.Int8)
    ranked = pairs.select("row", "reference_row", "outcome", "sign", rank.alias("rank"))
    fits = pl.col("rank") < len(ALIGNED)
    best = ranked.filter(
        pl.col("rank") == pl.col("rank").min().over("row"),
        ~fits | (pl.col("rank") == pl.col("rank").min().over("reference_row")),
    )
    crowd = fits & ((pl.len().over("row") > 1) | (fits.sum().over("reference_row") > 1))
    told = best.with_columns(
        pl.when(crowd).then(pl.lit("several")).otherwise(pl.col("outcome")).alias("outcome"),
        pl.when(crowd | ~fits).then(0).otherwise(pl.col("sign")).cast(pl.Int8).alias("sign"),
        pl.when(crowd | ~fits).then(None).otherwise(pl.col("reference_row")).alias("reference_row"),
    ).unique("row", keep="first", maintain_order=True)
    beaten = ranked.select("row").unique().with_columns(met=pl.lit(value=True))
    rows = (
        pl.LazyFrame({"row": pl.int_range(table.height, dtype=pl.UInt32, eager=True)})
        .join(told.select("row", "outcome", "sign", "reference_row"), on="row", how="left")
        .join(beaten, on="row", how="left")
        .sort("row")
        .select(
            pl.col("outcome").fill_null(
                pl.when(pl.col("met")).then(pl.lit("several")).otherwise(pl.lit("absent"))
            ),
            pl.col("sign").fill_null(0),
            pl.col("reference_row"),
        )
    )  # fmt: skip
    return Alignment(rows.collect())


def _lean(frame: pl.DataFrame, keys: list[str], names: tuple[str, str, str], row: str, where: str) -> pl.LazyFrame:
    """Keys, alleles and frequency under short names, with the number of the row."""
    needed = [*keys, "effect_allele", "other_allele"]
    for name in needed:
        if name not in frame.columns:
            raise TableError(f"no column '{name}'", where=where, allowed=", ".join(needed))
    effect, other, frequency = names
    told = pl.col("effect_allele_frequency") if "effect_allele_frequency" in frame.columns else pl.lit(None)
    return frame.lazy().select(
        *keys,
        pl.col("effect_allele").cast(pl.String).alias(effect),
        pl.col("other_allele").cast(pl.String).alias(other),
        told.cast(pl.Float64).alias(frequency),
        pl.int_range(pl.len(), dtype=pl.UInt32).alias(row),
    )


def orient(table: pl.DataFrame, reference: pl.DataFrame, alignment: Alignment) -> pl.DataFrame:
    """Rows of a table that have a direction, as if their effect allele were that of the reference.

    Parameters
    ----------
    table, reference : polars.DataFrame
        Those that :func:`align` was given.
    alignment : Alignment

    Returns
    -------
    polars.DataFrame
        Columns of `table`, with ``reference_row``. ``beta``, ``statistic`` and ``z`` change their sign and the
        frequency becomes one minus itself where the direction is opposite; the alleles are those of the reference.
    """
    rows = alignment.rows
    there = table.with_columns(rows["sign"], rows["reference_row"]).filter(pl.col("sign") != 0)
    turned = pl.col("sign") == -1
    place = there["reference_row"]
    return there.with_columns(
        *(pl.when(turned).then(-pl.col(n)).otherwise(pl.col(n)).alias(n) for n in _TURN if n in table.columns),
        *(pl.when(turned).then(1 - pl.col(n)).otherwise(pl.col(n)).alias(n) for n in _REST if n in table.columns),
        *(reference[n].gather(place).alias(n) for n in ("effect_allele", "other_allele")),
    ).drop("sign")
