"""Tables of progression monitoring."""

from __future__ import annotations

from radiolocus.schema.columns import INTERVAL, SUBJECT, Column, N, P, Real, Table, Text, Whole

__all__ = ["MONITORING"]

_ENDPOINT = Column("endpoint", Text, "endpoint of the study file")
_PREDICTORS = Column(
    "predictors",
    Text,
    "what was predicted from: 'clinical', 'baseline', 'last value', 'last value and change' or 'mixed model'",
)
_LANDMARK = Column(
    "landmark", Real, "time up to which was looked; null: mean over the landmarks", "unit of the endpoint"
)
_MARKER = Column("marker", Text, "marker; 'log NAME' where its logarithm is followed")
_METRIC = Column(
    "metric",
    Text,
    "'Uno C' (with competing events 'Wolbers C') up to the end of the window, 'AUC(t)' and 'Brier(t)' at its end, "
    "'Brier(t) without predictors', 'scaled Brier' (1 − Brier(t) / that without predictors), or 'calibration slope'",
    source="van Houwelingen & Putter 2012; scaled Brier: Kattan & Gerds 2018",
)

MONITORING: tuple[Table, ...] = (
    Table(
        "monitoring/landmarks",
        "who was at risk at each landmark, and what happened in the window after it",
        (
            _ENDPOINT,
            Column("landmark", Real, "time up to which is looked", "unit of the endpoint"),
            Column("window", Real, "length of the window after it", "unit of the endpoint"),
            Column("unit", Text, "unit of the endpoint"),
            N,
            Column("events", Whole, "events in the window"),
            Column("followed", Whole, "subjects followed beyond the window without the event"),
            Column("visits", Real, "mean number of visits up to the landmark"),
            Column("age", Real, "median time since the last visit", "unit of the endpoint"),
        ),
    ),
    Table(
        "monitoring/performance",
        "out-of-fold performance at each landmark, and on average over them",
        (
            _ENDPOINT,
            _PREDICTORS,
            _LANDMARK,
            _METRIC,
            *INTERVAL,
            N,
            Column("events", Whole, "events in the window"),
            Column("repeats", Whole, "repetitions of the cross-validation"),
            Column("folds", Whole, "folds of each"),
        ),
    ),
    Table(
        "monitoring/comparisons",
        "one way to predict against another, on the same subjects, folds and bootstrap draws",
        (
            _ENDPOINT,
            Column("first", Text, "what the second is compared with"),
            Column("second", Text, "what is compared"),
            _LANDMARK,
            _METRIC,
            Column("estimate", Real, "metric of the second less that of the first"),
            Column("lower", Real, "lower end of the 95 % interval"),
            Column("upper", Real, "upper end of the 95 % interval"),
        ),
    ),
    Table(
        "monitoring/calibration",
        "predicted and observed risk in groups of equal size by predicted risk",
        (
            _ENDPOINT,
            _PREDICTORS,
            Column("landmark", Real, "time up to which was looked", "unit of the endpoint"),
            Column("group", Whole, "group by predicted risk, from 1"),
            N,
            Column("expected", Real, "mean predicted risk in the window, out of fold"),
            Column("observed", Real, "Kaplan–Meier (Aalen–Johansen) estimate of it"),
            Column("lower", Real, "lower end of its 95 % interval"),
            Column("upper", Real, "upper end of its 95 % interval"),
        ),
    ),
    Table(
        "monitoring/predictions",
        "out-of-fold prediction at every landmark",
        (
            _ENDPOINT,
            _PREDICTORS,
            SUBJECT,
            Column("repeat", Whole, "repetition, from 0"),
            Column("fold", Whole, "fold that held the subject out, from 0"),
            Column("landmark", Real, "time up to which was looked", "unit of the endpoint"),
            Column("prediction", Real, "log relative hazard"),
            Column("risk", Real, "probability of the event in the window"),
            Column("risk_without_predictors", Real, "the same by Kaplan–Meier (Aalen–Johansen) of the training part"),
        ),
    ),
    Table(
        "monitoring/risk",
        "risk of every subject re-estimated at each visit, by models that did not see the subject",
        (
            _ENDPOINT,
            SUBJECT,
            Column("time", Real, "time of the visit", "unit of the endpoint"),
            Column("visits", Whole, "visits so far"),
            Column("risk", Real, "probability of the event in the window after the visit; mixed model"),
            Column("lower", Real, "lower end of the 95 % interval: model fitted to other subjects, course uncertain"),
            Column("upper", Real, "upper end of the 95 % interval"),
            Column("event", Whole, "1 the event came in the window, 0 it did not, null: not known"),
        ),
    ),
    Table(
        "monitoring/visits",
        "measurements that were used",
        (
            _ENDPOINT,
            SUBJECT,
            Column("time", Real, "time of the visit", "unit of the endpoint"),
            _MARKER,
            Column("value", Real, "value on the scale that is followed"),
            Column("expected", Real, "course of the subject by the mixed model and all visits"),
        ),
    ),
    Table(
        "monitoring/coefficients",
        "the landmark supermodel of all subjects; penalised, so that its estimates are drawn towards zero",
        (
            _ENDPOINT,
            _PREDICTORS,
            Column(
                "term",
                Text,
                "column; 'landmark' and 'landmark²' change the baseline hazard; 'competing: ' of competing events",
            ),
            Column("estimate", Real, "log hazard ratio a standard deviation (of the landmark: its whole range)"),
            Column("standard_error", Real, "robust, with the subject as cluster"),
            Column("ridge", Real, "penalty on the square of the coefficient"),
            Column("n", Whole, "subjects"),
            Column("rows", Whole, "subjects times landmarks"),
        ),
    ),
    Table(
        "monitoring/time_dependent",
        "Cox model with the last value of each marker as a time-dependent covariate, all subjects, no penalty",
        (
            _ENDPOINT,
            Column("term", Text, "marker or clinical column"),
            Column("estimate", Real, "log hazard ratio a unit of the column"),
            Column("standard_error", Real, "robust, with the subject as cluster", source="Lin & Wei 1989"),
            Column("hazard_ratio", Real, "a standard deviation of the column over the intervals"),
            Column("lower", Real, "lower end of its 95 % interval"),
            Column("upper", Real, "upper end of its 95 % interval"),
            P,
            N,
            Column("intervals", Whole, "intervals between visits"),
            Column("events", Whole, "events"),
        ),
    ),
    Table(
        "monitoring/mixed",
        "each marker over time: linear mixed model with random intercept and slope, all subjects",
        (
            _ENDPOINT,
            _MARKER,
            Column("term", Text, "'intercept', 'slope', their 'sd' between subjects and 'correlation', 'residual sd'"),
            Column("estimate", Real, "at time zero, and a unit of time of the endpoint"),
            Column("standard_error", Real, "of the two fixed effects"),
            Column("subjects", Whole, "subjects"),
            Column("visits", Whole, "measurements"),
        ),
    ),
    Table(
        "monitoring/growth",
        "rate of change of each marker of every subject, alone and drawn towards that of all; doubling time",
        (
            _ENDPOINT,
            SUBJECT,
            _MARKER,
            Column("visits", Whole, "measurements"),
            Column("own_slope", Real, "least squares of this subject alone; null with one time", "marker/time"),
            Column("slope", Real, "by the mixed model", "marker/time", "Laird & Ware 1982"),
            Column("lower", Real, "lower end of its 95 % interval", "marker/time"),
            Column("upper", Real, "upper end of its 95 % interval", "marker/time"),
            Column("doubling_time", Real, "ln 2 / slope of a logarithm that grows", "unit of the endpoint"),
            Column("doubling_lower", Real, "lower end of its 95 % interval", "unit of the endpoint"),
            Column(
                "doubling_upper",
                Real,
                "upper end; null where the interval of the slope holds zero",
                "unit of the endpoint",
            ),
        ),
    ),
    Table(
        "monitoring/audit",
        "whether the whole procedure finds something where there is nothing",
        (
            _ENDPOINT,
            Column("check", Text, "'permuted outcome' or 'events'"),
            Column("verdict", Text, "'pass', 'suspect', 'leak' or 'not checked'"),
            Column("item", Text, "what is concerned"),
            Column("got", Text, "what was found"),
            Column("value", Real, "number that was judged"),
            Column("error", Real, "its Monte Carlo standard error"),
        ),
    ),
)
