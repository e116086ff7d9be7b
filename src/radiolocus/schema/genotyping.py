"""Tables of genotypes predicted from images."""

from __future__ import annotations

from radiolocus.schema.columns import INTERVAL, SUBJECT, Column, Flag, N, Real, Table, Text, Whole

__all__ = ["GENOTYPING"]

_TARGET = Column("target", Text, "what is predicted: name under [genotyping.targets]")
_MODEL = (
    _TARGET,
    Column(
        "predictors", Text, "'clinical', 'volume', 'clinical + volume', 'imaging', 'imaging + clinical' or a control"
    ),
    Column("model", Text, "model fitted"),
)
_PRIMARY = Column("primary", Flag, "the model named first, on imaging alone: what the verdict is about")
_POSITIVES = Column(
    "positives", Whole, "subjects with the marker; of several classes, those outside the largest one; null of a number"
)
_DRAWS = Column("permutations", Whole, "permuted markers on which the whole procedure was run")

GENOTYPING: tuple[Table, ...] = (
    Table(
        "genotyping/performance",
        "out-of-fold performance of every candidate; all candidates of a target share subjects and folds",
        (
            *_MODEL,
            _PRIMARY,
            Column("kind", Text, "'binary', 'multiclass' or 'continuous'"),
            Column(
                "metric",
                Text,
                "'AUC', 'average precision', 'Brier score', 'calibration slope', 'calibration intercept', "
                "'sensitivity', 'specificity', 'positive predictive value', 'negative predictive value', "
                "'balanced accuracy', 'Hand & Till M'; of a number 'R²' (against the mean of the training part), "
                "'root mean squared error', \"Spearman's ρ\" (within folds), 'calibration slope', 'mean error'",
            ),
            Column("rule", Text, "rule of the threshold, of metrics that need one; empty otherwise"),
            *INTERVAL,
            Column("reference", Real, "value of a model without information, where the metric has one"),
            N,
            _POSITIVES,
            Column("candidates", Whole, "predictors offered to the model"),
            Column("repeats", Whole, "repetitions of the cross-validation"),
            Column("folds", Whole, "folds of each repetition (sites, 1 for a temporal split)"),
            Column("split", Text, "who was held out: 'kfold', 'site' or 'temporal'"),
        ),
    ),
    Table(
        "genotyping/predictions",
        "out-of-fold prediction for every subject, repetition and class, with its conformal prediction set",
        (
            *_MODEL,
            _PRIMARY,
            SUBJECT,
            Column("repeat", Whole, "repetition, from 0; the sets of repetition 0 are those to show for a patient"),
            Column("fold", Whole, "outer fold that held the subject out, from 0"),
            Column("class", Text, "class, e.g. 'present' and 'absent'; empty of a continuous target"),
            Column("observed", Real, "1 when this is the subject's class, else 0; of a continuous target its value"),
            Column("prediction", Real, "probability of the class; of a continuous target the predicted value"),
            Column(
                "conformal_p_value",
                Real,
                "share of training subjects of this class that conform no better; null of a continuous target",
                source="Vovk 2015; Barber et al. 2021",
            ),
            Column("in_set", Flag, "whether the class is in the prediction set; null of a continuous target"),
            Column("lower", Real, "lower end of the prediction interval of a continuous target"),
            Column("upper", Real, "upper end of the prediction interval of a continuous target"),
        ),
    ),
    Table(
        "genotyping/coverage",
        "how often the prediction sets held the truth out of fold",
        (
            *_MODEL,
            _PRIMARY,
            Column("class", Text, "true class; empty: all together"),
            Column("aimed_at", Real, "coverage that the sets are made for"),
            Column("coverage", Real, "share of held-out subjects whose set held the truth, over all repetitions"),
            Column("lower", Real, "lower end of its 95 % interval (Wilson, of subjects)", source="Wilson 1927"),
            Column("upper", Real, "upper end of its 95 % interval"),
            Column("mean_size", Real, "classes in a set, on average; of a continuous target the width of the interval"),
            Column("singletons", Real, "share of sets with one class alone; null of a continuous target"),
            Column("empty", Real, "share of sets without a class; null of a continuous target"),
            N,
        ),
    ),
    Table(
        "genotyping/null",
        "the whole procedure on permuted markers",
        (
            *_MODEL,
            Column("draw", Whole, "number of the permutation; −1: the marker as observed"),
            Column("metric", Text, "'AUC', 'Hand & Till M' or 'R²'"),
            Column("value", Real, "what the procedure gave in one repetition; null where it could not be run"),
        ),
    ),
    Table(
        "genotyping/verdict",
        "whether the image tells the marker, by the model that was named first",
        (
            *_MODEL,
            Column("kind", Text, "'binary', 'multiclass' or 'continuous'"),
            Column("metric", Text, "'AUC', 'Hand & Till M' or 'R²'"),
            *INTERVAL,
            N,
            _POSITIVES,
            Column("null_mean", Real, "mean of the metric on permuted markers"),
            Column("p_value", Real, "of the whole procedure by permutation", source="Phipson & Smyth 2010"),
            Column("p_error", Real, "its Monte Carlo standard error"),
            _DRAWS,
            Column("told", Flag, "bootstrap interval above 0.5 (of R²: 0) and p at most 0.025; null: not judged"),
            Column("verdict", Text, "the same in words"),
        ),
    ),
    Table(
        "genotyping/differences",
        "what one candidate adds to another, on the same subjects and folds",
        (
            _TARGET,
            Column("first", Text, "candidate (predictors, model)"),
            Column("second", Text, "candidate (predictors, model)"),
            Column("metric", Text, "'AUC', 'Hand & Till M' or 'R²'"),
            Column("first_estimate", Real, "metric of the first"),
            Column("second_estimate", Real, "metric of the second"),
            Column("estimate", Real, "second less first"),
            Column("lower", Real, "lower end of its 95 % bootstrap interval"),
            Column("upper", Real, "upper end of its 95 % bootstrap interval"),
            Column("delong_estimate", Real, "second less first, of predictions averaged over repetitions"),
            Column("delong_lower", Real, "lower end of its 95 % interval", source="DeLong et al. 1988"),
            Column("delong_upper", Real, "upper end of its 95 % interval", source="DeLong et al. 1988"),
            Column("delong_neg_log_10_p_value", Real, "−log10 p; folds share subjects, so it is approximate"),
            N,
        ),
    ),
    Table(
        "genotyping/thresholds",
        "thresholds chosen in each training part, and whom they called in the part held out",
        (
            *_MODEL,
            Column("rule", Text, "'sensitivity 90 %' or 'balanced accuracy'"),
            Column("repeat", Whole, "repetition, from 0"),
            Column("fold", Whole, "outer fold, from 0"),
            Column("threshold", Real, "probability from which on the marker is called present"),
            Column("true_positives", Whole, "held-out subjects with the marker, called present"),
            Column("false_negatives", Whole, "held-out subjects with the marker, called absent"),
            Column("false_positives", Whole, "held-out subjects without the marker, called present"),
            Column("true_negatives", Whole, "held-out subjects without the marker, called absent"),
        ),
    ),
    Table(
        "genotyping/curves",
        "curves of the candidates, mean over repetitions",
        (
            *_MODEL,
            Column(
                "curve",
                Text,
                "'ROC', 'calibration', 'calibration groups' (all that a number has), 'net benefit', 'net benefit, all'",
            ),
            Column("x", Real, "1 − specificity, predicted probability or number, or threshold probability"),
            Column("y", Real, "sensitivity, observed share or mean, or net benefit"),
            Column("lower", Real, "lower end of the 95 % bootstrap band; null where there is none"),
            Column("upper", Real, "upper end of the 95 % bootstrap band"),
        ),
    ),
    Table(
        "genotyping/selection",
        "how often the outer folds used each predictor",
        (
            *_MODEL,
            Column("predictor", Text, "predictor"),
            Column("block", Text, "clinical, volume or imaging"),
            Column("fraction", Real, "fraction of outer fits that used it"),
            Column("mean_coefficient", Real, "mean coefficient per standard deviation; null without coefficients"),
        ),
    ),
)
