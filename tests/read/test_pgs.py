import gzip

import polars as pl
import pytest

from radiolocus.errors import FormatError
from radiolocus.read.pgs import read_score_file, write_score_file

HARMONISED = """###PGS CATALOG SCORING FILE
#format_version=2.0
##POLYGENIC SCORE (PGS) INFORMATION
#pgs_id=PGS009999
#pgs_name=made_up
#trait_reported=Volume=of something
#genome_build=GRCh37
#variants_number=5
#weight_type=beta
##HARMONIZATION DETAILS
#HmPOS_build=GRCh38
rsID\tchr_name\tchr_position\teffect_allele\tother_allele\teffect_weight\tallelefrequency_effect\tis_interaction\thm_rsID\thm_chr\thm_pos\thm_inferOtherAllele
rs1\t1\t100\ta\tG\t0.5\t0.2\tFalse\trs1\t1\t150\t
rs2\t1\t200\tC\t\t-0.25\t\t\trs22\t1\t250\tT
rs3\t1\t300\tC\t\t1e-3\t\tFalse\trs3\tX\t350\tA/T
rs4\t1\t400\tC\tT\t1\t\tTrue\trs4\t1\t450\t
rs5\t1\t500\tC\tT\t1\t\tFalse\trs5\t\t\t
"""


@pytest.mark.parametrize("zipped", [False, True])
def test_a_harmonised_file(zipped, tmp_path):
    file = tmp_path / "PGS009999_hmPOS_GRCh38.txt"
    file.write_bytes(gzip.compress(HARMONISED.encode()) if zipped else HARMONISED.encode())
    found = read_score_file(file)
    assert found.name == "PGS009999"
    assert found.build == "GRCh38"
    assert found.header["trait_reported"] == "Volume=of something"
    assert found.table.rows() == [
        ("rs1", "1", 150, "A", "G", 0.2, 0.5),
        ("rs22", "1", 250, "C", "T", None, -0.25),
        ("rs3", "X", 350, "C", None, None, 0.001),
    ]
    assert "1 rows that are no additive effect" in found.notes[0]
    assert "GRCh38; 1 rows without one" in found.notes[1]


def test_there_and_back(tmp_path):
    table = pl.DataFrame({
        "variant_id": ["rs1", "rs2"], "chromosome": ["1", "X"], "base_pair_location": [10, 20],
        "effect_allele": ["A", "C"], "other_allele": ["G", None], "effect_allele_frequency": [0.25, None],
        "effect_weight": [0.1234567890123, -1e-7],
    })  # fmt: skip
    file = write_score_file(
        table, tmp_path / "s.txt.gz", {"pgs_name": "mine", "genome_build": "GRCh38", "method": "C\n+T"}
    )
    text = gzip.decompress(file.read_bytes()).decode().splitlines()
    assert text[1] == "#format_version=2.0"
    assert "#variants_number=2" in text
    assert "#method=C +T" in text
    assert "rsID\tchr_name\tchr_position\teffect_allele\tother_allele\teffect_weight\tallelefrequency_effect" in text
    again = read_score_file(file)
    assert again.name == "mine"
    assert again.table.select(table.columns).equals(table)
    assert write_score_file(
        table, tmp_path / "t.txt.gz", {"pgs_name": "mine", "genome_build": "GRCh38", "method": "C+T"}
    )


def test_files_of_ids_alone(tmp_path):
    (tmp_path / "s.txt").write_text("rsID\teffect_allele\teffect_weight\nrs1\tA\t1\n")
    found = read_score_file(tmp_path / "s.txt")
    assert found.table.row(0, named=True)["base_pair_location"] is None
    assert (found.name, found.build) == ("score", "NR")


@pytest.mark.parametrize(
    ("text", "got", "where"),
    [
        ("rsID\teffect_allele\n", "columns rsID, effect_allele", "s.txt"),
        ("rsID\teffect_allele\tdosage_0_weight\nrs1\tA\t1\n", "columns", "s.txt"),
        ("#a=b\nrsID\teffect_allele\teffect_weight\nrs1\tA\t1\nrs2\tA\tx\n", "'x'", "s.txt, line 4, effect_weight"),
        ("effect_allele\teffect_weight\nA\t1\n", "columns", "s.txt"),
        ("#only=header\n", "no table", "s.txt"),
    ],
)
def test_files_that_cannot_be_used(text, got, where, tmp_path):
    (tmp_path / "s.txt").write_text(text)
    with pytest.raises(FormatError) as caught:
        read_score_file(tmp_path / "s.txt")
    assert got in caught.value.got
    assert caught.value.where == where
    with pytest.raises(FormatError, match="no such file"):
        read_score_file(tmp_path / "none.txt")
    (tmp_path / "z.txt").write_bytes(b"\x1f\x8bxx")
    with pytest.raises(FormatError, match="not a text file"):
        read_score_file(tmp_path / "z.txt")
