"""SAS transport files against the record layout of TS-140 and known IBM numbers."""

import struct

import polars as pl
import pytest

from radiolocus.errors import FormatError
from radiolocus.read.sdtm import read_sdtm
from radiolocus.read.xport import read_xport


def record(text):
    return text.encode().ljust(80)


def ibm(value):
    """IBM double of a number, by its definition; None is SAS' missing value."""
    if value is None:
        return b"." + bytes(7)
    sign, value, exponent = (0x80 if value < 0 else 0), abs(value), 64
    if value == 0:
        return bytes(8)
    while value >= 1:
        value, exponent = value / 16, exponent + 1
    while value < 1 / 16:
        value, exponent = value * 16, exponent - 1
    return bytes([sign | exponent]) + int(value * 2**56).to_bytes(7, "big")


def transport(columns, rows):
    """A file of one data set; a column is (name, length of text) or (name, None) for a number."""
    out = record("HEADER RECORD*******LIBRARY HEADER RECORD!!!!!!!" + "0" * 30)
    out += record("SAS     SAS     SASLIB  9.4     X64") + record("01JAN20:00:00:00")
    out += record("HEADER RECORD*******MEMBER  HEADER RECORD!!!!!!!" + "000000000000000001600000000140")
    out += record("HEADER RECORD*******DSCRPTR HEADER RECORD!!!!!!!" + "0" * 30)
    out += record("SAS     TR      SASDATA 9.4     X64") + record("01JAN20:00:00:00")
    out += record(f"HEADER RECORD*******NAMESTR HEADER RECORD!!!!!!!000000{len(columns):04d}" + "0" * 20)
    names, start = b"", 0
    for k, (name, length) in enumerate(columns):
        size = length or 8
        text = (name.encode().ljust(8), b" " * 40, b" " * 8)
        kind = 2 if length else 1
        names += struct.pack(
            ">hhhh8s40s8shhh2s8shhl52s", kind, 0, size, k + 1, *text, 0, 0, 0, b"", b" " * 8, 0, 0, start, b""
        )
        start += size
    out += names.ljust(-(-len(names) // 80) * 80)
    out += record("HEADER RECORD*******OBS     HEADER RECORD!!!!!!!" + "0" * 30)
    body = b"".join(
        b"".join(str(v or "").encode().ljust(n) if n else ibm(v) for v, (_, n) in zip(row, columns, strict=True))
        for row in rows
    )
    return out + body.ljust(-(-len(body) // 80) * 80)


def test_numbers_and_text(tmp_path):
    rows = [("01", 1.0, "Ä"), ("02", -118.625, ""), ("", None, "x"), ("03", 0.1, "y"), ("04", 0.0, "z")]
    (tmp_path / "a.xpt").write_bytes(transport([("ID", 4), ("VALUE", None), ("WORD", 3)], rows))
    frame = read_xport(tmp_path / "a.xpt")
    assert frame.columns == ["ID", "VALUE", "WORD"]
    assert frame["ID"].to_list() == ["01", "02", None, "03", "04"]
    assert frame["VALUE"].to_list() == [1.0, -118.625, None, pytest.approx(0.1, rel=1e-15), 0.0]
    assert frame["WORD"].to_list() == ["Ä", None, "x", "y", "z"]


def test_the_known_patterns_of_ibm_numbers():
    # 1 is 41 10 ..., −118.625 is C2 76 A0 ... (IBM System/360 Principles of Operation).
    assert ibm(1.0).hex() == "4110000000000000"
    assert ibm(-118.625).hex() == "c276a00000000000"


@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_the_filling_behind_the_last_row_is_no_row(tmp_path, n):
    (tmp_path / "a.xpt").write_bytes(transport([("ID", 5)], [(f"S{k}",) for k in range(n)]))
    assert read_xport(tmp_path / "a.xpt")["ID"].to_list() == [f"S{k}" for k in range(n)]


def test_what_is_no_transport_file_is_refused(tmp_path):
    file = tmp_path / "a.xpt"
    good = transport([("ID", 5)], [("S1",)])
    for data, words in (
        (b"PK", "no SAS transport file"),
        (good.replace(b"LIBRARY HEADER", b"LIBV8   HEADER"), "no SAS transport file"),
        (good + good, "2 data sets"),
        (good[:700], "a broken header|no rows"),
    ):
        file.write_bytes(data)
        with pytest.raises(FormatError, match=words):
            read_xport(file)


def test_sdtm_domains_of_transport_files(tmp_path):
    columns = [
        ("USUBJID", 4),
        ("TRLNKID", 4),
        ("TRTESTCD", 8),
        ("TRSTRESN", None),
        ("TRSTRESU", 4),
        ("TRDTC", 10),
        ("VISITNUM", None),
        ("VISIT", 6),
        ("TRGRPID", 8),
    ]
    rows = [
        ("01", "T01", "LDIAM", 30.0, "mm", "2020-01-01", 1.0, "BASE", "TARGET"),
        ("01", "T01", "LDIAM", 20.5, "mm", "2020-03-01", 2.0, "W8", "TARGET"),
        ("01", "", "SUMDIAM", 20.5, "mm", "2020-03-01", 2.0, "W8", ""),
    ]
    (tmp_path / "tr.xpt").write_bytes(transport(columns, rows))
    study = read_sdtm(tmp_path)
    assert study.lesions.frame.select("visit", "day", "diameter_mm").rows() == [("BASE", 0, 30), ("W8", 60, 20.5)]
    assert study.sums.rows() == [("01", "W8", 20.5)]
    assert isinstance(study.responses, pl.DataFrame)
