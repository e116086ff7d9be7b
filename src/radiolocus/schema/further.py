"""Tables that judge and explain outcome models further."""

from __future__ import annotations

from radiolocus.schema.columns import INTERVAL, MODEL, SUBJECT, Column, Flag, N, P, Real, Table, Text, Whole

__all__ = ["FURTHER"]

_EVENTS = Column("events", Whole, "events or positives")
_PREDICTOR = (
    Column("predictor", Text, "predictor; all columns made of it together"),
    Column("block", Text, "clinical, imaging, molecular or genetic"),
)
_TIME = Column("time", Real, "horizon; null where there is none", "unit of the endpoint")
_BAND = (
    Column("lower", Real, "lower end of the pointwise 95 % interval; null where it cannot be told"),
    Column("upper", Real, "upper end of the pointwise 95 % interval"),
)

FURTHER: tuple[Table, ...] = (
    Table(
        "outcome/evaluation",
        "calibration, overall and further measures of out-of-fold predictions, mean over repetitions",
        (
            *MODEL,
            Column(
                "metric",
                Text,
                "'O/E', 'calibration intercept', 'calibration slope', 'ICI', 'E50', 'E90'; of a class 'Brier' and "
                "'average precision'; of times 'Antolini C', 'integrated Brier', the same 'without predictors', "
                "'Royston D', 'R²_D', 'restricted mean difference'; with competing events 'restricted time lost, low "
                "risk', the same of 'high risk', and 'restricted time lost difference'",
            ),
            _TIME,
            *INTERVAL,
            N,
            _EVENTS,
        ),
    ),
    Table(
        "outcome/calibration",
        "smoothed observed risk at predicted risks, out of fold",
        (
            *MODEL,
            _TIME,
            Column("predicted", Real, "predicted risk"),
            Column("observed", Real, "smoothed observed risk: loess of pseudo-observations, or of the class"),
            *_BAND,
        ),
    ),
    Table(
        "outcome/decision",
        "net benefit of treating whoever's out-of-fold risk reaches a threshold",
        (
            *MODEL,
            _TIME,
            Column("threshold", Real, "risk from which on is treated", source="Vickers & Elkin 2006"),
            Column("net_benefit", Real, "of the model; treating nobody has 0"),
            *_BAND,
            Column("treat_all", Real, "of treating everybody"),
        ),
    ),
    Table(
        "outcome/over_time",
        "AUC(t) and Brier score over time, out of fold",
        (
            *MODEL,
            Column("metric", Text, "'AUC(t)', 'Brier(t)' or 'Brier(t) without predictors'"),
            _TIME,
            *INTERVAL,
        ),
    ),
    Table(
        "outcome/comparison",
        "two sets of predictors on the same subjects, by their out-of-fold probabilities (mean over repetitions)",
        (
            Column("endpoint", Text, "endpoint of the study file"),
            Column("model", Text, "model fitted"),
            Column("first", Text, "set of predictors"),
            Column("second", Text, "set of predictors that is compared with it"),
            Column(
                "metric",
                Text,
                "'AUC difference' (DeLong), 'NRI', 'NRI, events', 'NRI, non-events' or 'IDI': second less first",
            ),
            *INTERVAL,
            P,
            Column("warning", Text, "why not to rely on it; empty: nothing"),
            N,
            _EVENTS,
        ),
    ),
    Table(
        "outcome/importance",
        "what out-of-fold models lean on",
        (
            *MODEL,
            *_PREDICTOR,
            Column(
                "importance",
                Real,
                "C or AUC lost when the predictor is shuffled among held-out subjects; null: not among the 50 that "
                "were shuffled in each repetition",
                source="Breiman 2001",
            ),
            *_BAND,
            Column(
                "mean_abs_shap",
                Real,
                "mean absolute contribution to the prediction; null: the model is not explained so",
                source="Lundberg & Lee 2017",
            ),
            Column("scale", Text, "what contributions add up to"),
        ),
    ),
    Table(
        "outcome/shap",
        "contribution of each predictor to each subject's out-of-fold prediction, mean over repetitions",
        (
            *MODEL,
            SUBJECT,
            *_PREDICTOR,
            Column("value", Real, "of the subject; null for a category or where it is missing"),
            Column("level", Text, "category of the subject; null for a number"),
            Column("contribution", Real, "Shapley value on the scale of outcome/importance"),
            Column("base", Real, "prediction when nothing is known; with all contributions it makes the prediction"),
        ),
    ),
    Table(
        "outcome/nomogram",
        "points of each predictor of the model of everybody",
        (
            *MODEL,
            Column("axis", Whole, "place from the top, by reach, from 0"),
            *_PREDICTOR,
            Column(
                "kind",
                Text,
                "'number', 'binary', 'category', 'missing', or 'score' of all predictors without an own axis",
            ),
            Column("label", Text, "value or category"),
            Column("value", Real, "value; null for a category"),
            Column("contribution", Real, "to the linear predictor"),
            Column("points", Real, "0 to 100 for the predictor with the widest reach", source="Iasonos et al. 2008"),
        ),
    ),
    Table(
        "outcome/nomogram_risk",
        "risk that a sum of points stands for",
        (
            *MODEL,
            Column("points", Real, "sum over the axes"),
            Column("linear_predictor", Real, "log relative hazard, or logit of the probability"),
            _TIME,
            Column("risk", Real, "of the event by the time, or of the class"),
        ),
    ),
    Table(
        "outcome/hazard_ratios",
        "unpenalised Cox or logistic model of everybody: description, not validation",
        (
            *MODEL,
            Column("covariate", Text, "column of the model"),
            Column("block", Text, "clinical, imaging, molecular or genetic"),
            Column("unit", Text, "what the ratio is per"),
            Column("measure", Text, "'hazard ratio' (Efron ties) or 'odds ratio'"),
            *INTERVAL,
            P,
            Column("chosen", Flag, "columns were chosen on this outcome: intervals are too narrow, p-values too small"),
            N,
            _EVENTS,
        ),
    ),
    Table(
        "outcome/proportional_hazards",
        "score tests that effects do not change with time",
        (
            *MODEL,
            Column("covariate", Text, "column, 'all together', or 'out-of-fold risk'"),
            Column("statistic", Real, "χ² (time as one less Kaplan–Meier)", source="Grambsch & Therneau 1994"),
            Column("degrees_of_freedom", Whole, "columns tested"),
            P,
            N,
            _EVENTS,
        ),
    ),
    Table(
        "outcome/schoenfeld",
        "scaled Schoenfeld residuals plus the coefficient, and their smooth curve",
        (
            *MODEL,
            Column("covariate", Text, "column, or 'out-of-fold risk'"),
            Column("part", Text, "'residual' or 'smooth'"),
            _TIME,
            Column("transformed", Real, "one less Kaplan–Meier just before the time"),
            Column("estimate", Real, "log hazard ratio at the time"),
            Column("lower", Real, "smooth curve less two standard errors"),
            Column("upper", Real, "smooth curve and two standard errors"),
        ),
    ),
)
