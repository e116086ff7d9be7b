"""Rules of RECIST 1.1 as a table: their numbers are those of the loops that apply them."""

from __future__ import annotations

import polars as pl

from radiolocus.kernels.recist import PD_LEAST_MM, PD_SHARE, PR_SHARE
from radiolocus.read.lesion_parts import TOO_SMALL_MM
from radiolocus.response.criterion import Rule
from radiolocus.response.nodes import LEAST_NODE_MM
from radiolocus.response.recist11 import LEAST_MM, LEAST_X_RAY_MM, Recist11Options
from radiolocus.response.visits import NORMAL_NODE_MM

__all__ = ["RECIST11", "recist11_rule"]

_PAPER = "Eisenhauer et al., Eur J Cancer 2009;45:228"
_GROUP = "recist.eortc.org"
_DEFAULT = Recist11Options()

RECIST11: tuple[Rule, ...] = (
    Rule(
        "recist11.MEASURABLE",
        "target",
        "longest diameter at least {least} mm (twice the slice where `slice_mm` is above 5 mm; {ray} mm where `method` "
        "is x-ray), short axis of a node at least {node} mm, at baseline; no effusion, lymphangitis or blastic bone; "
        "irradiated lesions (`irradiated`) only when grown since; what is none of these is noted",
        f"{_PAPER}, 3.1.1 and 3.1.2",
        numbers={"least": LEAST_MM, "node": LEAST_NODE_MM, "ray": LEAST_X_RAY_MM},
    ),
    Rule(
        "recist11.NODE",
        "non-target",
        "a nodal target below {node} mm short axis at baseline is followed as a non-target, below {normal} mm it is "
        "normal and not followed (option `small_nodes`; for iRECIST and mRECIST too)",
        f"{_PAPER}, 3.1.1",
        numbers={"node": LEAST_NODE_MM, "normal": NORMAL_NODE_MM},
    ),
    Rule(
        "recist11.NUMBER",
        "target",
        "at most {most} targets, {organ} an organ, all lymph nodes being one organ; more are noted",
        f"{_PAPER}, 3.1.1; {_GROUP}",
        True,
        {"most": _DEFAULT.most_targets, "organ": _DEFAULT.most_targets_an_organ},
    ),
    Rule(
        "recist11.SIZE",
        "size",
        "absent 0; seen but too small to measure {small} mm; a measured value below {small} mm as measured; nodes as "
        "measured, also when normal; parts of a split lesion added; a merged lesion counts once",
        f"{_PAPER}, 4.3.1 and 4.3.2; {_GROUP}",
        True,
        {"small": TOO_SMALL_MM},
    ),
    Rule(
        "recist11.NE",
        "NE",
        "a target was not evaluated, unless the measured ones alone prove PD",
        f"{_PAPER}, 4.4.2",
    ),
    Rule(
        "recist11.CR",
        "CR",
        "all targets gone, nodal targets below {node} mm; non-targets gone",
        f"{_PAPER}, 4.3.1, tables 1 and 2",
        numbers={"node": NORMAL_NODE_MM},
    ),
    Rule(
        "recist11.PD",
        "PD",
        "sum at least {percent} % and {least} mm above the nadir, the smallest earlier sum, the baseline's included; "
        "before PR",
        f"{_PAPER}, 4.3.1",
        numbers={"percent": round(100 * (PD_SHARE - 1), 9), "least": PD_LEAST_MM},
    ),
    Rule(
        "recist11.PR",
        "PR",
        "sum at least {percent} % below baseline; also CR of targets with non-targets left or not evaluated",
        f"{_PAPER}, 4.3.1, table 1",
        numbers={"percent": round(100 * (1 - PR_SHARE), 9)},
    ),
    Rule("recist11.SD", "SD", "neither PR nor PD", f"{_PAPER}, 4.3.1"),
    Rule("recist11.NON-CR/NON-PD", "NON-CR/NON-PD", "no targets, and non-targets left", f"{_PAPER}, table 2"),
    Rule("recist11.NT", "PD", "unequivocal progression of a non-target", f"{_PAPER}, 4.3.3 and 4.3.4"),
    Rule(
        "recist11.NEW",
        "PD",
        "an unequivocal new lesion, from its visit on; an equivocal one counts not, and dates PD back when it is later "
        "unequivocal (option `backdate`)",
        f"{_PAPER}, 4.3.5",
    ),
    Rule(
        "recist11.PET",
        "PD",
        "a new lesion on FDG-PET: at once when the PET of the baseline was negative, else once CT shows it",
        f"{_PAPER}, 4.3.5",
    ),
    Rule(
        "recist11.AGAIN",
        "PD",
        "disease seen again after an overall CR: a target of any size, a nodal one from {node} mm, a non-nodal "
        "non-target (option `reappearance`)",
        f"{_PAPER}, table 3 note a; {_GROUP}",
        numbers={"node": NORMAL_NODE_MM},
    ),
    Rule(
        "recist11.PERSISTENT",
        "PR",
        "a PR lasts until PD although the sum drifts back (option `persistent`); without it the arithmetic of each "
        "visit stands",
        _GROUP,
        True,
    ),
    Rule(
        "recist11.CONFIRMED",
        "best",
        "CR and PR count when seen again {days} days later (options `confirmation`, `confirmation_days`), with at most "
        "{ne} visit not evaluable and {sd} with SD between",
        f"{_PAPER}, 4.6, table 3",
        numbers={
            "days": _DEFAULT.confirmation_days,
            "ne": _DEFAULT.not_evaluable_between,
            "sd": _DEFAULT.stable_between,
        },
    ),
    Rule(
        "recist11.SDMIN",
        "best",
        "SD (and NON-CR/NON-PD) counts from {days} days after baseline on (option `sd_minimum_days`)",
        f"{_PAPER}, 4.4.3",
        numbers={"days": _DEFAULT.sd_minimum_days},
    ),
)


def recist11_rule() -> pl.Expr:
    """Key of the rule that decided a row of ``response/timepoints``."""
    again = pl.col("reason").str.contains("seen again after complete response", literal=True)
    pet = pl.col("reason").str.contains("new lesion on FDG-PET", literal=True)
    held = pl.col("reason").str.contains("the earlier response persists", literal=True)
    return (
        pl.when((pl.col("overall_response") == "PR") & held)
        .then(pl.lit("recist11.PERSISTENT"))
        .when(pl.col("overall_response") != "PD")
        .then(pl.format("recist11.{}", "overall_response"))
        .when(again)
        .then(pl.lit("recist11.AGAIN"))
        .when(pl.col("target_response") == "PD")
        .then(pl.lit("recist11.PD"))
        .when(pl.col("nontarget_response") == "PD")
        .then(pl.lit("recist11.NT"))
        .when(pet)
        .then(pl.lit("recist11.PET"))
        .when(pl.col("overall_response").is_not_null())
        .then(pl.lit("recist11.NEW"))
    )
