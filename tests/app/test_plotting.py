"""Figures of a finished scan from the command line, and the page of a scan."""

import json

import matplotlib.image
import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from radiolocus.app.cli import app
from radiolocus.app.plotting import PlotOrder, draw
from radiolocus.associate.query import query
from radiolocus.errors import ConfigError, StoreError, TableError
from radiolocus.read.plink import PlinkSource, write_plink
from radiolocus.report.figures_gwas import associations_of
from radiolocus.report.genomewide import Scan
from radiolocus.simulate.genotypes import simulate_genotypes

N = 160


def call(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plots")
    rng = np.random.default_rng(3)
    made = simulate_genotypes(rng, N, 240, chromosomes=4, block=20)
    names = [f"s{i}" for i in range(N)]
    write_plink(folder / "g", made.dosage, made.variants.drop("block"), names)
    values = {f"{image}:f{i}": rng.normal(size=N) for image in ("CT", "PET") for i in range(4)}
    values["CT:f1"] += 1.5 * np.nan_to_num(made.dosage[110])
    values["PET:f2"] -= 1.4 * np.nan_to_num(made.dosage[110])
    pl.DataFrame({"#IID": names} | values).write_csv(folder / "pheno.tsv", separator="\t")
    ill = (values["CT:f1"] > 1.5).astype(int)
    pl.DataFrame({"#IID": names, "ill": ill}).write_csv(folder / "ill.tsv", separator="\t")
    order = ["gwas", folder / "g", "--pheno", folder / "pheno.tsv", "--p-value", "1e-3", "--jobs", "1"]
    done = call(*order, "--out", folder / "out", "--report", "--multi-trait")
    assert done.exit_code == 0, done.output
    assert f"report: {folder / 'out' / 'report.html'}" in done.stdout
    done = call(*order, "--out", folder / "effects", "--effects", "--all-rows", "CT:f1")
    assert done.exit_code == 0, done.output
    place = made.variants.row(110, named=True)
    genes = (
        f"chr{place['chromosome']}\t{place['base_pair_location'] - 5000}\t{place['base_pair_location'] + 3000}\tABC1\n"
    )
    (folder / "genes.bed").write_text(genes)
    return folder, place["variant_id"]


def test_the_page_of_a_scan_says_how_many_tests_were_made_and_every_threshold(files):
    folder, lead = files
    page = (folder / "out/report.html").read_text()
    told = json.loads((folder / "out/sumstats/told.json").read_text())
    tests = f"{told['tests']:,}".replace(",", "\u202f")
    for words in (
        f"Thresholds: {tests} tests were made", "5 × 10⁻⁸ / effective number of phenotypes", "Bonferroni",
        "Benjamini–Hochberg", "Manhattan plot", "Quantile–quantile", "Heat map of", "MOSTest", lead,
        "by least squares, without covariates", "Genome-wide scan of g",
    ):  # fmt: skip
        assert words in page, words
    assert str(folder) not in page


KINDS = [
    ("manhattan", []),
    ("manhattan", ["--phenotype", "CT:f1", "--phenotype", "PET:f2"]),
    ("qq", []),
    ("qq", ["--phenotype", "CT:f0"]),
    ("miami", ["--phenotype", "CT:f1", "--phenotype", "PET:f2"]),
    ("miami", ["--phenotype", "CT:f1"]),
    ("regional", ["--phenotype", "CT:f1", "--window", "60000"]),
    ("heatmap", []),
]


@pytest.mark.parametrize(("kind", "more"), KINDS)
def test_every_kind_is_drawn_and_says_what_is_missing_in_it(files, tmp_path, kind, more):
    folder, _ = files
    out = tmp_path / "figure.png"
    done = call("plot", folder / "out", kind, *more, "--out", out)
    assert done.exit_code == 0, done.output
    pixels = matplotlib.image.imread(out)
    assert pixels.shape[0] > 250
    assert pixels[..., :3].std() > 0.05
    named = {"CT:f1", "PET:f2"} & set(more)
    told = {"heatmap": "star: p < 5 × 10⁻⁸", "qq": "histogram of all tests"}.get(
        kind, "not kept" if named else "Lines: "
    )
    assert told in done.stdout


@pytest.mark.parametrize("ending", ["svg", "pdf"])
def test_the_same_figure_has_the_same_bytes(files, tmp_path, ending):
    folder, lead = files
    twice = [tmp_path / f"{i}.{ending}" for i in range(2)]
    for out in twice:
        assert call("plot", folder / "out", "phewas", "--rsid", lead, "--out", out).exit_code == 0
    assert twice[0].read_bytes() == twice[1].read_bytes()


def test_a_regional_plot_is_coloured_by_linkage_in_the_analysed_subjects(files):
    folder, lead = files
    order = PlotOrder(folder / "out", ("CT:f1",), window=50_000, genotypes=folder / "g", genes=folder / "genes.bed")
    drawn = draw("regional", order)
    assert f"Diamond: {lead}." in drawn.caption
    assert f"r² among {N} subjects" in drawn.caption
    assert any(text.get_text() == "ABC1" for axes in drawn.figure.axes for text in axes.texts)
    source = PlinkSource(folder / "g")
    dosage = source.read(np.arange(N), 100, 120).dosage.astype(float)
    colours = {}
    for collection in drawn.figure.axes[0].collections:
        for x, _ in collection.get_offsets():
            colours[int(x)] = collection.get_label()
    bins = ["r² < 0.2", "r² 0.2–0.4", "r² 0.4–0.6", "r² 0.6–0.8", "r² ≥ 0.8"]
    checked = 0
    for i in range(20):
        place = int(source.variants["base_pair_location"][100 + i])
        both = ~np.isnan(dosage[i]) & ~np.isnan(dosage[10])
        r2 = np.corrcoef(dosage[i][both], dosage[10][both])[0, 1] ** 2
        if i != 10 and place in colours:
            assert colours[place] == bins[min(int(r2 * 5), 4)], (i, r2)
            checked += 1
    assert checked >= 2


def test_effects_give_the_phenotypes_whose_rows_were_not_kept(files):
    folder, lead = files
    few, every = (associations_of(Scan.of(folder / name), [lead]) for name in ("out", "effects"))
    assert few.height < every.height == 8
    assert (
        call("gwas", folder / "g", "--pheno", folder / "pheno.tsv", "--p-value", "1", "--out", folder / "all").exit_code
        == 0
    )
    exact = query(folder / "all", rsid=[lead]).sort("phenotype")
    found = every.sort("phenotype")
    np.testing.assert_allclose(found["neg_log_10_p_value"], exact["neg_log_10_p_value"], rtol=2e-5)
    np.testing.assert_allclose(found["beta"], exact["beta"], rtol=2e-5)
    told = draw("phewas", PlotOrder(folder / "effects", rsid=lead)).caption
    assert "not kept" not in told
    missing = 8 - few.height
    assert (
        f"{missing} phenotypes with p > 0.0010 were tested, but not kept"
        in draw("phewas", PlotOrder(folder / "out", rsid=lead)).caption
    )


def test_binary_phenotypes_are_drawn_as_others_are(files, tmp_path):
    folder, _ = files
    order = ["gwas", folder / "g", "--pheno", folder / "ill.tsv", "--binary", "--p-value", "1", "--out", tmp_path / "b"]
    assert call(*order, "--report").exit_code == 0
    page = (tmp_path / "b/report.html").read_text()
    assert "log odds ratio" in page
    assert "Dey R" in page
    for kind, more in (("manhattan", []), ("qq", ["--phenotype", "ill"]), ("regional", ["--phenotype", "ill"])):
        done = call("plot", tmp_path / "b", kind, *more, "--out", tmp_path / "x.svg")
        assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("kind", "asked", "error", "words"),
    [
        ("pie", {}, ConfigError, "figure 'pie'"),
        ("phewas", {}, ConfigError, "no variant for a PheWAS plot"),
        ("phewas", {"rsid": "rs0"}, ConfigError, "no tested variant 'rs0'"),
        ("regional", {}, ConfigError, "0 phenotypes in a regional plot"),
        ("regional", {"phenotypes": ("CT:f0",), "region": "4:1-2"}, ConfigError, "no row of 'CT:f0' was kept there"),
        ("miami", {}, ConfigError, "0 phenotypes in a Miami plot"),
        ("manhattan", {"phenotypes": ("CT:fo",)}, ConfigError, "no phenotype 'CT:fo'"),
        ("qq", {"binary": True}, StoreError, "no finished scan"),
    ],
)
def test_what_cannot_be_drawn_is_refused(files, kind, asked, error, words):
    folder, _ = files
    with pytest.raises(error, match=words):
        draw(kind, PlotOrder(folder / "out", **asked))


def test_other_genotypes_and_other_endings_are_refused(files, tmp_path):
    folder, _ = files
    source = PlinkSource(folder / "g")
    write_plink(
        tmp_path / "o", source.read(np.arange(N), 0, 9).dosage, source.variants.head(9), [f"t{i}" for i in range(N)]
    )
    with pytest.raises(TableError, match="0 of 160 analysed subjects"):
        draw("regional", PlotOrder(folder / "out", ("CT:f1",), genotypes=tmp_path / "o"))
    drawn = draw("qq", PlotOrder(folder / "out"))
    with pytest.raises(ConfigError, match=r"figure 'x.jpg'.*\.svg, \.png or \.pdf"):
        drawn.write(tmp_path / "x.jpg")
