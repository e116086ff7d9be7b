"""Circulating tumour DNA: calls, limits, status of variants, known resistance."""

import re

import numpy as np
import polars as pl
import pytest
from scipy.stats import binom

from radiolocus.errors import ConfigError, TableError
from radiolocus.read.variants import read_variants
from radiolocus.response.ctdna import ctdna
from radiolocus.response.ctdna_rules import CtdnaOptions
from radiolocus.response.known import known_resistance, one_letter
from radiolocus.simulate.blood import simulate_blood
from radiolocus.stats.proportion import detectable, exact_limits, mean_limits, ratio_limits

OPTIONS = CtdnaOptions(table="ctdna.csv")


def _table(tmp_path, rows, columns="subject,sample,day,gene,change,alt_reads,depth"):
    (tmp_path / "ctdna.csv").write_text("\n".join([columns, *rows]) + "\n", encoding="utf-8")
    return read_variants(tmp_path / "ctdna.csv").frame


def _one(tmp_path, *reads, options=OPTIONS):
    rows = [
        f"A,{'baseline' if i == 0 else f's{i}'},{28 * i},EGFR,L858R,{alt},{depth}"
        for i, (alt, depth) in enumerate(reads)
    ]
    return ctdna(_table(tmp_path, rows), options).samples


def test_calls_follow_the_rules_in_order(tmp_path):
    found = _one(tmp_path, (100, 1000), (49, 1000), (51, 1000), (10, 1000), (60, 1000), (0, 1000), (5, 1000))
    calls = ["baseline", "RESPONSE", "STABLE", "RESPONSE", "PROGRESSION", "CLEARED", "PROGRESSION"]
    assert found["molecular_response"].to_list() == calls
    assert found["change"].to_list()[1] == pytest.approx(-51.0)
    assert "found again after clearance" in found["reason"][6]


def test_a_fall_at_the_limit_is_not_certain(tmp_path):
    few = _one(tmp_path, (20, 200), (8, 200))
    many = _one(tmp_path, (2000, 20000), (800, 20000))
    assert few["molecular_response"][1] == many["molecular_response"][1] == "RESPONSE"
    assert (few["certain"][1], many["certain"][1]) == (False, True)
    assert few["probability"][1] < 0.95 < many["probability"][1]


def test_probability_is_that_of_numerical_integration(tmp_path):
    found = _one(tmp_path, (20, 200), (8, 200), options=CtdnaOptions(table="x", draws=200_000))
    grid = (np.arange(20000) + 0.5) / 20000
    from scipy.stats import beta

    before, after = beta(20.5, 180.5), beta(8.5, 192.5)
    exact = float((after.cdf(0.5 * grid) * before.pdf(grid)).mean())
    assert found["probability"][1] == pytest.approx(exact, abs=0.005)


def test_later_samples_never_change_earlier_calls(tmp_path):
    rng = np.random.default_rng(4)
    course = [(0, 1.0), (28, 0.3), (56, 0.1), (84, 0.5), (112, 1.4)]
    rows = simulate_blood(rng, "A", course, resistant_from=40.0)
    table = pl.DataFrame(rows)
    table.write_csv(tmp_path / "t.csv")
    frame = read_variants(tmp_path / "t.csv").frame
    whole = ctdna(frame, OPTIONS)
    for last in (28, 56, 84):
        part = ctdna(frame.filter(pl.col("day") <= last), OPTIONS)
        assert part.samples.equals(whole.samples.filter(pl.col("day") <= last))
    mixed = ctdna(frame.sample(fraction=1.0, shuffle=True, seed=2), OPTIONS)
    assert mixed.samples.equals(whole.samples)
    assert mixed.variants.equals(whole.variants)


def test_new_resistance_is_found_and_named(tmp_path):
    rows = simulate_blood(np.random.default_rng(1), "A", [(0, 1.0), (28, 0.2), (84, 0.2)], resistant_from=30.0)
    pl.DataFrame(rows).write_csv(tmp_path / "t.csv")
    found = ctdna(read_variants(tmp_path / "t.csv").frame, OPTIONS)
    late = found.samples.filter(pl.col("day") == 84).row(0, named=True)
    assert late["resistance"] == "EGFR T790M"
    assert late["new_variants"] == 1
    row = found.variants.filter((pl.col("variant") == "EGFR T790M") & (pl.col("day") == 84)).row(0, named=True)
    assert row["status"] == "new"
    assert "Kobayashi" in row["source"]


def test_a_variant_that_earlier_depth_could_not_show_is_not_called_new(tmp_path):
    rows = ["A,baseline,0,TP53,R175H,50,1000", "A,baseline,0,EGFR,T790M,0,110"]
    rows += ["A,s1,28,TP53,R175H,50,1000", "A,s1,28,EGFR,T790M,10,1000"]
    found = ctdna(_table(tmp_path, rows), OPTIONS).variants
    assert found.filter((pl.col("gene") == "EGFR") & (pl.col("day") == 28))["status"].item() == "new or missed before"


def test_what_was_not_looked_for_is_not_zero(tmp_path):
    rows = ["A,baseline,0,TP53,R175H,50,1000", "A,baseline,0,EGFR,L858R,40,1000", "A,s1,28,TP53,R175H,5,1000"]
    frame = _table(tmp_path, rows)
    assert ctdna(frame, OPTIONS).samples["molecular_response"][1] == "NE"
    assert "EGFR L858R" in ctdna(frame, OPTIONS).samples["reason"][1]
    told = ctdna(frame, CtdnaOptions(table="x", absent="zero")).samples
    assert told["mean_vaf"][1] == pytest.approx(0.0025)
    assert told["molecular_response"][1] == "RESPONSE"


def test_a_table_of_what_was_found_is_told_what_to_set(tmp_path):
    rows = ["A,baseline,0,TP53,R175H,50,1000", "A,s1,28,TP53,R175H,5,1000"]
    rows += ["A,s2,56,TP53,R175H,5,1000", "A,s2,56,EGFR,T790M,10,1000", "A,s3,84,TP53,R175H,0,60"]
    frame = _table(tmp_path, rows)
    found = ctdna(frame, OPTIONS)
    assert found.samples["molecular_response"].to_list() == ["baseline", "RESPONSE", "NE", "NE"]
    said = (
        "no row, so not looked for: EGFR T790M (where the table lists only variants that were found, set "
        'absent = "zero")'
    )
    assert found.samples["reason"].to_list()[2:] == [
        f"at baseline: {said}",
        f"fewer than 100 reads (min_depth), not covered: TP53 R175H; {said}",
    ]
    (note,) = found.problems
    assert note.got.startswith("2 samples of 1 subject are NE because a followed variant has no row there")
    assert (note.severity, note.count, note.where) == ("note", 2, "response.ctdna.absent")
    assert 'set absent = "zero" (--ctdna-absent zero)' in note.todo
    zero = ctdna(frame, CtdnaOptions(table="x", absent="zero"))
    assert zero.samples["molecular_response"].to_list() == ["baseline", "RESPONSE", "RESPONSE", "NE"]
    assert zero.problems == ()


def test_too_little_depth_is_not_covered(tmp_path):
    found = _one(tmp_path, (100, 1000), (0, 60))
    assert found["molecular_response"][1] == "NE"
    assert _one(tmp_path, (100, 1000), (0, 120))["molecular_response"][1] == "CLEARED"


def test_exactly_one_half_is_no_response(tmp_path):
    found = _one(tmp_path, (100, 1000), (50, 1000), (49, 1000))
    assert found["molecular_response"].to_list() == ["baseline", "STABLE", "RESPONSE"]


@pytest.mark.parametrize(("definition", "call"), [("fall50", "RESPONSE"), ("log2", "RESPONSE"), ("log2.5", "STABLE")])
def test_definitions_differ(tmp_path, definition, call):
    found = _one(tmp_path, (4000, 10000), (30, 10000), options=CtdnaOptions(table="x", definition=definition))
    assert found["molecular_response"][1] == call


def test_genes_of_blood_are_left_out_or_named(tmp_path):
    rows = ["A,baseline,0,DNMT3A,R882H,50,1000", "A,baseline,0,EGFR,L858R,40,1000"]
    frame = _table(tmp_path, rows)
    assert "clonal haematopoiesis" in ctdna(frame, OPTIONS).problems[0].got
    left = ctdna(frame, CtdnaOptions(table="x", exclude_genes=("DNMT3A",)))
    assert left.samples["variants"].to_list() == [1]
    assert left.problems[0].count == 1


def test_fractions_without_reads_have_no_limits(tmp_path):
    rows = ["A,baseline,0,EGFR,L858R,0.1", "A,s1,28,EGFR,L858R,0.01"]
    found = ctdna(_table(tmp_path, rows, "subject,sample,day,gene,change,vaf"), OPTIONS).samples
    assert found["molecular_response"][1] == "RESPONSE"
    assert found.select("change_upper", "probability", "mean_lower").row(1) == (None, None, None)
    assert not found["certain"][1]


def test_limits_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(3)
    truth = np.array([0.02, 0.01, 0.004])
    hits = {"mean": 0, "ratio": 0}
    for _ in range(400):
        means = []
        for scale in (1.0, 0.4):
            alt = rng.binomial(1500, truth * scale)
            lower, upper = exact_limits(alt, 1500)
            means.append(mean_limits(alt / 1500, lower, upper))
        hits["mean"] += means[0][1] <= truth.mean() <= means[0][2]
        ratio = ratio_limits(means[1], means[0])
        hits["ratio"] += ratio[1] <= 0.4 <= ratio[2]
    # exact limits are conservative: at least 95 %, less four standard errors of 400
    assert min(hits.values()) >= 400 * (0.95 - 4 * np.sqrt(0.95 * 0.05 / 400))


def test_detectable_is_the_fraction_that_gives_the_reads():
    for reads, depth in ((1, 300), (2, 1000), (5, 5000)):
        fraction = float(detectable(reads, depth))
        assert binom.sf(reads - 1, depth, fraction) == pytest.approx(0.95, abs=1e-9)
    assert float(detectable(3, 2)) == 1.0


def test_known_mutations_are_matched_whatever_their_spelling():
    known = known_resistance()
    assert one_letter("p.(Thr790Met)") == "T790M"
    for gene, change, treatment in (
        ("EGFR", "p.Thr790Met", "gefitinib"),
        ("egfr", "C797S", "osimertinib"),
        ("ESR1", "p.D538G", "aromatase"),
        ("KRAS", "G12D", "cetuximab"),
        ("ABL1", "T315I", "imatinib"),
        ("JAK1", "p.Q503*", "pembrolizumab"),
        ("B2M", "L15fs*41", "pembrolizumab"),
    ):
        assert treatment in known.find(gene, change)[0], (gene, change)
    assert known.find("EGFR", "L858R") == known.find("JAK1", "V658F") == known.find(None, None) == ("", "")


def test_every_known_mutation_has_its_paper():
    frame = known_resistance().frame
    assert known_resistance().version == "version 1"
    assert frame.select("gene", "change").is_duplicated().sum() == 0
    for doi, pmid, citation in frame.select("doi", "pmid", "citation").iter_rows():
        assert re.fullmatch(r"10\.\d{4,5}/\S+", doi)
        assert pmid is None or re.fullmatch(r"\d{8}", pmid)
        assert re.search(r" \d{4};\d+:\w+$", citation)


def test_the_user_may_bring_his_own_table(tmp_path):
    file = tmp_path / "known.csv"
    file.write_text("gene,change,treatment,citation\nMET,D1228[NHV],capmatinib,own\n", encoding="utf-8")
    assert known_resistance(file).find("MET", "D1228N") == ("capmatinib", "own")
    file.write_text("gene,change,treatment,citation\nMET,D1228(,capmatinib,own\n", encoding="utf-8")
    with pytest.raises(TableError, match=r"known.csv, row 2: change 'D1228\('"):
        known_resistance(file)
    file.write_text("gene,change,treatment\nMET,D,capmatinib\n", encoding="utf-8")
    with pytest.raises(TableError, match="no column 'citation'"):
        known_resistance(file)


@pytest.mark.parametrize(
    ("change", "part"),
    [({"definition": "half"}, "definition"), ({"limit": 1.5}, "limit = 1.5"), ({"table": ""}, "table is empty")],
)
def test_options_that_cannot_be_followed(change, part):
    with pytest.raises(ConfigError, match=part):
        CtdnaOptions(**({"table": "x"} | change))
