"""Tables of what follows a scan: clumps and loci, LD score regression, fine-mapping, scores."""

from __future__ import annotations

from radiolocus.schema.columns import Column, Flag, P, Real, Table, Text, Whole

__all__ = ["LOCI"]

_VARIANT = (
    Column("variant_id", Text, "id in the genotype file", source="GWAS-SSF"),
    Column("chromosome", Text, "chromosome", source="GWAS-SSF"),
    Column("base_pair_location", Whole, "position", "bp", "GWAS-SSF"),
    Column("effect_allele", Text, "allele that is counted", source="GWAS-SSF"),
    Column("other_allele", Text, "the other allele", source="GWAS-SSF"),
)

LOCI: tuple[Table, ...] = (
    Table(
        "sumstats/clumps",
        "lead variants with what is in LD with them, of each phenotype and of all at once, by `radiolocus clump`",
        (
            Column("locus", Whole, "number of the locus in sumstats/loci"),
            Column("phenotype", Text, "phenotype; null: smallest p-value over all phenotypes"),
            *_VARIANT,
            Column("beta", Real, "effect of the lead variant", source="GWAS-SSF"),
            Column("standard_error", Real, "standard error of beta", source="GWAS-SSF"),
            P,
            Column("members", Whole, "variants clumped with the lead, itself not counted"),
            Column("start", Whole, "first position of lead and members", "bp"),
            Column("stop", Whole, "last position of lead and members", "bp"),
        ),
    ),
    Table(
        "sumstats/loci",
        "independent loci: clumps of all phenotypes merged where they overlap or nearly touch, by `radiolocus clump`",
        (
            Column("locus", Whole, "number, in the order of the genome"),
            Column("chromosome", Text, "chromosome", source="GWAS-SSF"),
            Column("start", Whole, "first position of its clumps", "bp"),
            Column("stop", Whole, "last position of its clumps", "bp"),
            Column("lead_variant", Text, "variant of the smallest p-value", source="GWAS-SSF"),
            Column("base_pair_location", Whole, "its position", "bp", "GWAS-SSF"),
            Column("effect_allele", Text, "its allele that is counted", source="GWAS-SSF"),
            Column("other_allele", Text, "its other allele", source="GWAS-SSF"),
            Column("top_phenotype", Text, "phenotype of its smallest p-value"),
            P,
            Column("effective", Flag, "p at most 5e-8 over the effective number of phenotypes", source="Li & Ji 2005"),
            Column("n_phenotypes", Whole, "phenotypes with a lead variant in the locus"),
            Column("phenotypes", Text, "their names, by p-value, apart by ;"),
            Column("independent", Whole, "lead variants of all phenotypes at once"),
            Column("variants", Whole, "variants in the clumps of the locus, leads counted"),
        ),
    ),
    Table(
        "sumstats/ldsc",
        "LD score regression of each phenotype, by `radiolocus ldsc`",
        (
            Column("phenotype", Text, "phenotype"),
            Column("variants", Whole, "variants with a test and an LD score"),
            Column("left_out", Whole, "variants left out for their large χ²"),
            Column("mean_chi2", Real, "mean χ²"),
            Column("lambda_gc", Real, "median χ² over its expectation", source="Devlin & Roeder 1999"),
            Column("intercept", Real, "1 without confounding", source="Bulik-Sullivan 2015"),
            Column("intercept_se", Real, "its standard error by the block jackknife"),
            Column("ratio", Real, "(intercept − 1)/(mean χ² − 1); null where mean χ² ≤ 1"),
            Column("ratio_se", Real, "its standard error"),
            Column("heritability", Real, "h² on the observed scale", source="Bulik-Sullivan 2015"),
            Column("heritability_se", Real, "its standard error by the block jackknife"),
            Column("liability", Real, "h² of the liability; null unless prevalences are given", source="Lee 2011"),
            Column("liability_se", Real, "its standard error"),
        ),
    ),
    Table(
        "sumstats/genetic_correlation",
        "correlation of the effects of all variants on two phenotypes, by `radiolocus ldsc --rg`",
        (
            Column("phenotype_1", Text, "phenotype"),
            Column("phenotype_2", Text, "phenotype"),
            Column("correlation", Real, "genetic correlation; may leave −1 to 1", source="Bulik-Sullivan 2015"),
            Column("correlation_se", Real, "its standard error by the block jackknife"),
            P,
            Column("covariance", Real, "genetic covariance"),
            Column("covariance_se", Real, "its standard error"),
            Column("intercept", Real, "of the product of z: 0 without shared subjects"),
            Column("intercept_se", Real, "its standard error"),
            Column("heritability1", Real, "h² of the first phenotype"),
            Column("heritability2", Real, "h² of the second phenotype"),
            Column("variants", Whole, "variants with both tests and an LD score"),
        ),
    ),
    Table(
        "sumstats/finemap",
        "how likely each variant of a locus is to be causal, by `radiolocus finemap`",
        (
            Column("phenotype", Text, "phenotype"),
            Column("region", Text, "CHROMOSOME:START-STOP"),
            *_VARIANT,
            Column("z", Real, "its own test statistic"),
            Column("pip", Real, "posterior inclusion probability", source="Wang 2020"),
            Column("credible_set", Whole, "number of the credible set that holds it; null: none"),
        ),
    ),
    Table(
        "sumstats/credible_sets",
        "sets that hold a causal variant with the stated probability, by `radiolocus finemap`",
        (
            Column("phenotype", Text, "phenotype"),
            Column("region", Text, "CHROMOSOME:START-STOP"),
            Column("credible_set", Whole, "number"),
            Column("variants", Whole, "variants in the set"),
            Column("coverage", Real, "probability that it holds a causal variant"),
            Column("min_abs_r", Real, "purity: smallest |r| of two of its variants", source="Wang 2020"),
            Column("mean_abs_r", Real, "mean |r| of two of its variants"),
            Column("top_variant", Text, "variant of the largest probability"),
            Column("top_pip", Real, "its posterior inclusion probability"),
            Column("log10_bayes_factor", Real, "log10 Bayes factor of the effect behind the set"),
        ),
    ),
)
