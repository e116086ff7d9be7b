"""Tables of what follows from summary statistics: meta-analysis, Mendelian randomisation, mediation."""

from __future__ import annotations

from radiolocus.schema.columns import Column, Flag, N, P, Real, Table, Text, Whole

__all__ = ["META"]

_PLACE = (
    Column("chromosome", Text, "chromosome", source="GWAS-SSF"),
    Column("base_pair_location", Whole, "position", "bp", "GWAS-SSF"),
    Column("effect_allele", Text, "allele that is counted", source="GWAS-SSF"),
    Column("other_allele", Text, "the other allele", source="GWAS-SSF"),
)
_HARMONY = (
    Column("outcome", Text, "what became of the alleles"),
    Column("meaning", Text, "the same in words"),
    Column("count", Whole, "variants"),
)
_PAIR = (Column("exposure", Text, "imaging phenotype"), Column("outcome", Text, "disease or trait"))
_BOUNDS = (
    Column("lower", Real, "lower end of the 95 % interval"),
    Column("upper", Real, "upper end of the 95 % interval"),
)

META: tuple[Table, ...] = (
    Table(
        "sumstats/meta",
        "cohorts made one by `radiolocus meta`, in the place of sumstats/sumstats",
        (
            Column("phenotype", Text, "phenotype"),
            *_PLACE,
            Column("beta", Real, "effect by the model asked for; null by sample size", "phenotype", "GWAS-SSF"),
            Column("standard_error", Real, "standard error of beta", "phenotype", "GWAS-SSF"),
            Column("effect_allele_frequency", Real, "mean of the cohorts by their size", source="GWAS-SSF"),
            P,
            Column("variant_id", Text, "id in the first cohort that has it", source="GWAS-SSF"),
            N,
            Column("statistic", Real, "z; t under Hartung and Knapp"),
            Column("cohorts", Whole, "cohorts with an estimate"),
            Column("direction", Text, "sign of each cohort in the order of sumstats/cohorts; ? has no estimate"),
            Column("q", Real, "heterogeneity of the cohorts", source="Cochran 1954"),
            Column("q_neg_log_10_p_value", Real, "−log10 p of q"),
            Column("i2", Real, "share of the variance that is not sampling", source="Higgins & Thompson 2002"),
            Column("i2_lower", Real, "lower end of its 95 % interval", source="Higgins & Thompson 2002"),
            Column("i2_upper", Real, "upper end of its 95 % interval", source="Higgins & Thompson 2002"),
            Column("tau2", Real, "variance between cohorts", "phenotype²"),
            Column("random_beta", Real, "effect by random effects", "phenotype"),
            Column("random_standard_error", Real, "its standard error", "phenotype"),
            Column("random_neg_log_10_p_value", Real, "its −log10 p"),
            Column("frequency_min", Real, "smallest frequency of a cohort"),
            Column("frequency_max", Real, "largest frequency of a cohort"),
        ),
    ),
    Table(
        "sumstats/cohorts",
        "cohorts of a meta-analysis, phenotype by phenotype",
        (
            Column("cohort", Text, "name"),
            Column("phenotype", Text, "phenotype"),
            Column("layout", Text, "layout of its file"),
            Column("assembly", Text, "genome assembly that it declares"),
            Column("rows", Whole, "associations that it brought"),
            Column("n", Whole, "largest sample"),
            Column("lambda_gc", Real, "genomic inflation", source="Devlin & Roeder 1999"),
            Column("corrected", Flag, "standard errors were widened by the root of the inflation"),
            Column("scale", Real, "median SE √(2 f (1 − f) n): the standard deviation of a phenotype in its unit"),
        ),
    ),
    Table(
        "sumstats/harmonisation",
        "alleles and frequencies of each cohort of a meta-analysis",
        (Column("cohort", Text, "name"), *_HARMONY),
    ),
    Table(
        "mendelian/estimates",
        "effect of an imaging phenotype on an outcome, method by method",
        (
            *_PAIR,
            Column("method", Text, "estimator"),
            Column("instruments", Whole, "variants used"),
            Column("estimate", Real, "effect per unit of the phenotype", "outcome"),
            Column("standard_error", Real, "standard error of the estimate", "outcome"),
            *_BOUNDS,
            Column("statistic", Real, "z, or Student's t"),
            P,
            Column("degrees_of_freedom", Whole, "of t; null for z"),
            Column("q", Real, "heterogeneity of the instruments about the estimate"),
            Column("q_neg_log_10_p_value", Real, "−log10 p of q"),
        ),
    ),
    Table(
        "mendelian/checks",
        "whether the instruments can be trusted, pair by pair",
        (
            *_PAIR,
            Column("instruments", Whole, "variants used"),
            Column("mean_f", Real, "mean F statistic of the instruments"),
            Column("min_f", Real, "smallest F statistic"),
            Column("i2_gx", Real, "share of the variance of effects on exposure not error", source="Bowden 2016"),
            Column("intercept", Real, "Egger's intercept: mean pleiotropic effect", "outcome", "Bowden 2015"),
            Column("intercept_standard_error", Real, "its standard error", "outcome"),
            Column("intercept_neg_log_10_p_value", Real, "its −log10 p"),
            Column("r2_exposure", Real, "variance of the exposure that the instruments explain"),
            Column("r2_outcome", Real, "variance of the outcome that they explain"),
            Column("steiger_neg_log_10_p_value", Real, "−log10 p that the two are equal", source="Hemani 2017"),
            Column("direction", Flag, "they explain more of the exposure than of the outcome"),
        ),
    ),
    Table(
        "mendelian/instruments",
        "every instrument: effects on exposure and outcome in one direction, and what it says alone",
        (
            *_PAIR,
            Column("variant_id", Text, "id in the exposure", source="GWAS-SSF"),
            *_PLACE,
            Column("beta_exposure", Real, "effect on the exposure"),
            Column("standard_error_exposure", Real, "its standard error"),
            Column("beta_outcome", Real, "effect on the outcome"),
            Column("standard_error_outcome", Real, "its standard error"),
            Column("harmonised", Text, "what became of the alleles"),
            Column("f", Real, "F statistic, (β / SE)² of the exposure"),
            Column("estimate", Real, "Wald ratio"),
            Column("standard_error", Real, "its standard error"),
            P,
        ),
    ),
    Table(
        "mendelian/leave_one_out",
        "inverse-variance estimate without one instrument",
        (
            *_PAIR,
            Column("left_out", Text, "id of the instrument"),
            Column("estimate", Real, "estimate without it"),
            Column("standard_error", Real, "its standard error"),
            P,
        ),
    ),
    Table(
        "mendelian/harmonisation",
        "alleles of exposure and outcome",
        (Column("exposure", Text, "imaging phenotype"), Column("table", Text, "outcome"), *_HARMONY),
    ),
    Table(
        "mediation/effects",
        "effect of a variant or mutation on an outcome through an imaging feature, and beside it",
        (
            Column("exposure", Text, "variant or mutation"),
            Column("mediator", Text, "imaging feature"),
            Column("outcome", Text, "outcome"),
            Column("scale", Text, "what the effects are measured in"),
            Column("effect", Text, "mediated, direct, total or proportion"),
            Column("estimate", Real, "estimate"),
            *_BOUNDS,
            Column("p_value", Real, "by the draws"),
            N,
            Column("events", Whole, "cases or events; null for a measured outcome"),
            Column("draws", Whole, "draws that entered the interval"),
        ),
    ),
    Table(
        "mediation/sensitivity",
        "how strong an unmeasured cause of mediator and outcome must be to explain the mediated effect",
        (
            Column("exposure", Text, "variant or mutation"),
            Column("mediator", Text, "imaging feature"),
            Column("outcome", Text, "outcome"),
            Column("rho", Real, "correlation of the errors of the two models"),
            Column("estimate", Real, "mediated effect under it"),
        ),
    ),
)
