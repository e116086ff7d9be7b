"""Every example of the documentation runs.

- ``python`` blocks of a page run one after the other in one namespace, in a folder with a small study;
- ``toml`` blocks with a ``[cohort]`` are valid study files, the others are valid TOML;
- ``console`` blocks run line by line; every line of output that is shown must come (``...`` stands for anything).
"""

import os
import re
import shlex
import tomllib
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from typer.testing import CliRunner

from dicom_factory import write_examples
from flow.small_study import GENETICS, MECHANISM, MOLECULAR, RESPONSE, SmallStudy
from radiolocus.app.cli import app
from radiolocus.config import load_study

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def _blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def _with(language: str) -> list:
    return [pytest.param(page, id=page.name) for page in PAGES if _blocks(page, language)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("docs") / "study"
    root.mkdir()
    study = SmallStudy(root, n=24)
    study.text += GENETICS + MOLECULAR + RESPONSE + MECHANISM
    study.file()
    write_examples(root / "dicom")
    return root


@pytest.mark.parametrize("page", _with("python"))
def test_python_examples_run(page, folder, monkeypatch):
    monkeypatch.chdir(folder)
    namespace: dict = {"__name__": page.stem}
    for block in _blocks(page, "python"):
        exec(compile(block, page.name, "exec"), namespace)
    for figure in re.findall(r"!\[[^\]]*\]\((figures/[^)]+)\)", page.read_text(encoding="utf-8")):
        _same_picture(page.parent / figure, folder / figure)


def _same_picture(shown: Path, made: Path) -> None:
    """The figure that a page shows is the one that its examples make, but for the rendering of another library."""
    old, new = (matplotlib.image.imread(file)[..., :3] for file in (shown, made))
    told = f"{shown.name} is not what the page makes: python tests/docs/remake_figures.py {shown.name.split('_')[0]}"
    assert np.abs(np.subtract(old.shape, new.shape)).max() <= 4, told
    height, width = np.minimum(old.shape, new.shape)[:2]
    assert np.abs(old[:height, :width] - new[:height, :width]).mean() < 0.01, told


@pytest.mark.parametrize("page", _with("toml"))
def test_toml_examples_are_valid(page, tmp_path):
    for i, block in enumerate(_blocks(page, "toml")):
        if "[cohort]" in block:
            file = tmp_path / f"{i}.toml"
            file.write_text(block, encoding="utf-8")
            assert load_study(file, tmp_path).name
        else:
            tomllib.loads(block)


def _lines(block: str) -> list[tuple[str, list[str]]]:
    commands: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            commands.append((line[2:], []))
        elif line.strip():
            commands[-1][1].append(line)
    return commands


@pytest.mark.parametrize("page", _with("console"))
def test_console_examples_say_what_is_shown(page, folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)  # two dozen subjects are not worth the start of workers
    for block in _blocks(page, "console"):
        for command, shown in _lines(block):
            program, *words = shlex.split(command)
            assert program == "radiolocus"
            told = CliRunner().invoke(app, words, env={"COLUMNS": "100"}, catch_exceptions=False)
            assert told.exit_code in (0, 3), f"{command}: {told.output}"
            for line in shown:
                pattern = ".*".join(re.escape(part) for part in line.strip().split("..."))
                assert re.search(pattern, told.output), f"{command}: '{line}' is not in:\n{told.output}"


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_tests_that_the_pages_name_are_there():
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for name in re.findall(r"`(tests/[\w/]+(?:\.py)?)`", text):
            assert (ROOT / name).exists(), f"{page.name} names {name}"
        known = {
            n for file in (ROOT / "tests").rglob("test_*.py") for n in re.findall(r"def (test_\w+)", file.read_text())
        }
        named = set(re.findall(r"`(test_\w+)`", text))
        assert named <= known, f"{page.name} names {sorted(named - known)}"


def test_every_row_of_a_table_stands_below_its_head():
    for page in PAGES:
        text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        for first, second in re.findall(r"(?:\A|(?<=\n\n))(\|.*)\n(.*)", text):
            assert re.fullmatch(r"\|[\s:|-]+\|", second), f"{page.name}: a table begins without a head: {first[:60]}"
