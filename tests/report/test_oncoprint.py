"""The section of the tumours' molecular data, and the oncoprint in it."""

import numpy as np
import polars as pl

from radiolocus.report.figures_oncoprint import KINDS, kind_matrix, marker_print, memo_order, oncoprint
from radiolocus.report.references import methods_of, references_of
from radiolocus.report.sections_molecular import molecular
from radiolocus.report.source import Artefacts
from radiolocus.schema import conform, empty
from radiolocus.store import write_table

VARIANTS = [
    ("A", "TP53", "Missense_Mutation", "p.R175H"),
    ("A", "TP53", "Nonsense_Mutation", "p.R213*"),
    ("B", "TP53", "Splice_Site", ""),
    ("B", "KRAS", "Missense_Mutation", "p.G12D"),
    ("C", "KRAS", "Missense_Mutation", "p.G12D"),
    ("C", "KRAS", "Missense_Mutation", "p.G13D"),
    ("D", "KRAS", "In_Frame_Ins", "p.G10dup"),
    ("D", "EGFR", "Silent", "p.K1="),
]


def mutations(rows=VARIANTS):
    frame = pl.DataFrame(rows, ["subject", "gene", "variant_class", "protein_change"], orient="row").with_columns(
        sample=pl.col("subject"),
        nonsynonymous=pl.col("variant_class") != "Silent",
        loss_of_function=pl.col("variant_class").is_in(["Nonsense_Mutation", "Splice_Site"]),
        hotspot=pl.col("protein_change").str.starts_with("p.G1"),
    )
    rest = {c: t for c, t in empty("molecular/mutations").schema.items() if c not in frame.columns}
    return conform(frame.with_columns(pl.lit(None, t).alias(c) for c, t in rest.items()), "molecular/mutations")


def test_kinds_and_the_order_of_the_subjects():
    codes = kind_matrix(mutations(), list("DCBAE"), ["KRAS", "TP53"])
    missense, truncating, in_frame, several = (KINDS.index(k) + 1 for k in KINDS)
    assert codes.tolist() == [[in_frame, missense, missense, 0, 0], [0, 0, truncating, several, 0]]
    # KRAS first; of those B, who has TP53 as well; then TP53 alone; then nothing.
    assert [list("DCBAE")[j] for j in memo_order(codes)] == ["B", "D", "C", "A", "E"]


def test_figure_with_burden_and_features():
    people = list("ABCDE")
    tracks = {"PET:stat_max": {"A": 3.0, "B": 1.0, "D": 2.0}, "CT:morph_volume": dict.fromkeys(people, 1.0)}
    figure = oncoprint(mutations(), people, burden={"A": 2.0}, tracks=tracks)
    assert "2 most frequently mutated genes in 5 sequenced subjects" in figure.caption
    assert "of whom 4 have" in figure.caption
    assert "rank of 2 imaging features" in figure.caption
    alone = oncoprint(mutations(), people)
    assert "Above" not in alone.caption
    assert "Below" not in alone.caption
    assert oncoprint(mutations(VARIANTS[-1:]), people) is None


def write_study(root):
    subjects = [f"S{i}" for i in range(8)]
    rng = np.random.default_rng(0)
    write_table(root, "molecular/mutations", mutations([(f"S{i}", "TP53", "Missense_Mutation", "") for i in range(3)]))
    markers = pl.DataFrame({"subject": subjects, "mut:TP53": [1.0, 1, 1, 0, 0, 0, 0, None]})
    write_table(root, "molecular/markers", conform(markers, "molecular/markers"))
    keys = {"subject": subjects, "image": ["CT"] * 8, "visit": [""] * 8, "roi": ["GTV"] * 8}
    features = pl.DataFrame(keys | {name: rng.normal(size=8) for name in ("stat_max", "stat_mean")})
    known = empty("features/features")
    rest = [pl.lit(None, t).alias(c) for c, t in known.schema.items() if c not in features.columns]
    write_table(root, "features/features", conform(features.with_columns(rest), "features/features"))
    link = empty("link/link")
    rows = pl.DataFrame(
        {
            "feature": ["CT:stat_mean", "CT:stat_max", "CT:stat_max"],
            "marker": ["mut:TP53", "mut:TP53", "age"],
            "neg_log_10_p_value": [3.0, 1.0, 9.0],
        }
    )
    rest = [pl.lit(None, t).alias(c) for c, t in link.schema.items() if c not in rows.columns]
    write_table(root, "link/link", conform(rows.with_columns(rest), "link/link"))
    return subjects


def test_section_with_features_beside_the_genes(tmp_path):
    write_study(tmp_path)
    section = molecular(Artefacts(tmp_path))
    assert section.verdict == ["3 nonsynonymous variants in 7 sequenced subjects; most often TP53 3"]
    figure, table = section.blocks
    assert "7 sequenced subjects" in figure.caption
    assert "rank of 2 imaging features" in figure.caption
    assert [c if isinstance(c, str) else str(c.text) for c in table.rows[0]][:3] == ["TP53", "3", "42.9 %"]


def test_no_section_without_molecular_tables(tmp_path):
    write_table(tmp_path, "molecular/mutations", empty("molecular/mutations"))
    assert molecular(Artefacts(tmp_path)) is None


def test_burden_signatures_genomes_and_fusions_are_told(tmp_path):
    burden = pl.DataFrame({"subject": ["A", "B"], "variants": [3, 9], "megabases": [2.0, 2.0]}).with_columns(
        per_megabase=pl.col("variants") / 2, lower=pl.lit(0.1), upper=pl.lit(9.0)
    )
    write_table(tmp_path, "molecular/burden", conform(burden, "molecular/burden"))
    signatures = pl.DataFrame(
        {
            "subject": ["A", "A"], "signature": ["SBS1", "SBS4"], "mutations": [20.0, 80.0], "share": [0.2, 0.8],
            "lower": [0.0, 0.6], "upper": [0.4, 0.9], "cosine": [0.97, 0.97], "substitutions": [100, 100],
        }
    )  # fmt: skip
    write_table(tmp_path, "molecular/mutational_signatures", conform(signatures, "molecular/mutational_signatures"))
    genomes = pl.DataFrame({"subject": ["A", "B"], "sample": ["a", "b"], "ploidy": [2.0, 3.0], "doubled": [0.0, 1.0]})
    rest = [pl.lit(None, t).alias(c) for c, t in empty("molecular/genomes").schema.items() if c not in genomes.columns]
    write_table(tmp_path, "molecular/genomes", conform(genomes.with_columns(rest), "molecular/genomes"))
    fusions = pl.DataFrame({"subject": ["A"], "gene1": ["EML4"], "gene2": ["ALK"]})
    write_table(tmp_path, "molecular/fusions", conform(fusions, "molecular/fusions"))
    (methods,) = methods_of(Artefacts(tmp_path))
    assert "variants per Mb of 2 Mb" in methods
    assert "Mutated is" not in methods
    assert {name for name, _ in references_of(Artefacts(tmp_path))} >= {"Mutational burden", "HRD-LOH", "Aneuploidy"}
    section = molecular(Artefacts(tmp_path))
    assert section.verdict == [
        "median burden 3 per Mb",
        "mutational signatures of 1 subject",
        "1 of 2 genomes doubled",
        "1 subject with a fusion",
    ]
    text, table, profiles, fusion = section.blocks
    assert "over 2 Mb: median 3 per Mb" in text.text
    assert [row[0] for row in table.rows] == ["SBS4", "SBS1"]
    assert [row[0] for row in profiles.rows] == ["ploidy"]
    assert fusion.rows[0][0] == "EML4::ALK"


def test_binary_markers_are_drawn_where_there_are_no_variants():
    markers = pl.DataFrame(
        {"subject": list("ABCD"), "EGFR": [1, 0, None, 0], "KRAS": [1, 1, 1, 0], "ALK": [0, 0, 0, 0]}
    )
    figure = marker_print(markers, ["EGFR", "KRAS", "ALK"], {"CT:f": {"A": 1.0, "C": 2.0}})
    assert "The 2 most frequent binary markers of 4 subjects" in figure.caption
    assert "rank of the 1 imaging features" in figure.caption
    assert marker_print(markers, ["ALK"]) is None
