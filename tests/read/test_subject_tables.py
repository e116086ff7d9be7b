import gzip

import polars as pl
import pytest

from radiolocus.errors import ConfigError, FormatError, TableError
from radiolocus.read.subject_tables import read_subject_table


def written(tmp_path, text, name="pheno"):
    (tmp_path / name).write_text(text)
    return tmp_path / name


@pytest.mark.parametrize(
    "text",
    [
        "#FID IID vol  age\nf1 s1 1.5 40\nf2   s2 NA 50\n",
        "#IID\tvol\tage\ns1\t1.5\t40\ns2\tnan\t50\n",
        "FID,IID,vol,age\r\nf1,s1,1.5,40\r\nf2,s2,,50\r\n",
        "IID\tSEX\tvol\tage\ns1\t1\t1.5\t40\ns2\t2\tNA\t50\n",
    ],
    ids=["blanks", "tabs", "commas", "ids before the values"],
)
def test_headers_and_separators(tmp_path, text):
    frame = read_subject_table(written(tmp_path, text))
    assert frame.to_dict(as_series=False) == {"subject": ["s1", "s2"], "vol": [1.5, None], "age": [40, 50]}


def test_numbers_as_ids_gzip_and_parquet(tmp_path):
    (tmp_path / "p.gz").write_bytes(gzip.compress(b"#IID\tx\n007\t1\n08\t2\n"))
    assert read_subject_table(tmp_path / "p.gz")["subject"].to_list() == ["007", "08"]
    pl.DataFrame({"IID": ["a", "b"], "x": [1.0, None]}).write_parquet(tmp_path / "p.parquet")
    assert read_subject_table(tmp_path / "p.parquet")["x"].to_list() == [1.0, None]


def test_family_and_individual(tmp_path):
    path = written(tmp_path, "#FID IID x\n1 1 5\n2 1 6\n")
    assert read_subject_table(path, sample_id="fid_iid")["subject"].to_list() == ["1_1", "2_1"]
    with pytest.raises(FormatError, match="no column FID"):
        read_subject_table(written(tmp_path, "#IID x\n1 5\n"), sample_id="fid_iid")


def test_minus_nine_is_refused_until_it_is_said_what_it_is(tmp_path):
    path = written(tmp_path, "#IID x y\ns1 -9 -9.5\ns2 3 4\n")
    with pytest.raises(TableError) as caught:
        read_subject_table(path)
    assert (caught.value.got, caught.value.where) == ("1 values of −9", "pheno, column x")
    assert read_subject_table(path, minus_nine="missing")["x"].to_list() == [None, 3]
    assert read_subject_table(path, minus_nine="number")["x"].to_list() == [-9, 3]
    assert read_subject_table(path, minus_nine="missing")["y"].to_list() == [-9.5, 4]


def test_categories(tmp_path):
    path = written(tmp_path, "#IID site\ns1 2\ns2 1\ns3 NA\n")
    site = read_subject_table(path, categorical=["site"])["site"]
    assert site.dtype == pl.Enum(["1", "2"])
    assert site.to_list() == ["2", "1", None]
    with pytest.raises(ConfigError, match=r"no column 'sit' to take as categories.*site"):
        read_subject_table(path, categorical=["sit"])


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        ("subject x\ns1 1\n", FormatError, "a header that begins with subject x"),
        ("#IID x x\ns1 1 2\n", TableError, "columns x stand more than once"),
        ("#IID\tx\ns1\t1\t7\n", FormatError, "no table of separated columns"),
        ("#IID\tx\ty\ns1\t1\t2\ns2\t1\n", FormatError, "line 3: 2 fields instead of 3: 's2\t1'"),
        ("#IID x y\ns1 1 2\ns2\n", FormatError, "line 3: 1 fields instead of 3: 's2'"),
        ("#IID\tx\nNA\t1\n", TableError, "no id"),
        ("", FormatError, "no table of separated columns"),
    ],
)
def test_what_is_no_table(tmp_path, text, error, told):
    with pytest.raises(error, match=told):
        read_subject_table(written(tmp_path, text))


def test_no_parquet(tmp_path):
    with pytest.raises(FormatError, match="no Parquet table"):
        read_subject_table(written(tmp_path, "x", "p.parquet"))


@pytest.mark.parametrize(
    ("late", "found"),
    [
        ("1.5", [1.0] * 120 + [1.5]),
        ("NA", [1] * 120 + [None]),
        ("left", ["1"] * 120 + ["left"]),
    ],
    ids=["a fraction", "a gap", "text"],
)
def test_what_a_column_is_may_show_late(tmp_path, late, found):
    lines = ["#IID\tx", *(f"s{i}\t1" for i in range(120)), f"s120\t{late}"]
    assert read_subject_table(written(tmp_path, "\n".join(lines) + "\n"))["x"].to_list() == found


def test_a_column_that_begins_with_gaps_holds_numbers(tmp_path):
    lines = ["#IID\tx", *(f"s{i}\tNA" for i in range(120)), "s120\t-2.5"]
    frame = read_subject_table(written(tmp_path, "\n".join(lines) + "\n"))
    assert frame["x"].to_list() == [None] * 120 + [-2.5]
