"""One vocabulary: every column of every artefact has a name, a type, a unit, a meaning and a source.

A table may carry further columns (clinical columns keep the names their owner gave them) only where its entry is
`open_ended`. :func:`conform` is the gate every artefact passes before it is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

__all__ = ["CONTROL", "TABLES", "Column", "Table", "conform", "empty"]

#: Before the name of a negative control among blocks of predictors.
CONTROL = "control: "

Text, Real, Whole, Flag = pl.String(), pl.Float64(), pl.Int64(), pl.Boolean()


@dataclass(frozen=True)
class Column:
    """A column: polars type, unit (empty when it has none), meaning, and where the definition comes from."""

    name: str
    dtype: pl.DataType
    meaning: str
    unit: str = ""
    source: str = ""


@dataclass(frozen=True)
class Table:
    """A table of the artefact store: its path below the output folder, its columns, and whether more may follow."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    open_ended: bool = False

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Column name to polars type."""
        return {c.name: c.dtype for c in self.columns}


_SUBJECT = Column("subject", Text, "normalised subject id")
_P = Column("neg_log_10_p_value", Real, "−log10 of the two-sided p-value", source="GWAS-SSF")
_N = Column("n", Whole, "subjects used")
_EFFECT = (
    Column("estimate", Real, "effect estimate"),
    Column("standard_error", Real, "standard error of the estimate"),
    Column("statistic", Real, "test statistic"),
    _P,
    _N,
)
_ROI = (
    _SUBJECT,
    Column("image", Text, "name of the image in the study file"),
    Column("visit", Text, "visit label, empty when the study has one visit"),
    Column("roi", Text, "name of the region of interest"),
)
_MULTIPLE = (
    Column("bonferroni_p_value", Real, "p-value times the number of tests, at most 1"),
    Column("q_value", Real, "false discovery rate", source="Benjamini & Hochberg 1995"),
)
_INTERVAL = (
    Column("estimate", Real, "estimate of the metric"),
    Column("lower", Real, "lower end of the 95 % interval"),
    Column("upper", Real, "upper end of the 95 % interval"),
)
_MODEL = (
    Column("endpoint", Text, "endpoint of the study file"),
    Column("predictors", Text, "block of predictors: clinical, imaging, molecular, genetic, all or a negative control"),
)

_ALL = (
    Table(
        "problems",
        "what could not be used, and what was done instead",
        (
            Column("stage", Text, "stage that met the problem"),
            Column("severity", Text, "'set aside', 'no value' or 'note'"),
            _SUBJECT,
            Column("item", Text, "image, region, feature, column or variant concerned"),
            Column("where", Text, "file, sheet, row, column"),
            Column("got", Text, "what was found"),
            Column("allowed", Text, "what would have been accepted"),
            Column("todo", Text, "what to do about it"),
            Column("count", Whole, "how many times the same problem occurred"),
        ),
    ),
    Table("cohort/subjects", "one row a subject: id and the clinical columns under their own names", (_SUBJECT,), True),
    Table(
        "cohort/membership",
        "which subject was found in which source",
        (
            _SUBJECT,
            Column("source", Text, "table, image, genotype or molecular source"),
            Column("raw_id", Text, "id as it stands in the source"),
            Column("status", Text, "'joined', 'missing here' or 'not in cohort'"),
            Column("nearest", Text, "nearest cohort id when the id is not in the cohort"),
        ),
    ),
    Table(
        "cohort/endpoints",
        "endpoints in long form",
        (
            _SUBJECT,
            Column("endpoint", Text, "endpoint of the study file"),
            Column("kind", Text, "'survival' or 'binary'"),
            Column("time", Real, "time to event or censoring; null for binary endpoints"),
            Column("event", Whole, "1 event or positive, 0 censored or negative, null unknown"),
            Column("unit", Text, "unit of time"),
        ),
    ),
    Table(
        "features/features",
        "one row per subject × image × visit × region; a column per feature",
        (*_ROI, Column("modality", Text, "DICOM modality")),
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
        (*_ROI, Column("copy", Text, "what was done to the image", source="Zwanenburg et al. 2019")),
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
        (*_ROI, Column("control", Text, "'shuffled', 'outside' or 'volume'", source="Welch et al. 2019")),
        True,
    ),
    Table(
        "features/thumbnails",
        "the slice of the largest area of each region, with the region's outline",
        (
            *_ROI,
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
    Table(
        "genome/variants",
        "every variant of the genotype file and whether it was analysed",
        (
            Column("chromosome", Text, "chromosome", source="GWAS-SSF"),
            Column("base_pair_location", Whole, "position", "bp", "GWAS-SSF"),
            Column("variant_id", Text, "id in the genotype file", source="GWAS-SSF"),
            Column("effect_allele", Text, "allele that is counted", source="GWAS-SSF"),
            Column("other_allele", Text, "the other allele", source="GWAS-SSF"),
            Column("effect_allele_frequency", Real, "frequency among the analysed subjects", source="GWAS-SSF"),
            Column("call_rate", Real, "fraction of analysed subjects with a genotype"),
            Column("kept", Flag, "analysed"),
            Column("reason", Text, "why it was not analysed"),
        ),
    ),
    Table(
        "genome/samples",
        "genotyped subjects of the cohort; a column PC1, PC2, ... per principal component",
        (_SUBJECT, Column("call_rate", Real, "fraction of variants with a genotype")),
        True,
    ),
    Table(
        "genome/variant_qc",
        "every variant of the genotype file with what says whether it can be trusted, by `radiolocus qc`",
        (
            Column("chromosome", Text, "chromosome", source="GWAS-SSF"),
            Column("base_pair_location", Whole, "position", "bp", "GWAS-SSF"),
            Column("variant_id", Text, "id in the genotype file", source="GWAS-SSF"),
            Column("effect_allele", Text, "allele that is counted", source="GWAS-SSF"),
            Column("other_allele", Text, "the other allele", source="GWAS-SSF"),
            Column("call_rate", Real, "fraction of samples with a genotype (Y: of men)"),
            Column("effect_allele_frequency", Real, "frequency among the samples", source="GWAS-SSF"),
            Column("minor_allele_frequency", Real, "frequency of the rarer allele"),
            Column("homozygous_effect", Whole, "samples with two effect alleles (X: women; Y: men)"),
            Column("heterozygous", Whole, "samples with one effect allele (X: women; Y: men)"),
            Column("homozygous_other", Whole, "samples with no effect allele (X: women; Y: men)"),
            Column("haploid_heterozygous", Whole, "heterozygous calls of samples with one copy"),
            Column("fractional_dosages", Whole, "samples whose dosage is no whole number"),
            Column("hwe_neg_log_10_p", Real, "−log10 of the exact Hardy–Weinberg mid-p"),
            Column("info", Real, "variance of the dosage over its expectation, MaCH's r²"),
            Column("stated_info", Real, "imputation quality that the file states"),
            Column("kept", Flag, "passed every filter"),
            Column("reason", Text, "the first filter that it did not pass"),
        ),
    ),
    Table(
        "genome/sample_qc",
        "every sample with what says whether it can be trusted, by `radiolocus qc`; PC1, PC2, ... stand behind",
        (
            Column("sample", Text, "id in the genotype file"),
            Column("call_rate", Real, "fraction of variants with a genotype"),
            Column("homozygous", Whole, "homozygous autosomal calls"),
            Column("expected_homozygous", Real, "homozygous autosomal calls expected from allele frequencies"),
            Column("called", Whole, "autosomal calls"),
            Column("f", Real, "inbreeding coefficient over the autosomes, (O − E)/(N − E)"),
            Column("f_x", Real, "the same over X"),
            Column("sex", Text, "recorded sex; empty: unknown"),
            Column("sex_inferred", Text, "sex by f_x; empty: between the limits"),
            Column("relatives", Whole, "samples related beyond the limit"),
            Column("unrelated", Flag, "one of a largest set without relatives; its members span the components"),
            Column("kept", Flag, "passed every filter"),
            Column("reason", Text, "the first filter that it did not pass"),
        ),
        True,
    ),
    Table(
        "genome/relatives",
        "pairs of samples related to the third degree or closer, by `radiolocus qc`",
        (
            Column("sample_1", Text, "id in the genotype file"),
            Column("sample_2", Text, "id in the genotype file"),
            Column("n_variants", Whole, "variants called in both"),
            Column("both_heterozygous", Whole, "variants at which both are heterozygous"),
            Column("opposite_homozygotes", Whole, "variants at which they share no allele"),
            Column("kinship", Real, "KING-robust kinship coefficient"),
            Column("relation", Text, "degree by the kinship coefficient"),
        ),
    ),
    Table(
        "genome/qc_steps",
        "what each filter took out, in the order of the filters, by `radiolocus qc`",
        (
            Column("unit", Text, "variants or samples"),
            Column("filter", Text, "name of the filter"),
            Column("rule", Text, "its rule with the limit"),
            Column("before", Whole, "units that came to the filter"),
            Column("out", Whole, "units that it took out"),
        ),
    ),
    Table(
        "sumstats/sumstats",
        "association of every imaging phenotype with every analysed variant",
        (
            Column("phenotype", Text, "imaging phenotype"),
            Column("chromosome", Text, "chromosome", source="GWAS-SSF"),
            Column("base_pair_location", Whole, "position", "bp", "GWAS-SSF"),
            Column("effect_allele", Text, "allele that is counted", source="GWAS-SSF"),
            Column("other_allele", Text, "the other allele", source="GWAS-SSF"),
            Column("beta", Real, "change of the phenotype per effect allele", "phenotype", "GWAS-SSF"),
            Column("standard_error", Real, "standard error of beta", "phenotype", "GWAS-SSF"),
            Column("effect_allele_frequency", Real, "frequency among the analysed subjects", source="GWAS-SSF"),
            _P,
            Column("variant_id", Text, "id in the genotype file", source="GWAS-SSF"),
            _N,
            Column("statistic", Real, "Student's t"),
            Column("degrees_of_freedom", Whole, "residual degrees of freedom"),
        ),
    ),
    Table(
        "sumstats/binary",
        "association of binary phenotypes, in the place of sumstats/sumstats",
        (
            Column("phenotype", Text, "binary phenotype"),
            Column("chromosome", Text, "chromosome", source="GWAS-SSF"),
            Column("base_pair_location", Whole, "position", "bp", "GWAS-SSF"),
            Column("effect_allele", Text, "allele that is counted", source="GWAS-SSF"),
            Column("other_allele", Text, "the other allele", source="GWAS-SSF"),
            Column("beta", Real, "log odds ratio per effect allele; null where no fit was found", source="GWAS-SSF"),
            Column("standard_error", Real, "standard error of beta", source="GWAS-SSF"),
            Column("effect_allele_frequency", Real, "frequency among the analysed subjects", source="GWAS-SSF"),
            _P,
            Column("variant_id", Text, "id in the genotype file", source="GWAS-SSF"),
            _N,
            Column("cases", Whole, "cases among them"),
            Column("statistic", Real, "z of the score or of Wald, or the signed root of the likelihood ratio"),
            Column("test", Text, "'score', 'spa', 'firth', 'wald' or 'firth wald'"),
        ),
    ),
    Table(
        "sumstats/summary",
        "per phenotype: how many tests, inflation, strongest variant",
        (
            Column("phenotype", Text, "imaging phenotype"),
            _N,
            Column("tests", Whole, "variants tested"),
            Column("covariates", Whole, "covariates projected out, intercept not counted"),
            Column(
                "lambda_gc", Real, "genomic inflation: median χ² over its expectation", source="Devlin & Roeder 1999"
            ),
            Column("top_variant", Text, "variant of the smallest p-value"),
            Column("top_neg_log_10_p_value", Real, "its −log10 p"),
            Column("genome_wide", Whole, "variants with p < 5e-8"),
            Column("bonferroni", Whole, "variants with p < 0.05 / (variants × phenotypes)"),
            Column("fdr", Whole, "variants with q < 0.05 over all variants and phenotypes"),
        ),
    ),
    Table(
        "sumstats/variants",
        "every variant of the genotypes: whether it is analysed, and its smallest p-value over all phenotypes",
        (
            Column("chromosome", Text, "chromosome", source="GWAS-SSF"),
            Column("base_pair_location", Whole, "position", "bp", "GWAS-SSF"),
            Column("variant_id", Text, "id in the genotype file", source="GWAS-SSF"),
            Column("effect_allele", Text, "allele that is counted", source="GWAS-SSF"),
            Column("other_allele", Text, "the other allele", source="GWAS-SSF"),
            Column("effect_allele_frequency", Real, "frequency among all analysed subjects", source="GWAS-SSF"),
            Column("call_rate", Real, "fraction of the analysed subjects with a genotype"),
            _N,
            Column("kept", Flag, "analysed"),
            Column("reason", Text, "why it is not analysed; null when it is"),
            Column("tests", Whole, "phenotypes tested"),
            Column("top_phenotype", Text, "phenotype of the smallest p-value"),
            Column("top_neg_log_10_p_value", Real, "its −log10 p"),
        ),
    ),
    Table(
        "sumstats/multitrait",
        "every variant with all phenotypes at once, calibrated by a permutation of the subjects",
        (
            Column("chromosome", Text, "chromosome", source="GWAS-SSF"),
            Column("base_pair_location", Whole, "position", "bp", "GWAS-SSF"),
            Column("variant_id", Text, "id in the genotype file", source="GWAS-SSF"),
            Column("effect_allele", Text, "allele that is counted", source="GWAS-SSF"),
            Column("other_allele", Text, "the other allele", source="GWAS-SSF"),
            Column("mostest_statistic", Real, "sum of squares of the decorrelated t", source="van der Meer 2020"),
            Column("mostest_neg_log_10_p_value", Real, "−log10 p of MOSTest", source="van der Meer 2020"),
            Column("minp_neg_log_10_p_value", Real, "−log10 p of the smallest p-value", source="van der Meer 2020"),
        ),
    ),
    Table(
        "sumstats/variant_ids",
        "where each variant lies, sorted by id",
        (
            Column("variant_id", Text, "id in the genotype file", source="GWAS-SSF"),
            Column("chromosome", Text, "chromosome", source="GWAS-SSF"),
            Column("base_pair_location", Whole, "position", "bp", "GWAS-SSF"),
        ),
    ),
    Table("molecular/markers", "one row a subject; a column per molecular marker", (_SUBJECT,), True),
    Table(
        "molecular/dictionary",
        "what each marker column is",
        (
            Column("marker", Text, "column name in molecular/markers"),
            Column("kind", Text, "'binary' or 'continuous'"),
            Column("source", Text, "table it came from"),
            Column("unit", Text, "unit, empty when it has none"),
            _N,
            Column("n_positive", Whole, "subjects with the marker; null when continuous"),
        ),
    ),
    Table(
        "link/link",
        "every imaging feature × every molecular marker",
        (
            Column("feature", Text, "imaging feature"),
            Column("marker", Text, "molecular marker"),
            Column("marker_kind", Text, "'binary' or 'continuous'"),
            Column("test", Text, "test used"),
            *_EFFECT,
            Column("correlation", Real, "(partial) correlation of feature and marker, −1 to 1"),
            *_MULTIPLE,
        ),
    ),
    Table(
        "outcome/univariate",
        "each predictor alone against each endpoint, on all subjects; no model is learned",
        (
            Column("endpoint", Text, "endpoint of the study file"),
            Column("kind", Text, "'survival' or 'binary'"),
            Column("predictor", Text, "predictor"),
            Column("block", Text, "clinical, imaging, molecular or genetic"),
            Column("metric", Text, "'AUC' or 'Harrell C'; above 0.5: larger values go with the event"),
            *_INTERVAL,
            _P,
            Column("q_value", Real, "false discovery rate within the endpoint", source="Benjamini & Hochberg 1995"),
            _N,
            Column("events", Whole, "events or positives"),
        ),
    ),
    Table(
        "outcome/performance",
        "out-of-fold performance of each block of predictors",
        (
            *_MODEL,
            Column("kind", Text, "'survival' or 'binary'"),
            Column("model", Text, "model fitted"),
            Column("metric", Text, "'AUC' or 'Harrell C'"),
            *_INTERVAL,
            _N,
            Column("events", Whole, "events or positives"),
            Column("candidates", Whole, "predictors offered to the model"),
            Column("repeats", Whole, "repetitions of the cross-validation"),
            Column("folds", Whole, "folds of each repetition"),
        ),
    ),
    Table(
        "outcome/horizons",
        "out-of-fold performance of predicted times to event up to, or at, a time",
        (
            *_MODEL,
            Column("metric", Text, "'Uno C', 'AUC(t)', 'Brier(t)' or 'Brier(t) without predictors'"),
            Column("time", Real, "horizon; of Uno's C, the time up to which events count", "unit of the endpoint"),
            *_INTERVAL,
            _N,
            Column("events", Whole, "events up to and including the time"),
        ),
    ),
    Table(
        "outcome/predictions",
        "out-of-fold prediction for every subject",
        (
            *_MODEL,
            _SUBJECT,
            Column("repeat", Whole, "repetition, from 0"),
            Column("fold", Whole, "outer fold that held the subject out, from 0"),
            Column("prediction", Real, "log relative hazard, or logit of the probability"),
        ),
    ),
    Table(
        "outcome/selection",
        "how often the outer folds used each predictor",
        (
            *_MODEL,
            Column("predictor", Text, "predictor"),
            Column("block", Text, "clinical, imaging, molecular or genetic"),
            Column("fraction", Real, "fraction of outer fits in which it had a non-zero coefficient"),
            Column("mean_coefficient", Real, "mean coefficient per standard deviation over all outer fits"),
        ),
    ),
    Table(
        "outcome/groups",
        "risk group of every subject; the threshold was learned in the other folds",
        (*_MODEL, _SUBJECT, Column("group", Text, "'low' or 'high'")),
    ),
    Table(
        "outcome/kaplan_meier",
        "Kaplan–Meier curve of each risk group",
        (
            *_MODEL,
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
            *_MODEL,
            Column("statistic", Real, "χ²"),
            Column("degrees_of_freedom", Whole, "groups − 1"),
            _P,
            Column("hazard_ratio", Real, "high against low, Cox with Efron ties"),
            Column("lower", Real, "lower end of its 95 % interval"),
            Column("upper", Real, "upper end of its 95 % interval"),
            _N,
            Column("events", Whole, "events"),
        ),
    ),
    Table(
        "response/timepoints",
        "RECIST 1.1 response at every visit",
        (
            _SUBJECT,
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
            _SUBJECT,
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
            *_INTERVAL,
            Column("events", Whole, "subjects who met it"),
            _N,
        ),
    ),
    Table(
        "response/criteria",
        "response at every visit by any criterion",
        (
            _SUBJECT,
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
            _SUBJECT,
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
            *_INTERVAL,
            Column("events", Whole, "subjects who met it"),
            _N,
        ),
    ),
    Table(
        "response/endpoints",
        "progression-free survival and duration of response of every subject",
        (
            _SUBJECT,
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
            _N,
        ),
    ),
    Table(
        "response/kinetics",
        "kinetics of the sum of diameters of every subject",
        (
            _SUBJECT,
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
    Table(
        "demo/truth",
        "what was planted in the simulated cohort, and what was found of it",
        (
            Column("kind", Text, "'planted effect', 'false positives', 'negative control' or 'bad data'"),
            Column("planted", Text, "what was planted"),
            Column("found", Flag, "the run says what was planted"),
            Column("evidence", Text, "the numbers that show it"),
            Column("verdict", Text, "in words"),
        ),
    ),
)

TABLES: Mapping[str, Table] = {table.name: table for table in _ALL}


def empty(name: str) -> pl.DataFrame:
    """Return table `name` with its columns and no row."""
    return pl.DataFrame(schema=TABLES[name].schema)


def conform(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """Bring `frame` into the order and types of table `name`.

    Columns that the table does not know stay behind the known ones when it is open-ended. A missing or an unknown
    column in a closed table is a mistake of the program and raises :class:`KeyError`.
    """
    table = TABLES[name]
    missing = [c for c in table.schema if c not in frame.columns]
    extra = [c for c in frame.columns if c not in table.schema]
    if missing or (extra and not table.open_ended):
        raise KeyError(f"{name}: missing columns {missing}, unknown columns {extra}")
    return frame.select([pl.col(c).cast(t) for c, t in table.schema.items()] + [pl.col(c) for c in extra])
