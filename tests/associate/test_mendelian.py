"""Mendelian randomisation from files to tables, on simulated people with a known effect."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from radiolocus.app.cli import app
from radiolocus.associate.genomewide import gwas
from radiolocus.associate.gwas import GwasOptions
from radiolocus.associate.instruments import choose, open_traits
from radiolocus.associate.mendelian import MendelianOptions, mendelian, write_mendelian
from radiolocus.errors import ConfigError, FitError, TableError
from radiolocus.genome.qc import GenotypeOptions
from radiolocus.read.plink import PlinkSource, write_plink
from radiolocus.report.html import build
from radiolocus.schema import TABLES
from radiolocus.stats.mendelian import Instruments, inverse_variance

EFFECT = 0.6


@pytest.fixture(scope="module")
def two_samples(tmp_path_factory):
    """Two cohorts: a feature scanned in one, a disease score in the other; half of the alleles are exchanged there."""
    root = tmp_path_factory.mktemp("mr")
    rng = np.random.default_rng(6)
    m, causal = 120, np.arange(0, 120, 6)
    frequency = rng.uniform(0.15, 0.45, (m, 1))
    weights = rng.choice([-1, 1], causal.size) * rng.uniform(0.35, 0.6, causal.size)
    pairs = rng.choice(["AG", "CT", "AC", "GT", "AT", "CG"], m)
    variants = pl.DataFrame(
        {
            "chromosome": [str(1 + i // 60) for i in range(m)], "variant_id": [f"rs{i}" for i in range(m)],
            "base_pair_location": [1_000_000 * (1 + i // 6) + 40 * (i % 6) for i in range(m)],
            "effect_allele": [p[0] for p in pairs], "other_allele": [p[1] for p in pairs],
        }
    )  # fmt: skip
    for name, n in (("exposure", 1500), ("outcome", 1800)):
        haplotypes = [rng.random((m, n)) < frequency for _ in range(2)]
        for h in haplotypes:  # neighbours of a causal variant go with it
            for j in causal:
                same = rng.random((5, n)) < 0.9
                h[j + 1 : j + 6] = np.where(same, h[j], h[j + 1 : j + 6])
        dosage = (haplotypes[0].astype(np.float32) + haplotypes[1]).astype(np.float32)
        feature = weights @ dosage[causal] + rng.normal(0, 1, n)
        value = feature if name == "exposure" else EFFECT * feature + rng.normal(0, 1, n)
        table = variants
        if name == "outcome":
            turn = np.arange(m) % 2 == 0
            dosage = np.where(turn[:, None], 2 - dosage, dosage)
            table = variants.with_columns(
                pl.when(pl.Series(turn)).then("other_allele").otherwise("effect_allele").alias("effect_allele"),
                pl.when(pl.Series(turn)).then("effect_allele").otherwise("other_allele").alias("other_allele"),
            )
        names = [f"{name}{i}" for i in range(n)]
        write_plink(root / name, dosage, table, names)
        frame = pl.DataFrame({"subject": names, "PT:feature" if name == "exposure" else "score": value})
        if name == "exposure":
            frame = frame.with_columns(pl.Series("PT:noise", rng.normal(size=n)))
        options = GenotypeOptions(min_maf=0, min_call_rate=0)
        gwas(
            PlinkSource(root / name), frame, None, root / f"gwas_{name}", options=options, keep=GwasOptions(p_value=1.0)
        )
    return root, variants, causal


def traits(root, **how):
    return open_traits(root / "gwas_exposure", **how), open_traits(root / "gwas_outcome")


def test_the_planted_effect_is_found_with_instruments_that_are_independent(two_samples):
    root, _, causal = two_samples
    source = PlinkSource(root / "exposure")
    options = MendelianOptions(clump_r2=0.05, clump_kilobases=500, p_value=1e-5, palindromic="as_written")
    found = mendelian(*traits(root), options=options, genotypes=source)
    assert found.estimates["exposure"].unique().to_list() == ["PT:feature"]
    chosen = found.instruments["variant_id"].str.strip_prefix("rs").cast(pl.Int64).to_numpy()
    assert len(set(chosen // 6)) == chosen.size  # one a block of linked variants
    assert chosen.size >= 0.6 * causal.size
    by_method = {row["method"]: row for row in found.estimates.iter_rows(named=True)}
    assert set(by_method) == {
        "inverse variance, random effects", "inverse variance, fixed effect", "Egger", "weighted median",
        "simple median", "weighted mode",
    }  # fmt: skip
    main = by_method["inverse variance, random effects"]
    assert main["lower"] < EFFECT < main["upper"]
    assert main["neg_log_10_p_value"] > 20
    # the same from the arrays alone
    rows = found.instruments
    columns = ("beta_exposure", "standard_error_exposure", "beta_outcome", "standard_error_outcome")
    again = inverse_variance(Instruments(*(rows[c].to_numpy() for c in columns)))
    assert (again.estimate, again.standard_error) == (main["estimate"], main["standard_error"])
    checks = found.checks.row(0, named=True)
    assert checks["direction"] is True
    assert checks["min_f"] > 20
    assert 0.5 < checks["i2_gx"] <= 1
    assert checks["intercept_neg_log_10_p_value"] < 3
    assert found.leave_one_out.height == rows.height
    outcomes = dict(found.harmonisation.select("outcome", "count").iter_rows())
    assert outcomes.get("swapped", 0) > 0
    assert sum(outcomes.values()) == rows.height
    assert any("PT:noise" in (p.item or "") for p in found.problems)


def test_exchanging_exposure_and_outcome_is_noticed(two_samples):
    root, *_ = two_samples
    exposure, outcome = traits(root, phenotypes=["PT:feature"])
    options = MendelianOptions(p_value=1e-5, clump_kilobases=500, palindromic="as_written")
    assert mendelian(exposure, outcome, options=options).checks["direction"].to_list() == [True]
    assert mendelian(outcome, exposure, options=options).checks["direction"].to_list() == [False]


def test_without_genotypes_distance_decides_and_palindromes_are_judged(two_samples):
    root, *_ = two_samples
    exposure, outcome = traits(root, phenotypes=["PT:feature"])
    near = mendelian(exposure, outcome, options=MendelianOptions(p_value=1e-5, clump_kilobases=500))
    assert any("no genotypes" in p.got for p in near.problems)
    places = near.instruments.sort("chromosome", "base_pair_location")
    for _, part in places.group_by("chromosome"):
        assert (part["base_pair_location"].diff().drop_nulls() > 500_000).all()
    strict = MendelianOptions(p_value=1e-5, clump_kilobases=500, palindromic="set_aside")
    aside = mendelian(exposure, outcome, options=strict)
    letters = aside.instruments.select(pl.concat_str("effect_allele", "other_allele")).to_series()
    assert not letters.is_in(["AT", "TA", "CG", "GC"]).any()
    assert aside.harmonisation.filter(pl.col("outcome") == "palindromic")["count"].sum() > 0
    alone = mendelian(exposure, outcome, options=strict, instruments=["rs0", "rs6"])
    assert set(alone.instruments["variant_id"]) <= {"rs0", "rs6"}
    with pytest.raises(TableError, match="none of the 1 instruments"):
        mendelian(exposure, outcome, instruments=["nobody"])
    one = choose(
        pl.DataFrame(
            {
                "chromosome": ["1", "1", "2"],
                "base_pair_location": [1, 900_000, 5],
                "neg_log_10_p_value": [9.0, 10.0, 8.0],
            }
        ),
        None,
        None,
        0.1,
        1000,
    )
    assert one["base_pair_location"].to_list() == [900_000, 5]


def test_the_command_writes_tables_and_a_page_with_its_figures(two_samples, tmp_path):
    root, *_ = two_samples
    words = ["mr", str(root / "gwas_exposure"), str(root / "gwas_outcome"), "--out", str(tmp_path / "mr")]
    words += [
        "--phenotype",
        "PT:feature",
        "--p-value",
        "1e-5",
        "--clump-kb",
        "500",
        "--genotypes",
        str(root / "exposure"),
    ]
    ran = CliRunner().invoke(app, words)
    assert ran.exit_code == 0, ran.output
    assert "PT:feature → score, inverse variance, random effects" in ran.output
    for name in (n for n in TABLES if n.startswith("mendelian/")):
        frame = pl.read_parquet(tmp_path / f"mr/{name}.parquet")
        assert frame.schema == TABLES[name].schema
        assert frame.height
        assert (tmp_path / f"mr/{name}.csv").is_file()
    page = build(tmp_path / "mr")
    assert page.count("data:image/svg+xml") >= 4
    assert "Mendelian randomisation" in page
    assert "Wald ratio" in page
    again = write_mendelian(
        *traits(root, phenotypes=["PT:feature"]), tmp_path / "mr",
        options=MendelianOptions(p_value=1e-5, clump_kilobases=500), genotypes=PlinkSource(root / "exposure"),
    )  # fmt: skip
    assert again.estimates.equals(pl.read_parquet(tmp_path / "mr/mendelian/estimates.parquet"))


def test_what_cannot_be_estimated_is_told(two_samples, tmp_path):
    root, *_ = two_samples
    exposure, outcome = traits(root)
    with pytest.raises(FitError, match="no instrument of 2 exposures"):
        mendelian(exposure, outcome, options=MendelianOptions(p_value=1e-300))
    frame = pl.DataFrame(
        {"subject": [f"outcome{i}" for i in range(1800)], "x": np.random.default_rng(1).normal(size=1800)}
    )
    gwas(
        PlinkSource(root / "outcome"),
        frame,
        None,
        tmp_path / "few",
        options=GenotypeOptions(min_maf=0, min_call_rate=0),
    )
    few = open_traits(tmp_path / "few")
    with pytest.raises(ConfigError, match="only rows of 'x'"):
        mendelian(exposure, few)
    with pytest.raises(ConfigError, match="only rows of the exposure"):
        mendelian(few, outcome, options=MendelianOptions(p_value=0.01))
    with pytest.raises(ConfigError, match="did you mean"):
        open_traits(root / "gwas_exposure", ["PT:featur"])
    for wrong, match in (
        ({"p_value": 0.0}, "p_value"), ({"clump_r2": 1.0}, "clump_r2"), ({"match": "rsid"}, "match"),
        ({"draws": 5}, "draws"), ({"palindromic": "x"}, "palindromic"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=match):
            MendelianOptions(**wrong)
