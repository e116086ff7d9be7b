"""Who benefits from which treatment, and whether any of it is more than chance."""

from __future__ import annotations

import polars as pl

from radiolocus.report.blocks import Block, Cell, Row, Section, Table, Text
from radiolocus.report.figures_benefit import (
    balance_plot,
    benefit_curves,
    calibration_plot,
    interaction_forest,
    overlap_plot,
)
from radiolocus.report.numbers import interval, interval_cell, number, number_cell, p_cell, percent, plural, small_cell
from radiolocus.report.source import Artefacts
from radiolocus.response.benefit import NO_EVIDENCE

__all__ = ["benefit"]

_SHOWN = 15


def _checks(frame: pl.DataFrame) -> Table:
    order = {"leak": 0, "suspect": 1, "not checked": 2, "pass": 3}
    rank = pl.col("verdict").replace_strict(order, default=4, return_dtype=pl.Int64)
    rows: list[Row] = [
        [r["check"], r["verdict"], r["item"] or "–", r["got"], r["todo"] or "–"]
        for r in frame.sort(rank, maintain_order=True).iter_rows(named=True)
    ]
    return Table(
        "Is the comparison fair?",
        ["check", "verdict", "of", "found", "what to do"],
        rows,
        note="leak: the effect is not to be believed as it is; suspect: read on with care.",
    )


def _rate(row: dict[str, float] | None) -> Cell | str:
    if row is None:
        return "–"
    text = interval(row["estimate"], row["lower"], row["upper"], digits=0, scale=100, unit=" %")
    return Cell(f"{row['events']} of {row['n']}: {text}", row["estimate"])


def _rates(frame: pl.DataFrame) -> list[Block]:
    """Rates of every arm: one table an endpoint, one column a level."""
    blocks: list[Block] = []
    for (endpoint,), part in frame.group_by(["endpoint"], maintain_order=True):
        levels = part.select("by", "level").unique(maintain_order=True).sort("by", maintain_order=True).rows()
        found = {(r["arm"], r["by"], r["level"]): r for r in part.iter_rows(named=True)}
        arms = part["arm"].unique(maintain_order=True)
        rows: list[Row] = [[arm, *(_rate(found.get((arm, by, level))) for by, level in levels)] for arm in arms]
        head = [f"{by} {level}".strip() for by, level in levels]
        blocks.append(
            Table(
                f"Rate of {endpoint} by arm" + (" and level" if len(head) > 1 else ""),
                ["arm", *head],
                rows,
                [False, *[True] * len(head)],
                note="Events of subjects with a known treatment and endpoint, with exact 95 % intervals (Clopper & "
                "Pearson 1934); Wilson's: benefit/rates.csv. What was observed, with no comparison made.",
            )
        )
    return blocks


def _verdicts(frame: pl.DataFrame) -> Table:
    rows: list[Row] = [[r["endpoint"], r["arm"], r["verdict"]] for r in frame.iter_rows(named=True)]
    return Table("What can be said", ["endpoint", "arm", "verdict"], rows)


def _interactions(frame: pl.DataFrame) -> Table:
    rows: list[Row] = [
        [
            r["endpoint"],
            r["arm"],
            r["marker"],
            r["family"],
            interval_cell(r["estimate"], r["lower"], r["upper"]),
            r["scale"],
            p_cell(r["neg_log_10_p_value"]),
            small_cell(r["q_value"]),
            small_cell(r["bonferroni_p_value"]),
            number_cell(r["prognostic_estimate"]),
            small_cell(r["prognostic_q_value"]),
            r["reading"],
        ]
        for r in frame.sort("neg_log_10_p_value", descending=True).head(_SHOWN).iter_rows(named=True)
    ]
    return Table(
        f"Treatment × marker: the {len(rows)} smallest p-values of {frame.height}",
        [
            "endpoint",
            "arm",
            "marker",
            "family",
            "interaction (95 %)",
            "per",
            "p",
            "q",
            "Bonferroni",
            "under control",
            "its q",
            "reading",
        ],
        rows,
        [False, False, False, False, True, False, True, True, True, True, True, False],
        sortable=True,
        note="Log odds ratios, or log hazard ratios of times. p: likelihood ratio of the product; q and Bonferroni "
        "within endpoint and family, over all arms. Under control: effect of the marker without the treatment "
        "(prognostic). All of them: benefit/interactions.csv.",
    )


def _needed(row: dict[str, float | None]) -> str:
    value, low, high = (row[k] for k in ("number_needed", "number_needed_lower", "number_needed_upper"))
    if value is None:
        return "–"
    if low is None or high is None:
        return number(value)
    if low > 0 > high:  # the interval of the difference holds 0
        return f"{number(value)} ({number(low)} to ∞ to harm {number(-high)})"
    return f"{number(value)} ({number(low)} to {number(high)})"


def _effects(frame: pl.DataFrame) -> Table:
    rows: list[Row] = [
        [
            r["endpoint"],
            r["arm"],
            r["estimator"],
            interval_cell(r["estimate"], r["lower"], r["upper"]),
            _needed(r),
            f"{r['treated']} of {r['n']}",
            number_cell(r["effective_n"]),
        ]
        for r in frame.iter_rows(named=True)
    ]
    scales = "; ".join(frame["scale"].unique(maintain_order=True))
    return Table(
        "Average effect of every arm",
        ["endpoint", "arm", "estimator", "difference (95 %)", "number needed to treat", "treated", "effective n"],
        rows,
        [False, False, False, True, True, True, True],
        note=f"Difference in: {scales}. A positive difference is a benefit, a negative number needed a harm.",
    )


def _policies(policy: pl.DataFrame, told: pl.DataFrame) -> Table:
    rows: list[Row] = []
    for r in told.iter_rows(named=True):
        same = (pl.col(c) == r[c] for c in ("endpoint", "arm", "learner"))
        values = {p["policy"]: p for p in policy.filter(*same).iter_rows(named=True)}
        rule = values["rule"]
        cells: list[Cell | str] = [
            interval_cell(values[k]["estimate"], values[k]["lower"], values[k]["upper"])
            for k in ("rule", "rule less treat all", "rule less treat none")
        ]
        slope = r["differential_coefficient"]
        half = 1.96 * (r["differential_standard_error"] or float("nan"))
        rows.append(
            [
                r["endpoint"],
                r["arm"],
                r["learner"],
                Cell(percent(rule["share_treated"]), rule["share_treated"]),
                *cells,
                "–" if slope is None else interval_cell(slope, slope - half, slope + half),
                small_cell(r["q_value"]),
                interval_cell(r["autoc"], r["autoc_lower"], r["autoc_upper"]),
                "yes" if r["beats_alike"] else "no",
            ]
        )
    return Table(
        "Rules of treatment, each learned without the subject it is applied to",
        [
            "endpoint",
            "arm",
            "learner",
            "treats",
            "value of the rule",
            "less treat all",
            "less treat none",
            "calibration",
            "its q",
            "AUTOC",
            "beats both",
        ],
        rows,
        [False, False, False, *[True] * 7, False],
        note="Value: mean outcome if everybody were treated by the rule (doubly robust, 95 % interval). Calibration: "
        "slope of the differences in benefit on the predicted ones, 1 right, 0 they tell nothing; q of its one-sided "
        "test over endpoints and arms. AUTOC: area between benefit curve and treating by lot. Beats both: the rule is "
        "worth more than treating everybody and than treating nobody.",
    )


def _group_effects(groups: pl.DataFrame, told: pl.DataFrame) -> Table:
    """Sorted group effects of the learner that conclusions are drawn from."""
    learner = told["learner"][0]
    rows: list[Row] = []
    for (endpoint, arm), part in groups.filter(pl.col("learner") == learner).group_by(
        ["endpoint", "arm"], maintain_order=True
    ):
        gap = told.filter(pl.col("endpoint") == endpoint, pl.col("arm") == arm, pl.col("learner") == learner)
        g = gap.row(0, named=True)
        apart = interval_cell(g["most_less_least"], g["most_less_least_lower"], g["most_less_least_upper"])
        for r in part.iter_rows(named=True):
            last = r["group"] == part.height
            rows.append(
                [
                    str(endpoint),
                    str(arm),
                    f"{r['group']} of {part.height}",
                    number_cell(r["predicted"]),
                    interval_cell(r["estimate"], r["lower"], r["upper"]),
                    interval_cell(r["estimate"], r["band_lower"], r["band_upper"]),
                    apart if last else "",
                    p_cell(g["most_less_least_neg_log_10_p_value"]) if last else "",
                ]
            )
    return Table(
        f"Effects in groups of rising predicted benefit ({learner})",
        ["endpoint", "arm", "group", "predicted", "effect (95 % CI)", "95 % band of all", "most less least", "p"],
        rows,
        [False, False, True, True, True, True, True, True],
        folded=True,
        note="Sorted group average treatment effects (Chernozhukov 2018), doubly robust. The band holds all groups "
        "together. p: one-sided, that those of highest prediction do not benefit more than those of lowest. Groups and "
        "predictions are taken as given.",
    )


def benefit(art: Artefacts) -> Section | None:
    """Return the section on the choice of therapy, or None when it was not asked for."""
    names = ("verdicts", "checks", "interactions", "subgroups", "effects", "policy", "heterogeneity", "curve")
    verdicts, checks, tests, subgroups, effects, policy, told, curve = (art.table(f"benefit/{n}") for n in names)
    if verdicts is None:
        return None
    blocks: list[Block] = [_verdicts(verdicts)]
    if (verdicts["verdict"] == NO_EVIDENCE).all():
        blocks.append(Text(f"{NO_EVIDENCE.capitalize()} from any of the treatments that were compared."))
    rates = art.table("benefit/rates")
    blocks += _rates(rates) if rates is not None else []
    blocks += [_checks(checks)] if checks is not None else []
    if tests is not None and subgroups is not None:
        forests = (interaction_forest(tests, subgroups, e) for e in verdicts["endpoint"].unique(maintain_order=True))
        blocks += [figure for figure in forests if figure is not None]
    blocks += [_interactions(tests)] if tests is not None else []
    blocks += [_effects(effects)] if effects is not None else []
    blocks += [_policies(policy, told)] if policy is not None and told is not None else []
    if (groups := art.table("benefit/groups")) is not None and told is not None:
        blocks.append(_group_effects(groups, told))
    blocks += _figures(art, curve, told)
    without = verdicts.filter(pl.col("verdict") == NO_EVIDENCE).height
    lines = [
        f"{r['arm']} on {r['endpoint']}: {r['verdict']}"
        for r in verdicts.filter(pl.col("verdict") != NO_EVIDENCE).head(4).iter_rows(named=True)
    ]
    lines.append(f"{NO_EVIDENCE} in {plural(without, 'comparison')} of {verdicts.height}")
    return Section("benefit", "Choice of therapy", blocks, lines)


def _figures(art: Artefacts, curve: pl.DataFrame | None, told: pl.DataFrame | None) -> list[Block]:
    learner = told["learner"][0] if told is not None else ""
    groups, balance, propensity = (art.table(f"benefit/{n}") for n in ("groups", "balance", "propensity"))
    figures = [
        benefit_curves(curve, learner) if curve is not None else None,
        calibration_plot(groups, learner) if groups is not None else None,
        balance_plot(balance) if balance is not None else None,
        overlap_plot(propensity) if propensity is not None else None,
    ]
    return [figure for figure in figures if figure is not None]
