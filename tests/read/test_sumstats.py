"""Summary statistics of others: what is read of every layout, and what is said of what cannot be used."""

from __future__ import annotations

import gzip
import hashlib

import numpy as np
import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from radiolocus.errors import ConfigError, FormatError
from radiolocus.read.sumstats import COLUMNS, open_sumstats, read_sumstats

SSF = "chromosome\tbase_pair_location\teffect_allele\tother_allele\tbeta\tstandard_error\teffect_allele_frequency\tp_value\trsid\tn\n"  # noqa: E501


def ssf(tmp_path, *lines, head=SSF, name="x.tsv"):
    path = tmp_path / name
    path.write_text(head + "".join(line.replace(" ", "\t") + "\n" for line in lines))
    return path


def told(found):
    return {p.got.split(" (first")[0]: (p.severity, p.count) for p in found.problems}


def test_gwas_ssf_with_its_metadata(tmp_path):
    path = ssf(
        tmp_path,
        "1 100 a G 0.1 0.02 0.3 5.7e-7 rs1 #NA",
        "23 200 T C -0.2 0.05 0.4 6e-5 #NA 90",
        "25 3 A C 0.1 0.1 0.1 0.32 rs3 90",
    )
    meta = {
        "genome_assembly": "GRCh38",
        "coordinate_system": "0-based",
        "samples": [{"sample_size": 60}, {"sample_size": 40}],
        "data_file_md5sum": hashlib.md5(path.read_bytes()).hexdigest(),
    }
    (tmp_path / "x.tsv-meta.yaml").write_text(yaml.safe_dump(meta))
    found = read_sumstats(path)
    assert found.rows.schema == COLUMNS
    assert found.rows["chromosome"].to_list() == ["1", "X", "MT"]
    assert found.rows["base_pair_location"].to_list() == [101, 201, 4]
    assert found.rows["n"].to_list() == [100, 90, 90]
    assert found.rows["effect_allele"][0] == "A"
    assert found.rows["variant_id"].to_list() == ["rs1", None, "rs3"]
    assert found.rows["neg_log_10_p_value"].to_list() == pytest.approx([6.2441, 4.2218, 0.4949], abs=1e-4)
    assert open_sumstats(path).assembly == "GRCh38"
    assert told(found) == {"positions counted from 0 were raised by 1": ("note", 1)}
    path.write_text(path.read_text() + "\n")
    assert any("not the one that its metadata describe" in p.got for p in read_sumstats(path).problems)


def test_odds_ratios_intervals_and_p_values_below_floating_point(tmp_path):
    head = "chromosome\tbase_pair_location\teffect_allele\tother_allele\todds_ratio\tci_lower\tci_upper\teffect_allele_frequency\tp_value\n"  # noqa: E501
    ends = np.exp(0.5 + np.array([-1, 1]) * 1.959963984540054 * 0.01)
    path = ssf(tmp_path, f"2 5 A G {np.exp(0.5):.10f} {ends[0]:.10f} {ends[1]:.10f} 0.2 2.5e-545", head=head)
    found = read_sumstats(path)
    row = found.rows.row(0, named=True)
    assert row["beta"] == pytest.approx(0.5, abs=1e-9)
    assert row["standard_error"] == pytest.approx(0.01, rel=1e-6)
    assert row["neg_log_10_p_value"] == pytest.approx(545 - np.log10(2.5), abs=1e-9)
    assert row["statistic"] == pytest.approx(50, rel=1e-6)
    assert "a p-value that is not that of beta and its error" not in told(found)


def test_plink2_names_the_other_allele_of_the_tested_one(tmp_path):
    head = "#CHROM\tPOS\tID\tREF\tALT\tA1\tA1_FREQ\tTEST\tOBS_CT\tOR\tLOG(OR)_SE\tZ_STAT\tP\tERRCODE\n"
    path = ssf(
        tmp_path, "1 10 v1 G A A 0.2 ADD 50 1.5 0.1 4.05 5e-5 .", "1 11 v2 G A G 0.8 ADD 50 0.8 0.1 -2.2 0.026 .",
        "X 12 v3 G A,T T 0.1 ADD 50 1.1 0.1 0.95 0.34 .", "1 10 v1 G A A 0.2 SEX 50 1.5 0.1 4.05 5e-5 .",
        "25 13 v4 G A A 0.2 ADD 50 NA NA NA NA UNFINISHED", head=head, name="y.glm.logistic",
    )  # fmt: skip
    found = read_sumstats(path)
    pairs = list(found.rows.select("variant_id", "effect_allele", "other_allele").iter_rows())
    assert pairs == [("v1", "A", "G"), ("v2", "G", "A"), ("v3", "T", "G")]
    assert found.rows["beta"].to_list() == pytest.approx(list(np.log([1.5, 0.8, 1.1])))
    notes = told(found)
    assert notes["rows of other terms than the additive effect are passed over"] == ("note", 1)
    assert notes["the program gave no result for the variant"] == ("note", 1)


def test_regenie_and_gzip(tmp_path):
    text = "CHROM GENPOS ID ALLELE0 ALLELE1 A1FREQ N TEST BETA SE CHISQ LOG10P EXTRA\n1 5 a C T 0.3 100 ADD 0.2 0.1 4 1.34 NA\n24 6 b C T 0.3 100 ADD 0.2 0.1 4 400 NA\n"  # noqa: E501
    path = tmp_path / "z.regenie.gz"
    path.write_bytes(gzip.compress(text.encode()))
    found = read_sumstats(path)
    assert found.rows.select("chromosome", "effect_allele", "other_allele", "n").rows() == [
        ("1", "T", "C", 100), ("Y", "T", "C", 100),
    ]  # fmt: skip
    wrong = next(p for p in found.problems if "is not that of beta" in p.got)
    assert wrong.count == 1
    assert "line 3: |beta| / standard error = 2, by the p-value 42.8" in wrong.got
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(FormatError, match="ends early"):
        read_sumstats(path)


def test_metal_and_a_table_that_needs_a_map(tmp_path):
    head = "MarkerName\tAllele1\tAllele2\tWeight\tZscore\tP-value\tDirection\n"
    found = read_sumstats(ssf(tmp_path, "1:55:A:G a g 500 -3.0 0.0027 --", "rs9 t c 500 1.0 0.317 ++", head=head))
    assert found.rows["chromosome"].to_list() == ["1", None]
    assert found.rows["statistic"].to_list() == [-3.0, 1.0]
    assert found.rows["beta"].null_count() == 2
    head = "SNP,CHR,BP,A1,A2,OR,SE,P\n"
    path = tmp_path / "t.csv"
    path.write_text(head + "rs1,1,5,A,G,1.2,0.1,0.068\n")
    with pytest.raises(FormatError, match="no effect_allele and other_allele") as caught:
        read_sumstats(path)
    assert "effect_allele=A1" in caught.value.todo
    found = read_sumstats(path, {"effect_allele": "A1", "other_allele": "A2"})
    assert found.rows["beta"][0] == pytest.approx(np.log(1.2))
    for columns, match in (
        ({"effect_alele": "A1"}, "did you mean 'effect_allele'"),
        ({"beta": "ORR"}, "did you mean 'OR'"),
    ):
        with pytest.raises(ConfigError, match=match):
            read_sumstats(path, columns)


def test_every_bad_row_is_counted_and_named(tmp_path):
    good = "1 100 A G 0.1 0.02 0.3 5.7e-7 rs1 90"
    bad = {
        "an unknown chromosome": "Un 100 A G 0.1 0.02 0.3 5e-7 rs1 90",
        "a position that is no whole number above 0": "1 100.5 A G 0.1 0.02 0.3 5e-7 rs1 90",
        "an allele that is missing, or two that are alike": "1 100 A A 0.1 0.02 0.3 5e-7 rs1 90",
        "an effect that is no finite number": "1 100 A G x 0.02 0.3 5e-7 rs1 90",
        "a standard error that is not above 0": "1 100 A G 0.1 0 0.3 5e-7 rs1 90",
        "a p-value outside 0 to 1": "1 100 A G 0.1 0.02 0.3 1.5 rs1 90",
    }
    odd = {
        "a frequency outside 0 to 1 is taken for missing": "1 101 A G 0.1 0.02 1.3 5.7e-7 rs1 90",
        "a sample size that is not above 0 is taken for missing": "1 102 A G 0.1 0.02 0.3 5.7e-7 rs1 0",
        "a p-value of 0, or none, is taken from beta and its error": "1 103 A G 1 0.02 0.3 0 rs1 90",
        "a p-value that is not that of beta and its error": "1 104 A G 0.1 0.02 0.3 0.5 rs1 90",
    }
    twice = ["1 105 C T 0.1 0.02 0.3 5.7e-7 rs5 90", "1 105 T C 0.1 0.02 0.3 5.7e-7 rs5 90"]
    found = read_sumstats(ssf(tmp_path, good, *bad.values(), *odd.values(), *twice))
    notes = told(found)
    for name in bad:
        assert notes[name] == ("set aside", 1), name
    for name in odd:
        assert notes[name] == ("note", 1), name
    assert notes["variants that stand more than once"] == ("set aside", 2)
    assert found.rows["base_pair_location"].to_list() == [100, 101, 102, 103, 104]
    assert found.rows["neg_log_10_p_value"][3] > 540
    first = next(p for p in found.problems if p.got.startswith("a standard error"))
    assert "line 7: 0.1, 0" in first.got
    assert first.allowed
    assert first.where == "x.tsv"


def test_standard_errors_of_odds_ratios_are_told(tmp_path):
    lines = [f"1 {i} A G 0.4 0.3 0.3 6e-5 rs{i} 90" for i in range(1, 9)]
    found = read_sumstats(ssf(tmp_path, *lines))
    assert any("check that the standard error is that of beta" in p.todo for p in found.problems)


def test_bad_files(tmp_path):
    with pytest.raises(FormatError, match="cannot be read"):
        read_sumstats(tmp_path / "none.tsv")
    empty = tmp_path / "empty.tsv"
    empty.write_text("")
    with pytest.raises(FormatError, match="empty file"):
        read_sumstats(empty)
    short = ssf(tmp_path, "1 100 A G 0.1 0.02 0.3 5.7e-7 rs1 90", "1 100 A G")
    with pytest.raises(FormatError, match="4 fields") as caught:
        read_sumstats(short)
    assert caught.value.where == "x.tsv, line 3"
    assert read_sumstats(ssf(tmp_path)).rows.height == 0
    (tmp_path / "x.tsv-meta.yaml").write_text("a: [")
    with pytest.raises(FormatError, match="no YAML"):
        read_sumstats(short)
    with pytest.raises(FormatError, match="more than once"):
        read_sumstats(ssf(tmp_path, head="BETA\tbeta\tx\n", name="y.tsv"))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(1, 9.99), st.integers(-4000, -1)), min_size=1, max_size=8))
def test_p_values_of_any_size_are_read_in_logarithms(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("p") / "x.tsv"
    lines = [f"1\t{i + 1}\tA\tG\t0.1\t0.02\t0.3\t{m!r}e{e}\trs{i}\t9" for i, (m, e) in enumerate(values)]
    path.write_text(SSF + "\n".join(lines) + "\n")
    rows = read_sumstats(path).rows
    wanted = [-(np.log10(m) + e) for m, e in values]
    assert rows["neg_log_10_p_value"].to_list() == pytest.approx(wanted, rel=1e-12, abs=1e-12)


def test_blocks_give_what_one_block_gives(tmp_path, monkeypatch):
    lines = [f"{1 + i % 3} {i + 1} A G 0.{i + 1} 0.1 0.3 0.{i + 1} rs{i} 90" for i in range(60)]
    path = ssf(tmp_path, *lines)
    whole = read_sumstats(path)
    monkeypatch.setattr("radiolocus.read.sumstats._BLOCK", 97)
    parts = read_sumstats(path)
    assert_frame_equal(parts.rows, whole.rows, rel_tol=1e-15)
    assert parts.problems == whole.problems
    assert isinstance(next(open_sumstats(path).batches()), pl.DataFrame)
