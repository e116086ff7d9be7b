"""Tables of treatment response."""

from __future__ import annotations

from radiolocus.schema.columns import INTERVAL, SUBJECT, Column, Flag, N, Real, Table, Text, Whole

__all__ = ["RESPONSE"]

RESPONSE: tuple[Table, ...] = (
    Table(
        "response/timepoints",
        "RECIST 1.1 response at every visit",
        (
            SUBJECT,
            Column("visit", Text, "visit label as given"),
            Column("day", Real, "days since baseline", "d"),
            Column("targets", Whole, "target lesions followed"),
            Column("sum_mm", Real, "sum of diameters", "mm"),
            Column("nadir_mm", Real, "smallest earlier sum, baseline included", "mm"),
            Column("change_from_baseline", Real, "relative change", "%"),
            Column("change_from_nadir", Real, "relative change", "%"),
            Column("target_response", Text, "CR, PR, SD, PD, NE or none", source="RECIST 1.1"),
            Column("nontarget_response", Text, "CR, NON-CR/NON-PD, PD, NE or none", source="RECIST 1.1"),
            Column("new_lesion", Flag, "unequivocal new lesion at this visit or before"),
            Column("overall_response", Text, "CR, PR, SD, NON-CR/NON-PD, PD or NE", source="RECIST 1.1"),
            Column("reason", Text, "why, in words and numbers"),
        ),
    ),
    Table(
        "response/best",
        "best overall response of every subject",
        (
            SUBJECT,
            Column("best_response", Text, "best overall response", source="RECIST 1.1"),
            Column("confirmed", Flag, "confirmation was demanded"),
            Column("best_change", Real, "largest shrinkage (or smallest growth) of the sum from baseline", "%"),
            Column("progression_day", Real, "day of first progression, null when none", "d"),
            Column("last_day", Real, "day of the last evaluable assessment", "d"),
            Column("reason", Text, "why, in words"),
        ),
    ),
    Table(
        "response/rates",
        "response rates",
        (
            Column("quantity", Text, "objective response rate, disease control rate"),
            *INTERVAL,
            Column("events", Whole, "subjects who met it"),
            N,
        ),
    ),
    Table(
        "response/criteria",
        "response at every visit by any criterion",
        (
            SUBJECT,
            Column("criterion", Text, "name of the criterion"),
            Column("visit", Text, "visit label as given"),
            Column("day", Real, "days since baseline", "d"),
            Column("targets", Whole, "target lesions followed"),
            Column("quantity", Text, "what is followed, with its unit"),
            Column("value", Real, "the quantity; null where a target was not measured"),
            Column("nadir", Real, "smallest earlier value, baseline included"),
            Column("change_from_baseline", Real, "relative change", "%"),
            Column("change_from_nadir", Real, "relative change", "%"),
            Column("target_response", Text, "response of the targets in the words of RECIST, or none"),
            Column("nontarget_response", Text, "response of the non-targets in the words of RECIST, or none"),
            Column("new_lesion", Flag, "unequivocal new lesion"),
            Column("overall_response", Text, "response in the words of the criterion"),
            Column("rule", Text, "rule that decided, as listed in docs/response.md"),
            Column("reason", Text, "why, in words and numbers"),
        ),
    ),
    Table(
        "response/criteria_best",
        "best response of every subject by any criterion",
        (
            SUBJECT,
            Column("criterion", Text, "name of the criterion"),
            Column("best_response", Text, "best overall response in the words of the criterion"),
            Column("confirmed", Flag, "confirmation was demanded"),
            Column("best_change", Real, "largest fall (or smallest growth) of the quantity from baseline", "%"),
            Column("progression_day", Real, "day of progression, null when none", "d"),
            Column("last_day", Real, "day of the last evaluable assessment", "d"),
            Column("reason", Text, "why, in words"),
        ),
    ),
    Table(
        "response/criteria_rates",
        "response rates by any criterion",
        (
            Column("criterion", Text, "name of the criterion"),
            Column("quantity", Text, "objective response rate, disease control rate"),
            *INTERVAL,
            Column("events", Whole, "subjects who met it"),
            N,
        ),
    ),
    Table(
        "response/endpoints",
        "progression-free survival and duration of response of every subject",
        (
            SUBJECT,
            Column("criterion", Text, "name of the criterion"),
            Column("endpoint", Text, "'progression-free survival' or 'duration of response'"),
            Column("rule", Text, "'all events' or 'censored'"),
            Column("time", Real, "from baseline, or from the first response", "d"),
            Column("event", Flag, "progression or death ended the time"),
            Column("reason", Text, "what ended the time"),
        ),
    ),
    Table(
        "response/endpoint_summary",
        "median progression-free survival and duration of response",
        (
            Column("criterion", Text, "name of the criterion"),
            Column("endpoint", Text, "'progression-free survival' or 'duration of response'"),
            Column("rule", Text, "'all events' or 'censored'"),
            Column("meaning", Text, "the rule in words"),
            Column("median", Real, "Kaplan–Meier median, null where it is not reached", "d"),
            Column("lower", Real, "lower end of its 95 % interval (log-log)", "d"),
            Column("upper", Real, "upper end of its 95 % interval (log-log)", "d"),
            Column("events", Whole, "events"),
            N,
        ),
    ),
    Table(
        "response/kinetics",
        "kinetics of the sum of diameters of every subject",
        (
            SUBJECT,
            Column("visits", Whole, "visits after baseline with a complete sum"),
            Column("depth", Real, "largest fall of the sum from baseline", "%"),
            Column("nadir_day", Real, "first day of the smallest sum after baseline", "d"),
            Column("growth_rate_before", Real, "tumour growth rate up to baseline", "%/month", "Ferté 2014"),
            Column(
                "growth_rate_after", Real, "tumour growth rate from baseline to the next visit", "%/month", "Ferté 2014"
            ),
            Column("model", Text, "gd, gx or dx, by the smallest AIC"),
            Column("growth", Real, "growth constant g", "1/d", "Stein 2011"),
            Column("growth_error", Real, "its standard error", "1/d"),
            Column("regression", Real, "regression constant d", "1/d", "Stein 2011"),
            Column("regression_error", Real, "its standard error", "1/d"),
            Column("doubling_days", Real, "ln 2 / g", "d"),
            Column("residual", Real, "root mean squared residual of the size relative to baseline"),
            Column("explained", Real, "R² of the fit"),
        ),
    ),
)
