import gzip

import pytest

from radiolocus.errors import FormatError
from radiolocus.read.delimited import load_text, parse_delimited


def test_rows_comments_and_line_numbers():
    table = parse_delimited("#version 2.4\na\tb\n1\t2\n\n#x\n3\t\r\n", "\t", "t.tsv")
    assert table.header == ("a", "b")
    assert table.cells.rows() == [("1", "2"), ("3", None)]
    assert table.lines == (3, 6)
    assert table.comments == ("#version 2.4", "#x")


def test_short_line_is_named():
    with pytest.raises(FormatError) as caught:
        parse_delimited("a\tb\tc\n1\t2\t3\n1\t2\n", "\t", "t.tsv")
    assert caught.value.where == "t.tsv, line 3"
    assert caught.value.got == "2 fields"
    assert "3 fields" in caught.value.allowed


def test_header_without_a_name_for_the_row_labels():
    assert parse_delimited("s1,s2\ng1,1,2\ng2,3,4\n", ",", "t.csv").header == ("", "s1", "s2")


def test_quotes_hold_separators_unless_told_otherwise():
    assert parse_delimited('a,b\n"x, y",1\n', ",", "t.csv").cells.rows() == [("x, y", "1")]
    assert parse_delimited('a\tb\nx"y\t1\n', "\t", "t.maf", quote=None).cells.rows() == [('x"y', "1")]


def test_empty_file():
    with pytest.raises(FormatError, match="no table"):
        parse_delimited("# nothing\n\n", "\t", "t.tsv")
    assert parse_delimited("a\tb\n", "\t", "t.tsv").cells.shape == (0, 2)


def test_text_comes_plain_and_compressed(tmp_path):
    (tmp_path / "a.txt").write_bytes("\ufeffµ\n".encode())
    (tmp_path / "b.txt").write_bytes(gzip.compress("µ\n".encode()))
    assert load_text(tmp_path / "a.txt") == load_text(tmp_path / "b.txt") == "µ\n"


def test_damaged_files_are_refused(tmp_path):
    with pytest.raises(FormatError, match="cannot be read"):
        load_text(tmp_path / "absent.txt")
    (tmp_path / "cut.gz").write_bytes(gzip.compress(bytes(range(256)) * 50)[:-40])
    with pytest.raises(FormatError, match="ends early or is damaged"):
        load_text(tmp_path / "cut.gz")
    (tmp_path / "latin.txt").write_bytes(b"a\nb\xb5\n")
    with pytest.raises(FormatError) as caught:
        load_text(tmp_path / "latin.txt")
    assert caught.value.where == "latin.txt, line 2"
    assert "0xb5" in caught.value.got
