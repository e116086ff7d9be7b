import pytest

from radiolocus.errors import TableError
from radiolocus.read.segments import read_segments


@pytest.mark.parametrize(
    "text",
    [
        "ID\tchrom\tloc.start\tloc.end\tnum.mark\tseg.mean\nA\t1\t1\t100\t9\t0.5\nA\t23\t5\t50\t9\t-1\n",
        "GDC_Aliquot\tChromosome\tStart\tEnd\tNum_Probes\tSegment_Mean\nA\tchr1\t1\t100\t9\t0.5\nA\tchrX\t5\t50\t9\t-1\n",
        "Sample,Chromosome,Start,End,Segment_Mean\nA,1,1,100,0.5\nA,X,5,50,-1\n",
    ],
)
def test_log_ratios(tmp_path, text):
    path = tmp_path / ("x.csv" if text.startswith("Sample,") else "x.seg")
    path.write_text(text)
    found = read_segments(path)
    assert found.frame.select("sample", "chromosome", "start", "end", "log2_ratio").rows() == [
        ("A", "1", 1, 100, 0.5),
        ("A", "X", 5, 50, -1.0),
    ]
    assert found.frame["total"].null_count() == 2


@pytest.mark.parametrize(
    "text",
    [
        "sample\tchr\tstartpos\tendpos\tnMajor\tnMinor\nA\t1\t1\t100\t2\t1\n",  # ASCAT
        "GDC_Aliquot\tChromosome\tStart\tEnd\tCopy_Number\tMajor_Copy_Number\tMinor_Copy_Number\nA\tchr1\t1\t100\t3\t2\t1\n",
        "sample\tchromosome\tstart.pos\tend.pos\tCNt\tA\tB\nA\tchr1\t1\t100\t3\t2\t1\n",  # Sequenza
        "ID\tchrom\tstart\tend\ttcn.em\tlcn.em\nA\t1\t1\t100\t3\t1\n",  # FACETS
        "SampleID\tChromosome\tStart_position\tEnd_position\ttotal_cn\tA_cn\tB_cn\tploidy\nA\tchr1\t1\t100\t3\t1\t2\t3.7\n",
    ],
)
def test_alleles_of_five_programs(tmp_path, text):
    (tmp_path / "x.tsv").write_text(text)
    found = read_segments(tmp_path / "x.tsv")
    assert found.frame.select("total", "major", "minor").rows() == [(3.0, 2.0, 1.0)]
    assert [p.count for p in found.notes] == ([1] if "A_cn" in text else [])


def test_a_sample_that_contradicts_itself_is_set_aside_alone(tmp_path):
    rows = [
        "A\t1\t1\t100\t2\t1",
        "A\t1\t90\t200\t1\t1",
        "B\t1\t9\t3\t1\t1",
        "C\t1\t1\t9\t1\t-1",
        "D\t1\t1\t9\t1\t1",
        "D\t2\t1\t9\tNA\tNA",
    ]
    (tmp_path / "x.tsv").write_text("sample\tchr\tstart\tend\tnMajor\tnMinor\n" + "\n".join(rows) + "\n")
    found = read_segments(tmp_path / "x.tsv")
    assert found.samples == ("A", "B", "C", "D")
    assert found.frame["sample"].to_list() == ["D"]
    told = {p.item: (p.got.split(";")[0], p.where) for p in found.notes if p.item}
    assert told == {
        "A": ("two segments that overlap", "x.tsv, line 3"),
        "B": ("a segment that ends before it begins", "x.tsv, line 4"),
        "C": ("a negative copy number", "x.tsv, line 5"),
    }
    assert any("1 segments without a value" in p.got for p in found.notes)


def test_columns_are_named_or_asked_for(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text("who\tc\tfrom\tto\tcopies\nA\t1\t1\t100\t3\n")
    with pytest.raises(TableError, match=r"no column for chromosome, start, end"):
        read_segments(path)
    names = {"sample": "who", "chromosome": "c", "start": "from", "end": "to", "total": "copies"}
    assert read_segments(path, names).frame["total"].to_list() == [3.0]
    with pytest.raises(TableError, match=r"no column 'tos'.*did you mean 'to'"):
        read_segments(path, names | {"end": "tos"})
    path.write_text("chrom\tstart\tend\tseg.mean\n1\t1\t100\t3\n")
    with pytest.raises(TableError, match="no column of samples"):
        read_segments(path)
    assert read_segments(path, sample="S").samples == ("S",)
    path.write_text("ID\tchrom\tstart\tend\tseg.mean\nA\t1\tone\t100\t3\n")
    with pytest.raises(TableError, match=r"x.tsv, line 2, column 'start': 'one'"):
        read_segments(path)
