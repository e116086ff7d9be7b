"""Meta-analysis from files to results: against a twin, PLINK 1.9, and one analysis of all subjects together."""

from __future__ import annotations

import gzip
import shutil
import subprocess

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from naive.alleles import COMPLEMENT
from naive.meta import combined
from radiolocus.associate.cohorts import CohortOrder, open_cohort, parse_order, phenotype_files
from radiolocus.associate.export import export
from radiolocus.associate.genomewide import gwas
from radiolocus.associate.gwas import GwasOptions
from radiolocus.associate.meta import meta
from radiolocus.associate.meta_window import MetaOptions
from radiolocus.associate.query import query
from radiolocus.errors import ConfigError, FormatError
from radiolocus.genome.qc import GenotypeOptions
from radiolocus.read.plink import PlinkSource, write_plink

COLUMNS = [
    "chromosome", "base_pair_location", "effect_allele", "other_allele", "beta", "standard_error",
    "effect_allele_frequency", "p_value", "rsid", "n",
]  # fmt: skip


def cohorts_of(seed, variants=120, cohorts=3, strands=0.3):
    """Rows of one truth: alleles exchanged, strands turned, palindromes, gaps, a wrong frequency, a third allele."""
    rng = np.random.default_rng(seed)
    pairs = [a + b for a in "ACGT" for b in "ACGT" if a != b]
    truth = [(str(1 + i % 3), 1000 + i // 2 * 10, *rng.choice(pairs), rng.uniform(0.1, 0.9)) for i in range(variants)]
    truth = [t for i, t in enumerate(truth) if i % 2 == 0 or i % 14 == 1]
    seen, unique = set(), []
    for t in truth:
        place = (t[0], t[1])
        if place not in seen:
            seen.add(place)
            unique.append(t)
    out = []
    for c in range(cohorts):
        rows = []
        n = int(rng.integers(300, 900))
        for i, (chromosome, place, e, o, f) in enumerate(unique):
            if rng.random() < 0.12:
                continue
            b, s = rng.normal(0.05, 0.1), rng.uniform(0.02, 0.1)
            mine = float(np.clip(f + rng.normal(0, 0.02), 0.02, 0.98))
            effect, other = str(e), str(o)
            if rng.random() < 0.4:
                effect, other, b, mine = other, effect, -b, 1 - mine
            if rng.random() < strands:
                effect, other = COMPLEMENT[effect], COMPLEMENT[other]
            if i % 23 == 5 and c == 2:
                mine = 1 - mine
            if i % 17 == 3 and c == 1:
                effect, other = "AT", "A"
            row = (chromosome, place, effect, other, b, s, mine, None, f"rs{i}", n)
            rows.append(dict(zip(COLUMNS, row, strict=True)))
        out.append(rows)
    return out


def write(rows, path):
    frame = pl.DataFrame(rows, schema_overrides={"p_value": pl.Float64}, infer_schema_length=None)
    data = frame.write_csv(separator="\t", null_value="#NA").encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("palindromic", ["frequency", "set_aside", "as_written"])
def test_every_variant_is_that_of_the_twin(tmp_path, palindromic):
    cohorts = cohorts_of(4)
    orders = [CohortOrder(f"c{i}", write(rows, tmp_path / f"c{i}.tsv.gz")) for i, rows in enumerate(cohorts)]
    done = meta(orders, tmp_path / "out", options=MetaOptions(palindromic=palindromic))
    found = query(tmp_path / "out", phenotype=["phenotype"])
    count = 0
    for chromosome in ("1", "2", "3"):
        parts = [[r for r in rows if r["chromosome"] == chromosome] for rows in cohorts]
        wanted = {k: v for k, v in combined(parts, palindromic).items() if v is not None}
        here = found.filter(pl.col("chromosome") == chromosome)
        assert here.height == len(wanted)
        count += here.height
        for row in here.iter_rows(named=True):
            twin = wanted[row["base_pair_location"], row["effect_allele"], row["other_allele"]]
            signs = twin.pop("direction")
            direction = "".join(signs.get(c, "?") for c in range(3))
            assert row["direction"] == direction
            for name, value in twin.items():
                assert row[name] == pytest.approx(value, rel=1e-9, abs=1e-12), name
    assert (done.tests, done.rows, done.variants) == (count, count, count)
    harmony = pl.read_parquet(tmp_path / "out/sumstats/harmonisation.parquet")
    counted = harmony.group_by("cohort", maintain_order=True).agg(pl.col("count").sum())["count"]
    far = harmony.filter(pl.col("outcome") == "frequency")["count"].sum()
    assert far > 0
    assert counted.sum() == sum(len(rows) for rows in cohorts) + far
    assert harmony.filter(pl.col("outcome") == "other_alleles")["count"].sum() > 0


@pytest.mark.skipif(shutil.which("plink1.9") is None, reason="plink1.9 is not installed (Debian package plink1.9)")
def test_fixed_and_random_effects_are_those_of_plink(tmp_path):
    cohorts = cohorts_of(9, strands=0.0)
    names = {
        "rsid": "SNP",
        "chromosome": "CHR",
        "base_pair_location": "BP",
        "effect_allele": "A1",
        "other_allele": "A2",
        "beta": "BETA",
        "standard_error": "SE",
    }
    files = []
    for i, rows in enumerate(cohorts):
        plain = [r for r in rows if {r["effect_allele"], r["other_allele"]} not in ({"A", "T"}, {"C", "G"})]
        write(plain, tmp_path / f"c{i}.tsv")
        frame = pl.DataFrame(plain, infer_schema_length=None).select(*names).rename(names)
        frame.with_columns(P=pl.lit(0.5)).write_csv(tmp_path / f"p{i}", separator="\t")
        files.append(tmp_path / f"p{i}")
    command = ["plink1.9", "--meta-analysis", *files, "+", "qt", "report-all", "--out", tmp_path / "theirs"]
    subprocess.run(command, check=True, capture_output=True)
    lines = [line.split() for line in (tmp_path / "theirs.meta").read_text().splitlines()]
    theirs = {row[2]: dict(zip(lines[0], row, strict=True)) for row in lines[1:]}
    options = MetaOptions(max_frequency_difference=1.0)
    meta([CohortOrder(f"c{i}", tmp_path / f"c{i}.tsv") for i in range(3)], tmp_path / "out", options=options)
    ours = query(tmp_path / "out", phenotype=["phenotype"])
    compared = 0
    for row in ours.iter_rows(named=True):
        other = theirs[row["variant_id"]]
        if int(other["N"]) != row["cohorts"] or other["BETA"] == "NA":
            continue  # PLINK takes another pair of alleles for the first file's
        sign = 1 if other["A1"] == row["effect_allele"] else -1
        assert sign * row["beta"] == pytest.approx(float(other["BETA"]), abs=6e-5)
        assert sign * row["random_beta"] == pytest.approx(float(other["BETA(R)"]), abs=6e-5)
        for mine, name in (
            ("neg_log_10_p_value", "P"),
            ("random_neg_log_10_p_value", "P(R)"),
            ("q_neg_log_10_p_value", "Q"),
        ):
            assert 10 ** -row[mine] == pytest.approx(float(other[name]), rel=2e-3, abs=6e-5)
        assert 100 * row["i2"] == pytest.approx(float(other["I"]), abs=0.006)
        compared += 1
    assert compared > 25


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    """One cohort cut in two, each scanned alone, and both together with the cut as a covariate."""
    root = tmp_path_factory.mktemp("split")
    rng = np.random.default_rng(2)
    m, n = 60, 400
    dosage = rng.binomial(2, rng.uniform(0.2, 0.8, (m, 1)), (m, n)).astype(np.float32)
    variants = pl.DataFrame(
        {
            "chromosome": ["1"] * 40 + ["22"] * 20, "variant_id": [f"rs{i}" for i in range(m)],
            "base_pair_location": np.arange(m) * 50 + 1, "effect_allele": ["A"] * m, "other_allele": ["G"] * m,
        }
    )  # fmt: skip
    names = [f"s{i}" for i in range(n)]
    values = rng.normal(size=(n, 2))
    values[:, 0] += 0.5 * dosage[7]
    values[:, 1] += 0.12 * dosage[20:40].sum(axis=0)
    frame = pl.DataFrame({"subject": names, "PT:a": values[:, 0], "PT:b": values[:, 1]})
    half = np.arange(n) < 150
    turned = variants.rename({"effect_allele": "other_allele", "other_allele": "effect_allele"})
    everything = GenotypeOptions(min_maf=0, min_call_rate=0)
    for name, who, table, counts in (("a", half, variants, dosage), ("b", ~half, turned, 2 - dosage)):
        write_plink(root / name, counts[:, who], table, [s for s, w in zip(names, who, strict=True) if w])
        keep = GwasOptions(p_value=1.0)
        gwas(
            PlinkSource(root / name),
            frame.filter(pl.Series(who)),
            None,
            root / f"gwas_{name}",
            options=everything,
            keep=keep,
        )
    return root, dosage, frame, half


def test_two_halves_are_the_whole(split):
    root, dosage, frame, half = split
    orders = [CohortOrder("a", root / "gwas_a"), CohortOrder("b", root / "gwas_b")]
    done = meta(orders, root / "meta")
    assert (done.phenotypes, done.tests) == (2, 120)
    found = query(root / "meta", rsid=["rs7"], phenotype=["PT:a"]).row(0, named=True)
    beta, weight = [], []
    for who in (half, ~half):
        g, y = dosage[7, who].astype(float), frame["PT:a"].to_numpy()[who]
        g, y = g - g.mean(), y - y.mean()
        b = g @ y / (g @ g)
        beta.append(b)
        weight.append((g @ g) * (who.sum() - 2) / ((y - b * g) @ (y - b * g)))
    assert found["beta"] == pytest.approx(np.average(beta, weights=weight), rel=1e-4)
    assert found["standard_error"] == pytest.approx(1 / np.sqrt(sum(weight)), rel=1e-4)
    assert (found["direction"], found["n"], found["cohorts"]) == ("++", 400, 2)
    cohorts = pl.read_parquet(root / "meta/sumstats/cohorts.parquet")
    assert cohorts["rows"].to_list() == [60, 60, 60, 60]
    assert cohorts["scale"].to_list() == pytest.approx([1.0] * 4, rel=0.2)
    again = meta(orders, root / "meta")
    assert again.tests == 120


def test_a_scan_and_its_own_export_are_one_cohort(split, tmp_path):
    root, *_ = split
    for name in ("PT:a", "PT:b"):
        export(root / "gwas_b", name, tmp_path / f"x.{name}", "regenie")
        export(root / "gwas_b", name, tmp_path / f"s.{name}", "gwas-ssf", assembly="GRCh38")
    outs = []
    for i, path in enumerate((root / "gwas_b", tmp_path / "x.{phenotype}.regenie", tmp_path / "s.{phenotype}.tsv.gz")):
        meta([CohortOrder("a", root / "gwas_a"), CohortOrder("b", path)], tmp_path / f"m{i}")
        outs.append(query(tmp_path / f"m{i}", phenotype=["PT:a", "PT:b"]))
    for other in outs[1:]:
        assert other.height == outs[0].height == 120
        for name in ("beta", "standard_error", "neg_log_10_p_value", "random_beta", "effect_allele_frequency"):
            np.testing.assert_allclose(other[name], outs[0][name], rtol=1e-9)
    done = export(tmp_path / "m2", "PT:a", tmp_path / "deposit", assembly="GRCh38")
    assert done.rows == 60


def test_genomic_control_models_and_thresholds(split, tmp_path):
    root, *_ = split
    orders = [CohortOrder("a", root / "gwas_a"), CohortOrder("b", root / "gwas_b")]
    plain = query(root / "meta", phenotype=["PT:a"]) if (root / "meta/sumstats").is_dir() else None
    assert plain is not None
    meta(orders, tmp_path / "gc", options=MetaOptions(genomic_control=True))
    cohorts = pl.read_parquet(tmp_path / "gc/sumstats/cohorts.parquet")
    name = cohorts.filter(pl.col("lambda_gc") > 1)["phenotype"][0]
    cohorts = cohorts.filter(pl.col("phenotype") == name)
    inflation = np.maximum(cohorts["lambda_gc"].to_numpy(), 1.0)
    assert cohorts["corrected"].to_list() == (cohorts["lambda_gc"] > 1).to_list()
    assert (inflation > 1).any()
    halves = [query(root / f"gwas_{x}", phenotype=[name])["standard_error"].to_numpy() for x in "ab"]
    wanted = 1 / np.sqrt(sum(1 / (s**2 * k) for s, k in zip(halves, inflation, strict=True)))
    np.testing.assert_allclose(query(tmp_path / "gc", phenotype=[name])["standard_error"], wanted, rtol=1e-9)
    meta(orders, tmp_path / "z", options=MetaOptions(model="sample_size"))
    z = query(tmp_path / "z", phenotype=["PT:a"])
    assert z["beta"].null_count() == z.height
    assert np.corrcoef(z["statistic"], plain["beta"] / plain["standard_error"])[0, 1] > 0.99
    with pytest.raises(ConfigError, match="no beta"):
        export(tmp_path / "z", "PT:a", tmp_path / "x", assembly="GRCh38")
    meta(orders, tmp_path / "r", options=MetaOptions(model="random", tau2="reml", hartung_knapp=True))
    r = query(tmp_path / "r", phenotype=["PT:a"])
    assert r["beta"].to_list() == r["random_beta"].to_list()
    kept = meta(orders, tmp_path / "few", options=MetaOptions(p_value=1e-3, all_rows=("PT:b",)))
    rows = query(tmp_path / "few", phenotype=["PT:a", "PT:b"])
    assert kept.rows == rows.height == 60 + int((plain["neg_log_10_p_value"] >= 3).sum())
    assert kept.tests == 120
    summary = pl.read_parquet(tmp_path / "few/sumstats/summary.parquet")
    assert summary["tests"].to_list() == [60, 60]
    assert summary["top_variant"][0] == "rs7"


def test_files_of_many_blocks_are_read_whole(tmp_path, monkeypatch):
    orders = [CohortOrder(f"c{i}", write(rows, tmp_path / f"c{i}.tsv")) for i, rows in enumerate(cohorts_of(4))]
    whole = meta(orders, tmp_path / "whole")
    monkeypatch.setattr("radiolocus.read.sumstats._BLOCK", 400)
    parts = meta(orders, tmp_path / "parts")
    assert parts.tests == whole.tests
    rows = [query(tmp_path / name, phenotype=["phenotype"]) for name in ("whole", "parts")]
    assert_frame_equal(*rows, rel_tol=1e-12)


def test_stretches_change_nothing(split, tmp_path, monkeypatch):
    root, *_ = split
    monkeypatch.setattr("radiolocus.associate.meta._WINDOW", 30)
    monkeypatch.setattr("radiolocus.associate.meta._BIN", 200)
    orders = [CohortOrder("a", root / "gwas_a"), CohortOrder("b", root / "gwas_b")]
    meta(orders, tmp_path / "m")
    assert query(tmp_path / "m", phenotype=["PT:a"]).equals(query(root / "meta", phenotype=["PT:a"]))
    assert not (tmp_path / "m/.cohorts").exists()


def test_what_does_not_fit_is_told(split, tmp_path):
    root, *_ = split
    rows = cohorts_of(4, cohorts=2)
    a = CohortOrder("a", write(rows[0], tmp_path / "a.tsv"))
    with pytest.raises(ConfigError, match="1 cohorts"):
        meta([a], tmp_path / "o")
    with pytest.raises(ConfigError, match="two cohorts called 'a'"):
        meta([a, a], tmp_path / "o")
    with pytest.raises(ConfigError, match="no phenotype that enough cohorts have") as caught:
        meta([a, CohortOrder("ours", root / "gwas_a")], tmp_path / "o1")
    assert "{phenotype}" in caught.value.todo
    scaled = [{**r, "beta": 40 * r["beta"], "standard_error": 40 * r["standard_error"]} for r in rows[1]]
    b = CohortOrder("b", write(scaled, tmp_path / "b.tsv"))
    done = meta([a, b], tmp_path / "o2")
    assert any("are they in one unit?" in got for got in done.problems["got"])
    elsewhere = [{**r, "base_pair_location": r["base_pair_location"] + 100_000} for r in rows[1]]
    moved = CohortOrder("b", write(elsewhere, tmp_path / "moved.tsv"))
    with pytest.raises(ConfigError, match="no variant that enough cohorts have") as caught:
        meta([a, moved], tmp_path / "o3")
    assert "assembly" in caught.value.todo
    for name, assembly in (("a", "GRCh37"), ("b", "GRCh38")):
        (tmp_path / f"{name}.tsv-meta.yaml").write_text(f"genome_assembly: {assembly}\n")
    with pytest.raises(ConfigError, match="assemblies that disagree: a GRCh37, b GRCh38"):
        meta([a, b], tmp_path / "o4")
    for wrong, match in (
        ({"model": "fix"}, "did you mean 'fixed'"), ({"min_cohorts": 0}, "min_cohorts = 0"),
        ({"max_frequency_difference": 0.0}, "max_frequency_difference"), ({"p_value": 0.0}, "p_value"),
        ({"margin": 0.7}, "margin"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=match):
            MetaOptions(**wrong)


def test_names_and_patterns(tmp_path):
    assert parse_order("x=a/b.tsv.gz") == CohortOrder("x", parse_order("a/b.tsv.gz").path)
    assert parse_order("a/b.tsv.gz").name == "b"
    assert parse_order("site/{phenotype}.regenie.gz").name == "site"
    for name in ("y.A.tsv", "y.B.tsv", "y.A.tsv-meta.yaml", "z.tsv"):
        (tmp_path / name).write_text("")
    assert list(phenotype_files(tmp_path / "y.{phenotype}.tsv")) == ["A", "B"]
    with pytest.raises(FormatError, match="no file like"):
        phenotype_files(tmp_path / "q.{phenotype}.tsv")
    head = "MarkerName\tAllele1\tAllele2\tEffect\tStdErr\tP-value\n"
    (tmp_path / "m.tbl").write_text(head + "rs1\ta\tg\t0.1\t0.1\t0.3\n")
    with pytest.raises(FormatError, match="1 variants without a position"):
        open_cohort(CohortOrder("m", tmp_path / "m.tbl"), tmp_path / "work")
