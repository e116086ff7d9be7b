"""What the page of profiles says about tables of treatments holds."""

import re
from pathlib import Path

from radiolocus.read.treatments import EFFECTS, EVIDENCE, read_treatments

PAGE = Path(__file__).resolve().parents[2] / "docs" / "profile.md"


def _example() -> str:
    return re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)[0]


def test_the_example_is_read(tmp_path):
    (tmp_path / "t.toml").write_text(_example(), encoding="utf-8")
    table = read_treatments(tmp_path / "t.toml")
    assert (table.version, len(table.rows)) == ("tumour board 4", 1)
    assert table.rows[0].markers == ("hot:EGFR", "mut:EGFR")


def test_the_words_that_are_allowed_are_all_told():
    assert f"# {', '.join(EFFECTS)}" in _example()
    assert f"# {', '.join(EVIDENCE)}" in _example()


def test_what_may_be_left_out_may_and_nothing_else(tmp_path):
    lines = _example().splitlines()
    optional = {"unit", "detail", "doi", "title"}
    for i, line in enumerate(lines):
        key = line.split(" ")[0]
        if not re.fullmatch(r"[a-z]+", key):
            continue
        (tmp_path / "t.toml").write_text("\n".join(lines[:i] + lines[i + 1 :]), encoding="utf-8")
        try:
            read_treatments(tmp_path / "t.toml")
        except ValueError:
            assert key not in optional, key
        else:
            assert key in optional | {"pmid"}, key
