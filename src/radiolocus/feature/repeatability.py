"""How far features of one subject agree when the image is taken, or perturbed, again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from radiolocus.errors import ConfigError
from radiolocus.schema import conform, empty
from radiolocus.stats.agreement import Agreement, agreement

__all__ = ["PERTURBATION", "RETEST", "RetestOptions", "repeatability"]

PERTURBATION, RETEST = "perturbation", "retest"
AS_IT_IS = "as it is"

_KEYS = ("subject", "image", "visit", "roi", "modality", "copy")


@dataclass(frozen=True)
class RetestOptions:
    """Section ``[imaging.retest]``: visits at which the same subject was examined again, nothing having changed.

    Parameters
    ----------
    visits : tuple of str
        The visits, the first of which is the one that later stages analyse.
    """

    visits: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.visits) < 2 or len(set(self.visits)) < len(self.visits):
            raise ConfigError(
                f"visits = {list(self.visits)}",
                allowed="two visits or more, each once",
                todo='name them as {visit} or the column visit does, e.g. visits = ["test", "retest"]',
            )


def repeatability(
    features: pl.DataFrame,
    perturbed: pl.DataFrame | None = None,
    *,
    original: bool = False,
    retest: Sequence[str] = (),
) -> pl.DataFrame:
    """Agreement of every feature over perturbed copies and over visits of a test and its retest.

    Nothing but images enters: no outcome, no genotype, no marker.

    Parameters
    ----------
    features : polars.DataFrame
        Table ``features/features``.
    perturbed : polars.DataFrame, optional
        Table ``features/perturbed``.
    original : bool
        Whether the image as it is counts as one more copy.
    retest : sequence of str
        Visits of the retest, the test first.

    Returns
    -------
    polars.DataFrame
        Table ``features/repeatability``. A subject enters a feature only with all its repeats.
    """
    parts = [empty("features/repeatability")]
    if perturbed is not None and perturbed.height:
        rows = perturbed
        if original:
            same = features.join(
                perturbed.select("subject", "image", "visit", "roi").unique(), on=list(_KEYS[:4]), how="semi"
            )
            rows = pl.concat([perturbed, same.with_columns(pl.lit(AS_IT_IS).alias("copy"))], how="diagonal")
        # Numbers, not names, so that the order in which subjects finished cannot order the repeats.
        labels = sorted(rows["copy"].unique())
        for (image, roi, visit), part in _groups(rows, "image", "roi", "visit"):
            parts.append(_table(part, "copy", labels, image, roi, visit, PERTURBATION))
    if retest:
        rows = features.filter(pl.col("visit").is_in(list(retest)))
        for (image, roi), part in _groups(rows, "image", "roi"):
            parts.append(_table(part, "visit", list(retest), image, roi, retest[0], RETEST))
    return pl.concat(parts)


def _groups(rows: pl.DataFrame, *keys: str) -> list[tuple[tuple[str, ...], pl.DataFrame]]:
    found = rows.sort(*keys).group_by(keys, maintain_order=True)
    return [(tuple("" if k is None else str(k) for k in key), part) for key, part in found]


def _table(
    rows: pl.DataFrame, repeat: str, labels: Sequence[str], image: str, roi: str, visit: str, source: str
) -> pl.DataFrame:
    names = [c for c in rows.columns if c not in _KEYS and rows[c].null_count() < rows.height]
    subjects = sorted(rows["subject"].unique())
    if not names:
        return empty("features/repeatability")
    row = {s: i for i, s in enumerate(subjects)}
    column = {label: i for i, label in enumerate(labels)}
    values = np.full((len(names), len(subjects), len(labels)), np.nan)
    place = ([row[s] for s in rows["subject"]], [column[label] for label in rows[repeat]])
    measured = rows.select(pl.col(c).cast(pl.Float64).fill_null(float("nan")) for c in names).to_numpy()
    values[:, place[0], place[1]] = measured.T
    found = agreement(values)
    key = {"image": image, "roi": roi, "visit": visit, "source": source}
    return conform(
        pl.DataFrame({"feature": names} | _columns(found, len(subjects))).with_columns(
            *(pl.lit(value).alias(name) for name, value in key.items())
        ),
        "features/repeatability",
    )


def _columns(found: Agreement, subjects: int) -> dict[str, object]:
    numbers = {
        "icc_1_1": found.icc_1_1,
        "icc_1_1_lower": found.icc_1_1_lower,
        "icc_1_1_upper": found.icc_1_1_upper,
        "icc_3_1": found.icc_3_1,
        "icc_3_1_lower": found.icc_3_1_lower,
        "icc_3_1_upper": found.icc_3_1_upper,
        "mean": found.mean,
        "within_subject_sd": found.within_sd,
        "repeatability_coefficient": found.repeatability,
    }
    columns: dict[str, object] = {
        "n_subjects": found.n,
        "n_incomplete": subjects - found.n,
        "n_repeats": np.full(found.n.size, found.repeats),
        "reason": [found.reason(j) or None for j in range(found.n.size)],
    }
    return columns | {name: pl.Series(value).fill_nan(None) for name, value in numbers.items()}
