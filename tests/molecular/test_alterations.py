"""Levels of alterations, burden, spectrum and mutational signatures: small cases by hand, planted truth, real data."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

from radiolocus.errors import ConfigError, TableError
from radiolocus.molecular.alterations import DriverOptions, alterations, described, read_hotspots, read_pathways
from radiolocus.molecular.burden import BurdenOptions, burden, poisson_interval
from radiolocus.molecular.mutational_signatures import SignatureOptions, Signatures, fit_signatures, read_signatures
from radiolocus.molecular.spectrum import CHANNELS, spectra
from radiolocus.read.fasta import Fasta
from radiolocus.read.maf import read_maf, read_sample_list

ROWS = [
    ("IDH1", "a", "Missense_Mutation", "p.R132H", 10),
    ("IDH1", "b", "Missense_Mutation", "p.R132C", 10),
    ("IDH1", "c", "Missense_Mutation", "p.R132H", 10),
    ("IDH1", "d", "Missense_Mutation", "p.V178I", 20),
    ("IDH1", "e", "Nonsense_Mutation", "p.R132*", 10),
    ("TP53", "a", "Frame_Shift_Del", "p.K3fs", 30),
    ("TP53", "b", "Silent", "p.K3=", 31),
    ("TP53", "b", "splice_site", "", 32),
]


def maf(rows=ROWS):
    names = ["Hugo_Symbol", "Tumor_Sample_Barcode", "Variant_Classification", "HGVSp_Short", "Start_Position"]
    return pl.DataFrame(rows, names, orient="row")


def who(level, hotspots=None, least=3, pathways=None):
    rows, _ = described(maf(), {s: s.upper() for s in "abcde"}, hotspots, least)
    found = alterations(rows, level, pathways)
    return {i: "".join(p["subject"]) for (i,), p in found.group_by(["item"], maintain_order=True)}


def test_levels():
    assert who("gene") == {"IDH1": "ABCDE", "TP53": "AB"}
    assert who("loss_of_function") == {"IDH1": "E", "TP53": "AB"}
    assert who("variant") == {
        "IDH1 p.R132*": "E", "IDH1 p.R132C": "B", "IDH1 p.R132H": "AC", "IDH1 p.V178I": "D", "TP53 p.K3fs": "A",
    }  # fmt: skip
    # R132 is changed in three by a missense; the stop there is no change of the residue.
    assert who("hotspot") == {"IDH1": "ABC"}
    assert who("hotspot", least=4) == {}
    assert who("hotspot", frozenset({"IDH1 V178"})) == {"IDH1": "D"}
    assert who("pathway", pathways={"both": ("IDH1", "TP53"), "p53": ("TP53", "MDM2"), "none": ("X",)}) == {
        "both": "ABCDE",
        "p53": "AB",
    }


def test_lists_of_hotspots_and_pathways(tmp_path):
    (tmp_path / "h.csv").write_text("Gene,Residue\nIDH1,R132\nKRAS,p.G12D\n")
    assert read_hotspots(tmp_path / "h.csv") == {"IDH1 R132", "KRAS G12"}
    (tmp_path / "h.csv").write_text("gene,residue\nIDH1,132\n")
    with pytest.raises(TableError, match="residue '132'"):
        read_hotspots(tmp_path / "h.csv")
    (tmp_path / "p.csv").write_text("pathway,gene\nRTK,EGFR\nRTK,MET\nP53,TP53\n")
    assert read_pathways(tmp_path / "p.csv") == {"RTK": ("EGFR", "MET"), "P53": ("TP53",)}
    (tmp_path / "p.gmt").write_text("RTK\tna\tEGFR\tMET\n")
    assert read_pathways(tmp_path / "p.gmt") == {"RTK": ("EGFR", "MET")}
    with pytest.raises(TableError, match="allowed: a table with the columns pathway and gene"):
        read_pathways(tmp_path / "h.csv")


def test_options_that_cannot_be_followed():
    with pytest.raises(ConfigError, match="by = pathway without pathways"):
        DriverOptions(by=("pathway",))
    with pytest.raises(ConfigError, match="pathways without by"):
        DriverOptions(pathways="x.gmt")
    with pytest.raises(ConfigError, match=r"'genes'; allowed: gene, loss"):
        DriverOptions(by=("genes",))
    with pytest.raises(ConfigError, match="megabases"):
        BurdenOptions(0)


def test_burden_counts_what_it_says():
    rows, _ = described(maf(), {s: s for s in "abcde"}, None, 3)
    rows = rows.with_columns(
        depth=pl.lit(100), alternative_reads=pl.when(pl.col("subject") == "a").then(4).otherwise(50)
    )
    found = burden(rows, ["a", "b", "x"], BurdenOptions(2.0))
    assert found.select("subject", "variants", "per_megabase").rows() == [("a", 2, 1.0), ("b", 2, 1.0), ("x", 0, 0.0)]
    assert burden(rows, ["b"], BurdenOptions(2.0, synonymous=True))["variants"].item() == 3
    assert burden(rows, ["a"], BurdenOptions(2.0, min_fraction=0.05))["variants"].item() == 0
    assert burden(rows, ["a"], BurdenOptions(2.0, min_depth=101))["variants"].item() == 0
    assert found["upper"][2] == pytest.approx(-np.log(0.025) / 2)  # no event: 3.69 over the size


def test_the_interval_of_a_count_is_exact():
    lower, upper = poisson_interval(np.array([0.0, 1.0, 10.0]))
    # Garwood 1936, table: 0: 0 to 3.69; 1: 0.0253 to 5.57; 10: 4.80 to 18.39
    assert lower == pytest.approx([0, 0.0253, 4.80], abs=0.005)
    assert upper == pytest.approx([3.69, 5.57, 18.39], abs=0.005)
    assert stats.poisson.sf(9, lower[2]) == pytest.approx(0.025)


def test_96_classes():
    assert len(set(CHANNELS)) == 96
    assert CHANNELS[0] == "A[C>A]A"
    assert CHANNELS[-1] == "T[T>G]T"


def variants(rows):
    names = ["subject", "chromosome", "start", "reference_allele", "tumour_allele", "context"]
    kinds = dict.fromkeys(names, pl.String) | {"start": pl.Int64}
    return pl.DataFrame(rows, kinds, orient="row")


def test_context_of_the_file_and_of_the_genome_on_both_strands(tmp_path):
    (tmp_path / "g.fa").write_text(">chr1\nTTACGGTA\n")
    rows = [
        ("S", "1", 4, "C", "T", "TTACGGT"[:7]),  # A[C>T]G, from the file
        ("S", "1", 5, "G", "A", None),  # CGG on this strand, C[C>T]G on the other
        ("S", "1", 3, "A", "C", "xx"),  # TAC: G[T>G]A on the other strand
        ("S", "1", 3, "A", "C", None),  # the same once more
        ("S", "1", 1, "T", "C", None),  # no left neighbour
        ("S", "1", 6, "GT", "G", None),  # no substitution
    ]
    genome = Fasta(tmp_path / "g.fa")
    found, told = spectra(variants(rows), genome, "x.maf")
    assert {c: found[c].item() for c in CHANNELS if found[c].item()} == {"A[C>T]G": 1, "C[C>T]G": 1, "G[T>G]A": 1}
    assert told[0].got.startswith("1 of 4 single-base substitutions have no known neighbours")
    with pytest.raises(TableError, match=r"not the bases of g\.fa"):
        spectra(variants([("S", "1", 4, "G", "T", None)]), genome)


def cosmic(rng, n):
    profiles = rng.dirichlet(np.full(96, 0.15), n).T
    return Signatures(tuple(f"SBS{i + 1}" for i in range(n)), profiles)


def counts(subjects, matrix):
    frame = pl.DataFrame({"subject": subjects}).hstack([pl.Series(c, matrix[:, j]) for j, c in enumerate(CHANNELS)])
    return frame.with_columns(pl.col(CHANNELS).cast(pl.Float64))


def test_planted_signatures_come_out_and_the_intervals_hold_them():
    rng = np.random.default_rng(8)
    signatures = cosmic(rng, 8)
    shares = np.array([0.6, 0.3, 0.1, 0, 0, 0, 0, 0])
    n = 24
    spectrum = rng.multinomial(600, signatures.profiles @ shares, n)
    subjects = [f"S{i}" for i in range(n)]
    options = SignatureOptions("x", bootstrap=60)
    found = fit_signatures(counts(subjects, spectrum), signatures, options)
    held = 0
    for j, name in enumerate(signatures.names[:3]):
        part = found.filter(signature=name)
        assert part["share"].mean() == pytest.approx(shares[j], abs=0.02)
        held += int(((part["lower"] <= shares[j]) & (part["upper"] >= shares[j])).sum())
    # The three shares of a subject hang together, so that the count varies more than a binomial one would.
    assert held >= 0.85 * 72
    assert found["cosine"].min() > 0.9
    alone = fit_signatures(counts(subjects[3:4], spectrum[3:4]), signatures, options)
    assert alone.equals(found.filter(subject="S3"))
    assert fit_signatures(counts(["A"], spectrum[:1] // 100), signatures, options).is_empty()


def test_the_fit_is_the_least_squares_one():
    rng = np.random.default_rng(2)
    signatures = cosmic(rng, 5)
    spectrum = rng.integers(0, 9, 96)
    found = fit_signatures(counts(["A"], spectrum[None]), signatures, SignatureOptions("x", bootstrap=20))
    e = found["mutations"].to_numpy()
    slope = signatures.profiles.T @ (signatures.profiles @ e - spectrum)
    # Karush-Kuhn-Tucker: no slope where there is a share, none downhill where there is none.
    assert (e >= 0).all()
    assert abs(slope[e > 0]).max() < 1e-6
    assert slope.min() > -1e-6


def test_tables_of_cosmic(tmp_path):
    rng = np.random.default_rng(1)
    profile = rng.dirichlet(np.ones(96), 2)
    order = rng.permutation(96)
    three = ["Type\tSBS1\tSBS2", *(f"{CHANNELS[i]}\t{profile[0, i]}\t{profile[1, i]}" for i in order)]
    (tmp_path / "v3.txt").write_text("\n".join(three) + "\n")
    found = read_signatures(tmp_path / "v3.txt")
    assert found.names == ("SBS1", "SBS2")
    np.testing.assert_allclose(found.profiles, profile.T)
    two = ["Substitution Type\tTrinucleotide\tSomatic Mutation Type\tSignature 1\t"]
    two += [f"x\ty\t{CHANNELS[i]}\t{profile[0, i]}\t" for i in order]
    (tmp_path / "v2.txt").write_text("\n".join(two) + "\n")
    np.testing.assert_allclose(read_signatures(tmp_path / "v2.txt").profiles[:, 0], profile[0])
    assert read_signatures(tmp_path / "v3.txt", ("SBS2",)).names == ("SBS2",)
    with pytest.raises(TableError, match="no signature 'SBS3'"):
        read_signatures(tmp_path / "v3.txt", ("SBS3",))
    (tmp_path / "bad.txt").write_text("\n".join(three[:-1]) + "\n")
    with pytest.raises(TableError, match="95 classes; missing"):
        read_signatures(tmp_path / "bad.txt")
    (tmp_path / "bad.txt").write_text("\n".join(["Type\tX", *(f"{c}\t1" for c in CHANNELS)]) + "\n")
    with pytest.raises(TableError, match="sum to 96"):
        read_signatures(tmp_path / "bad.txt")


def test_tcga_laml(data):
    file = read_maf(data("omics/tcga_laml.maf.gz"))
    sequenced = read_sample_list(data("omics/tcga_laml_annot.tsv"))
    rows, _ = described(file.frame, {s: s for s in sequenced}, None, 3)
    people = {i: set(p["subject"]) for (i,), p in alterations(rows, "gene").group_by(["item"])}
    # The Cancer Genome Atlas Research Network 2013, N Engl J Med 368:2059: FLT3 in 28 %, NPM1 in 27 % and DNMT3A in
    # 26 % of 200 patients, the three most frequent. This MAF lacks most of NPM1's insertions (33 of 54 patients).
    assert {g: len(people[g]) for g in ("FLT3", "NPM1", "DNMT3A")} == {"FLT3": 52, "NPM1": 33, "DNMT3A": 48}
    assert sorted(people, key=lambda g: (-len(people[g]), g))[:3] == ["FLT3", "DNMT3A", "NPM1"]
    # The residues that the paper names: DNMT3A R882, IDH1 R132, IDH2 R140 and R172, FLT3 D835.
    hot = set(rows.filter("hotspot")["residue"])
    assert {"DNMT3A R882", "IDH1 R132", "IDH2 R140", "IDH2 R172", "FLT3 D835"} <= hot
    found = burden(rows, sequenced, BurdenOptions(38.0))
    # 1732 nonsynonymous variants in all; the summary of maftools gives a median of 9 over the 193 samples of the file.
    mutated = found.filter(pl.col("subject").is_in(rows["subject"].unique().implode()))
    assert mutated["variants"].median() == 9
    assert found["variants"].sum() == 1732
    assert found["per_megabase"].median() < 1
