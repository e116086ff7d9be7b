"""Tables of outcome prediction."""

from __future__ import annotations

from radiolocus.schema.columns import INTERVAL, MODEL, SUBJECT, Column, Flag, N, P, Real, Table, Text, Whole

__all__ = ["OUTCOME"]

OUTCOME: tuple[Table, ...] = (
    Table(
        "outcome/univariate",
        "each predictor alone against each endpoint, on all subjects; no model is learned",
        (
            Column("endpoint", Text, "endpoint of the study file"),
            Column("kind", Text, "'survival' or 'binary'"),
            Column("predictor", Text, "predictor"),
            Column("block", Text, "clinical, imaging, molecular or genetic"),
            Column("metric", Text, "'AUC' or 'Harrell C'; above 0.5: larger values go with the event"),
            *INTERVAL,
            P,
            Column("q_value", Real, "false discovery rate within the endpoint", source="Benjamini & Hochberg 1995"),
            N,
            Column("events", Whole, "events or positives"),
        ),
    ),
    Table(
        "outcome/performance",
        "out-of-fold performance of each block of predictors",
        (
            *MODEL,
            Column("kind", Text, "'survival' or 'binary'"),
            Column("metric", Text, "'AUC' or 'Harrell C'"),
            *INTERVAL,
            N,
            Column("events", Whole, "events or positives"),
            Column("candidates", Whole, "predictors offered to the model"),
            Column("repeats", Whole, "repetitions of the cross-validation, or bootstrap samples"),
            Column("folds", Whole, "folds of each repetition (sites, 1 for a temporal split, 0 for a bootstrap)"),
            Column(
                "split",
                Text,
                "who was held out: 'kfold', 'site', 'temporal'; of a bootstrap what was taken off: 'apparent' (none), "
                "'optimism', '.632', '.632+'",
                source="Efron & Tibshirani 1997; intervals: Noma 2021",
            ),
        ),
    ),
    Table(
        "outcome/audit",
        "what would make the performance look better than it is, looked for on every run",
        (
            Column("endpoint", Text, "endpoint of the study file"),
            Column("predictors", Text, "block of predictors"),
            Column("model", Text, "model fitted; empty where the check concerns the data alone"),
            Column(
                "check",
                Text,
                "'permuted outcome', 'duplicates', 'predicts alone', 'after the outcome', 'events' or 'sample size'",
            ),
            Column("verdict", Text, "'pass', 'suspect', 'leak' or 'not checked'"),
            Column("item", Text, "column or subjects concerned; empty: all together"),
            Column("got", Text, "what was found"),
            Column("value", Real, "number that was judged"),
            Column("error", Real, "its Monte Carlo standard error"),
        ),
    ),
    Table(
        "outcome/protocol",
        "steps of the protocol in their order, each learned from training subjects alone",
        (
            Column("model", Text, "model fitted"),
            Column("step", Text, "split, harmonise, impute, filter, select, scale, fit, tune"),
            Column("how", Text, "what the step does"),
        ),
    ),
    Table(
        "outcome/horizons",
        "out-of-fold performance of predicted times to event up to, or at, a time",
        (
            *MODEL,
            Column("metric", Text, "'Uno C', 'AUC(t)', 'Brier(t)' or 'Brier(t) without predictors'"),
            Column("time", Real, "horizon; of Uno's C, the time up to which events count", "unit of the endpoint"),
            *INTERVAL,
            N,
            Column("events", Whole, "events up to and including the time"),
        ),
    ),
    Table(
        "outcome/predictions",
        "out-of-fold prediction for every subject",
        (
            *MODEL,
            SUBJECT,
            Column("repeat", Whole, "repetition, from 0"),
            Column("fold", Whole, "outer fold that held the subject out, from 0"),
            Column("prediction", Real, "log relative hazard, or logit of the probability"),
        ),
    ),
    Table(
        "outcome/landmark",
        "endpoints as predictors of a later visit predict them: counted from that visit",
        (
            Column("endpoint", Text, "endpoint of the study file"),
            Column("visit", Text, "label of the visit"),
            Column("unit", Text, "unit of time; empty of an endpoint without times"),
            Column("day", Real, "median day of the visit", "d"),
            Column("earliest", Real, "its earliest day", "d"),
            Column("latest", Real, "its latest day", "d"),
            Column("known", Whole, "subjects whose endpoint is known"),
            Column("without_visit", Whole, "of them without the visit: left out"),
            Column("before", Whole, "of them with the endpoint at the visit or before it: left out"),
            Column("lost", Whole, "of them not followed beyond the visit: left out"),
            N,
            Column("checked", Flag, "when the endpoint was decided is known, and was compared with the visit"),
        ),
    ),
    Table(
        "outcome/selection",
        "how often the outer folds used each predictor",
        (
            *MODEL,
            Column("predictor", Text, "predictor"),
            Column("block", Text, "clinical, imaging, molecular or genetic"),
            Column("fraction", Real, "fraction of outer fits that used it (a non-zero coefficient, or a split)"),
            Column(
                "mean_coefficient",
                Real,
                "mean coefficient per standard deviation over all outer fits; null for a model without coefficients",
            ),
        ),
    ),
    Table(
        "outcome/groups",
        "risk group of every subject; the threshold was learned in the other folds",
        (*MODEL, SUBJECT, Column("group", Text, "'low' or 'high'")),
    ),
    Table(
        "outcome/kaplan_meier",
        "Kaplan–Meier curve of each risk group",
        (
            *MODEL,
            Column("group", Text, "'low' or 'high'"),
            Column("time", Real, "time", "unit of the endpoint"),
            Column("at_risk", Whole, "subjects at risk just before"),
            Column("events", Whole, "events at this time"),
            Column("censored", Whole, "subjects censored at this time"),
            Column("survival", Real, "probability of no event beyond this time"),
            Column("lower", Real, "lower end of the 95 % interval (log-log)"),
            Column("upper", Real, "upper end of the 95 % interval (log-log)"),
        ),
    ),
    Table(
        "outcome/logrank",
        "log-rank test and hazard ratio between the risk groups",
        (
            *MODEL,
            Column("statistic", Real, "χ²"),
            Column("degrees_of_freedom", Whole, "groups − 1"),
            P,
            Column("hazard_ratio", Real, "high against low, Cox with Efron ties"),
            Column("lower", Real, "lower end of its 95 % interval"),
            Column("upper", Real, "upper end of its 95 % interval"),
            N,
            Column("events", Whole, "events"),
        ),
    ),
)
