"""Tables of networks."""

from __future__ import annotations

import polars as pl

from radiolocus.schema.columns import INTERVAL, MODEL, SUBJECT, Column, Flag, N, Real, Table, Text, Whole

__all__ = ["DEEP"]

_ENDPOINT = Column("endpoint", Text, "endpoint of the study file")
_PATIENTS = Column(
    "patients",
    Text,
    "who is judged: 'all', 'complete' (who has every modality), 'without NAME', or 'with NAME' for a modality alone",
)
_REPEAT = Column("repeat", Whole, "repetition, from 0")
_FOLD = Column("fold", Whole, "outer fold that held the subject out, from 0")
_MODALITY = Column("modality", Text, "an image, a block of numbers, or 'sequences'")
_EVENTS = Column("events", Whole, "events or positives")
_RISK = "log relative hazard, logit of the probability, or log cumulative hazard"

DEEP: tuple[Table, ...] = (
    Table(
        "deep/performance",
        "out-of-fold performance of the networks, and of simple models on the same subjects and folds",
        (
            *MODEL,
            _PATIENTS,
            Column("kind", Text, "'survival' or 'binary'"),
            Column("metric", Text, "'AUC' or 'Harrell C'"),
            *INTERVAL,
            N,
            _EVENTS,
            Column("repeats", Whole, "repetitions of the cross-validation"),
            Column("folds", Whole, "folds of each repetition (sites, 1 for a temporal split)"),
            Column("split", Text, "who was held out: 'kfold', 'site' or 'temporal'"),
        ),
    ),
    Table(
        "deep/differences",
        "the network on all modalities less another model, on the same subjects and folds",
        (
            _ENDPOINT,
            Column("predictors", Text, "what the other model sees"),
            Column("model", Text, "the other model"),
            _PATIENTS,
            Column("metric", Text, "'AUC' or 'Harrell C'"),
            Column("network", Real, "metric of the network"),
            Column("other", Real, "metric of the other model"),
            *INTERVAL,
            N,
        ),
    ),
    Table(
        "deep/horizons",
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
        "deep/predictions",
        "out-of-fold prediction for every subject",
        (
            *MODEL,
            SUBJECT,
            _REPEAT,
            _FOLD,
            Column("prediction", Real, f"{_RISK}; null where the subject lacks what the model needs"),
            Column("group", Text, "'high' above the threshold that the training part set, else 'low'"),
        ),
    ),
    Table(
        "deep/training",
        "losses of every network after every pass",
        (
            _ENDPOINT,
            _REPEAT,
            _FOLD,
            Column("network", Whole, "inner fold that stopped the network, from 0"),
            Column("epoch", Whole, "passes; 0: before any, the linear part alone"),
            Column("training", Real, "mean loss of the batches of the pass, under dropout; null before any"),
            Column("validation", Real, "loss of the inner fold"),
            Column("kept", Flag, "the pass whose weights were kept"),
        ),
    ),
    Table(
        "deep/attention",
        "what each modality is to the risk of each subject, by networks that did not learn from him",
        (
            _ENDPOINT,
            SUBJECT,
            _REPEAT,
            _MODALITY,
            Column("attention", Real, "share of the modality in the fusion", source="Ilse et al. 2018"),
            Column(
                "attribution",
                Real,
                f"sum of its integrated gradients, in units of the risk ({_RISK}); null after repetition 0",
                source="Sundararajan et al. 2017",
            ),
            Column("gap", Real, "difference in risk to the baseline less the sum over all modalities"),
        ),
    ),
    Table(
        "deep/columns",
        "integrated gradients of the numbers that went into the networks, over held-out subjects of repetition 0",
        (
            _ENDPOINT,
            _MODALITY,
            Column("item", Text, "column: marker, clinical column or its category, variant"),
            Column("mean_absolute", Real, "mean over subjects of the absolute attribution, in units of the risk"),
            Column("slope", Real, "attribution per standard deviation of the column; null without variation"),
            N,
        ),
    ),
    Table(
        "deep/windows",
        "integrated gradients of the sequences, by variant, of held-out subjects in repetition 0",
        (
            _ENDPOINT,
            SUBJECT,
            Column("window", Whole, "window of the subject, from 0"),
            Column("gene", Text, "gene symbol; empty when none is told"),
            Column("chromosome", Text, "chromosome as the file calls it"),
            Column("position", Whole, "first base; of an insertion the base before it", "bp"),
            Column("reference_allele", Text, "reference bases, '-' for an insertion"),
            Column("tumour_allele", Text, "bases of the tumour, '-' for a deletion"),
            Column("attribution", Real, "what the tumour allele adds to the risk over the reference allele"),
        ),
    ),
    Table(
        "deep/maps",
        "Grad-CAM of the subjects of highest and of lowest risk, by networks that did not learn from them",
        (
            _ENDPOINT,
            SUBJECT,
            Column("image", Text, "name of the image in the study file"),
            Column("prediction", Real, _RISK),
            Column("height", Whole, "rows of the slice"),
            Column("width", Whole, "columns of the slice"),
            Column("spacing_y", Real, "distance of rows", "mm"),
            Column("spacing_x", Real, "distance of columns", "mm"),
            Column("highest", Real, "largest value of the map in the crop, in units of the risk"),
            Column("pixels", pl.Binary(), "grey values of the slice with the highest map, uint8, row by row"),
            Column("mask", pl.Binary(), "region, uint8, row by row"),
            Column("map", pl.Binary(), "Grad-CAM, 255 the highest of the crop", source="Selvaraju et al. 2017"),
        ),
    ),
)
