"""Tables of imaging features."""

from __future__ import annotations

import polars as pl

from radiolocus.schema.columns import ROI, SUBJECT, Column, Real, Table, Text, Whole

__all__ = ["IMAGING"]

IMAGING: tuple[Table, ...] = (
    Table(
        "features/features",
        "one row per subject × image × visit × region; a column per feature",
        (*ROI, Column("modality", Text, "DICOM modality")),
        True,
    ),
    Table(
        "features/phenotypes",
        "features as a table of the command line gave them: one row a subject, a column a feature",
        (SUBJECT,),
        True,
    ),
    Table(
        "features/dictionary",
        "what each feature column is",
        (
            Column("feature", Text, "column name in features/features"),
            Column("name", Text, "name in the IBSI reference manual", source="IBSI"),
            Column("ibsi_id", Text, "permanent IBSI identifier", source="IBSI"),
            Column("family", Text, "feature family"),
            Column("aggregation", Text, "aggregation, empty when the feature has none", source="IBSI"),
            Column("unit", Text, "unit; 'intensity' stands for the unit of the image"),
        ),
    ),
    Table(
        "features/perturbed",
        "features of perturbed copies: one row per subject × image × visit × region × copy; a column per feature",
        (*ROI, Column("copy", Text, "what was done to the image", source="Zwanenburg et al. 2019")),
        True,
    ),
    Table(
        "features/repeatability",
        "agreement of every feature over perturbed copies, and over the visits of a test and its retest",
        (
            Column("image", Text, "name of the image in the study file"),
            Column("roi", Text, "name of the region of interest"),
            Column("visit", Text, "visit label; of a retest: the visit of the test"),
            Column("feature", Text, "column name in features/features"),
            Column("source", Text, "'perturbation' or 'retest'"),
            Column("n_subjects", Whole, "subjects with all repeats, on whom the row rests"),
            Column("n_incomplete", Whole, "subjects left out because a repeat has no value"),
            Column("n_repeats", Whole, "copies or visits a subject"),
            Column("icc_1_1", Real, "agreement: ICC(1,1)", source="Shrout & Fleiss 1979"),
            Column("icc_1_1_lower", Real, "lower end of its 95 % interval", source="McGraw & Wong 1996"),
            Column("icc_1_1_upper", Real, "upper end of its 95 % interval", source="McGraw & Wong 1996"),
            Column("icc_3_1", Real, "consistency: ICC(3,1)", source="Shrout & Fleiss 1979"),
            Column("icc_3_1_lower", Real, "lower end of its 95 % interval", source="McGraw & Wong 1996"),
            Column("icc_3_1_upper", Real, "upper end of its 95 % interval", source="McGraw & Wong 1996"),
            Column("mean", Real, "mean of all values", "feature"),
            Column("within_subject_sd", Real, "within-subject standard deviation", "feature", "Bland & Altman 1999"),
            Column(
                "repeatability_coefficient",
                Real,
                "two measurements of a subject differ by less in 95 % of cases",
                "feature",
                "Bland & Altman 1999",
            ),
            Column("reason", Text, "why an ICC is missing; null when both are there"),
        ),
    ),
    Table(
        "features/controls",
        "features of negative controls: one row per subject × image × visit × region × control; a column per feature",
        (*ROI, Column("control", Text, "'shuffled', 'outside' or 'volume'", source="Welch et al. 2019")),
        True,
    ),
    Table(
        "features/thumbnails",
        "the slice of the largest area of each region, with the region's outline",
        (
            *ROI,
            Column("modality", Text, "DICOM modality"),
            Column("unit", Text, "unit of the intensities"),
            Column("height", Whole, "rows"),
            Column("width", Whole, "columns"),
            Column("spacing_y", Real, "row spacing", "mm"),
            Column("spacing_x", Real, "column spacing", "mm"),
            Column("low", Real, "intensity shown black", "intensity"),
            Column("high", Real, "intensity shown white", "intensity"),
            Column("pixels", pl.Binary(), "8-bit grey values, row by row"),
            Column("mask", pl.Binary(), "region, one byte a pixel (0 or 1), row by row"),
            Column("voxels", Whole, "voxels in the region"),
            Column("volume_ml", Real, "volume of the region", "mL"),
        ),
    ),
)
