"""The page as a whole: what is on it, what never is, and that it does not change by itself."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
from html.parser import HTMLParser

import matplotlib as mpl
import polars as pl
import pytest

from radiolocus.errors import StoreError
from radiolocus.report import build, write
from radiolocus.report.html import breakable
from radiolocus.report.sections_cohort import _sources, cohort
from radiolocus.report.sections_genetics import genetics
from radiolocus.report.sections_images import features, images
from radiolocus.report.sections_link import link
from radiolocus.report.sections_outcome import outcome
from radiolocus.report.sections_record import planted, problems
from radiolocus.report.sections_response import response
from radiolocus.report.source import Artefacts
from radiolocus.schema import TABLES
from radiolocus.store import read_json, write_json
from report.artefacts import SCRIPT, make

VOID = {"meta", "br", "img", "wbr", "link", "input", "hr"}
SECTIONS = [
    "planted",
    "cohort",
    "images",
    "features",
    "genetics",
    "links",
    "outcome",
    "response",
    "problems",
    "methods",
]


class Page(HTMLParser):
    """Collects elements and fails on tags that do not nest."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.text = [], [], []
        self.feed(text)
        self.close()
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data)

    def ids(self):
        return [a["id"] for _, a in self.elements if "id" in a]

    def all(self, tag):
        return [a for t, a in self.elements if t == tag]

    def words(self):
        return re.sub(r"\s+", " ", "".join(self.text))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return make(
        tmp_path_factory.mktemp("study"), subjects=30, features=12, variants=200, demo=True, first_subject=SCRIPT
    )


@pytest.fixture(scope="module")
def text(study):
    return build(study)


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


@pytest.fixture
def bare(tmp_path):
    """A small study of a cohort and a few features, cheap to build and to spoil."""
    rest = ("genome", "sumstats", "link", "molecular", "outcome", "response", "features/thumbnails")
    return make(tmp_path / "bare", subjects=12, features=5, variants=30, without=rest)


def test_every_section_is_there_and_the_contents_lead_to_it(page):
    sections = [a["id"] for a in page.all("section")]
    assert sections == SECTIONS
    inside = [a["href"][1:] for a in page.all("a") if a["href"].startswith("#")]
    assert set(sections) <= set(inside) <= set(page.ids())
    assert len(page.ids()) == len(set(page.ids()))


@pytest.mark.parametrize("section", [planted, cohort, images, features, genetics, link, outcome, response])
def test_a_section_without_artefacts_is_absent(section, tmp_path):
    assert section(Artefacts(tmp_path)) is None


def test_sections_follow_the_artefacts(bare):
    assert [a["id"] for a in Page(build(bare)).all("section")] == ["cohort", "features", "problems", "methods"]


@pytest.mark.parametrize(
    ("section", "table"),
    [
        (cohort, "cohort/membership"),
        (cohort, "cohort/endpoints"),
        (cohort, "problems"),
        (features, "features/dictionary"),
        (features, "features/thumbnails"),
        (genetics, "sumstats/summary"),
        (genetics, "sumstats/variants"),
        (genetics, "sumstats/by_phenotype/part"),
        (genetics, "genome/samples"),
        (link, "link/link"),
        (outcome, "outcome/logrank"),
        (outcome, "outcome/horizons"),
        (outcome, "outcome/performance"),
        (response, "response/rates"),
        (response, "response/best"),
        (response, "response/timepoints"),
    ],
)
def test_one_missing_table_costs_one_part_of_its_section(study, tmp_path, section, table):
    shutil.copytree(study, tmp_path / "study")
    whole = section(Artefacts(study))
    (tmp_path / "study" / f"{table}.parquet").unlink()
    rest = section(Artefacts(tmp_path / "study"))
    assert len(rest.blocks) > 0
    assert rest != whole


def test_stages_that_did_not_run_are_named_with_the_reason(bare):
    study = read_json(bare, "study.json")
    study["stages"]["response"] = {"ran": False, "why": "the study file has no [response]"}
    write_json(bare / "study.json", study)
    words = Page(build(bare)).words()
    assert words.count("did not run") == 1 + 6  # the one with a reason of its own in the header; all among the stages
    assert "did not run: the study file has no [response]" in words
    assert "genetics, molecular, link, outcome, mechanism (no section in the study file)" in words


def test_a_stage_that_broke_or_left_nothing_stands_out_from_one_that_was_not_asked_for(bare):
    study = read_json(bare, "study.json")
    study["stages"]["genetics"] = {"ran": False, "why": "genetics: cohort.bed: truncated <b>"}
    study["stages"]["outcome"] = {"ran": True, "why": ""}
    write_json(bare / "study.json", study)
    text = build(bare)
    assert text.count('<div class="failed">') == 2
    assert "cohort.bed: truncated &lt;b&gt;" in text
    words = Page(text).words()
    assert "Geneticsdid not run: cohort.bed: truncated" in words
    assert "Outcomeran, but left no result" in words


def test_nothing_is_fetched(text, page):
    for tag, attributes in page.elements:
        for name in ("src", "href", "action", "srcset", "poster", "data"):
            value = attributes.get(name, "#")
            assert value.startswith(("#", "data:image/")), f"{tag} {name}={value[:60]}"
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    script = text[text.index("<script>") + 8 : text.index("</script>")]
    seal = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{seal}'" in policy


def test_figures_hold_no_address_either(page):
    figures = [a["src"] for a in page.all("img")]
    assert len(figures) >= 10
    for source in figures:
        svg = base64.b64decode(source.split(",", 1)[1]).decode()
        assert svg.lstrip().startswith("<?xml")
        links = re.findall(r'(?:xlink:)?href="([^"]*)"', svg)
        assert all(link.startswith(("#", "data:image/png")) for link in links)
        assert "<dc:date>" not in svg
        assert "<script" not in svg


def test_the_same_artefacts_give_the_same_bytes(study, text):
    with mpl.rc_context({"svg.hashsalt": None, "font.size": 20, "lines.linewidth": 7}):
        assert build(study) == text
    assert mpl.rcParams["font.size"] != 8.0


def test_dates_durations_and_machine_paths_are_not_on_the_page(study, text):
    assert "12.345" not in text  # wall time of every manifest
    assert str(study) not in text
    assert not re.search(r"\b20[2-9]\d-[01]\d-[0-3]\d\b", text)


def test_ids_are_escaped_everywhere(text, page):
    assert SCRIPT not in text
    assert text.count("<script") == 1
    assert text.count("&lt;script&gt;alert(") >= 3
    assert any(SCRIPT in a.get("aria-label", "") for a in page.all("svg"))
    assert SCRIPT in page.words()


@pytest.mark.parametrize("hostile", ["<img src=x onerror=alert(1)>", '"><b>', "x_" * 30 + "</td>"])
def test_long_hostile_words_are_escaped_when_broken(hostile):
    shown = str(breakable(hostile))
    assert "<" not in shown.replace("<wbr>", "")
    assert '"' not in shown


def test_markup_of_ours_passes_and_long_names_may_break():
    assert str(breakable("PET:cm_joint_entr_3d_avg")) == "PET:<wbr>cm_<wbr>joint_<wbr>entr_<wbr>3d_<wbr>avg"
    assert str(breakable("at least two intensities")) == "at least two intensities"
    assert str(breakable("0" * 50)).count("<wbr>") == 2


def test_every_picture_has_words_and_every_table_heads(page):
    assert all(len(a["alt"]) > 20 for a in page.all("img"))
    assert len(page.all("svg")) == 30
    assert all(a["role"] == "img" and len(a["aria-label"]) > 20 for a in page.all("svg"))
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("table")) == len(page.all("caption")) == len(page.all("thead"))
    assert all(a.get("scope") == "col" for a in page.all("th"))


def test_header_says_numbers_of_each_stage(page):
    words = page.words()
    assert "30 subjects" in words
    assert "12 features of 30 regions of 30 subjects" in words
    assert re.search(r"λGC median \d", words)
    assert "overall_survival, out-of-fold Harrell C: clinical 0." in words
    assert re.search(r"objective response rate \d+ % \(\d+–\d+ %\), \d+ of 30", words)
    assert "2 of 3 statements about the planted truth hold" in words


def test_methods_cite_only_what_was_used(bare, page):
    everything, little = page.words(), Page(build(bare)).words()
    for paper, used in (("Zwanenburg A", True), ("Schemper M", True), ("Devlin B", False), ("Eisenhauer EA", False)):
        assert paper in everything
        assert (paper in little) is used


def test_write_puts_the_page_beside_the_artefacts(bare):
    path = write(bare)
    assert path == bare / "report.html"
    assert path.read_text(encoding="utf-8") == build(bare)
    assert not list(bare.glob(".partial-*"))


def test_a_folder_without_artefacts_is_refused(tmp_path):
    with pytest.raises(StoreError) as caught:
        build(tmp_path)
    assert "no study.json" in caught.value.got
    assert caught.value.todo


def test_an_empty_study_still_makes_a_page(tmp_path):
    write_json(tmp_path / "study.json", {"name": "Nothing", "stages": {"cohort": {"ran": False, "why": "no subject"}}})
    page = Page(build(tmp_path))
    assert [a["id"] for a in page.all("section")] == ["problems", "methods"]
    assert "did not run: no subject" in page.words()


def test_what_was_lost_comes_before_what_was_noticed_and_empty_columns_are_left_out(bare):
    tables = [b for b in problems(Artefacts(bare)).blocks if b.kind == "table"]
    assert [t.caption for t in tables] == [
        "What could not be used",
        "What was noticed on the way; nothing was lost by it",
    ]
    assert {row[0] for row in tables[0].rows} == {"set aside", "no value"}
    assert tables[0].head[-3:] == ["allowed", "what to do", "times"]
    assert "severity" not in tables[1].head
    assert "what to do" not in tables[1].head
    assert all(len(row) == len(t.head) == len(t.numeric) for t in tables for row in t.rows)


def test_risk_groups_and_intervals_below_one_half_say_what_they_do_not_prove(study, tmp_path):
    shutil.copytree(study, tmp_path / "study")
    path = tmp_path / "study" / "outcome" / "performance.parquet"
    frame = pl.read_parquet(path)
    notes = [t.note for t in outcome(Artefacts(study)).blocks if t.kind == "table"]
    assert any("they do not prove" in n for n in notes)
    frame.with_columns(estimate=pl.lit(0.35), lower=pl.lit(0.24), upper=pl.lit(0.47)).write_parquet(path)
    below = [t.note for t in outcome(Artefacts(tmp_path / "study")).blocks if t.kind == "table"]
    assert any("below 0.5 is no finding" in n for n in below)
    frame.with_columns(upper=pl.lit(0.6)).write_parquet(path)
    above = [t.note for t in outcome(Artefacts(tmp_path / "study")).blocks if t.kind == "table"]
    assert not any("below 0.5 is no finding" in n for n in above)


def test_subjects_without_a_picture_are_named_with_the_reason(study, tmp_path):
    assert not any(b.text.startswith("Without") for b in images(Artefacts(study)).blocks if b.kind == "text")
    shutil.copytree(study, tmp_path / "study")
    path = tmp_path / "study" / "features" / "thumbnails.parquet"
    pl.read_parquet(path).filter(~pl.col("subject").is_in(["S_006", "S_011"])).write_parquet(path)
    notes = [b.text for b in images(Artefacts(tmp_path / "study")).blocks if b.kind == "text"]
    assert "Without a picture (2): S_006 (set aside: a mask of one voxel); S_011." in notes


def test_performance_at_times_stands_on_the_page_with_its_unit(page):
    words = page.words()
    assert "Out-of-fold performance at times" in words
    assert "a model is worth its predictors only where it is below the one without them" in words
    assert "At horizons: Uno's C (2011)" in words
    assert "Graf E, Schmoor C" in words


def test_a_file_that_is_joined_twice_is_counted_once():
    rows = [("S1", "a.csv", "S1", "joined", None), ("S2", "a.csv", "S2", "joined", None)]
    rows += [("S1", "rna.tsv", "S1-01", "joined", None), ("S1", "rna.tsv", "S1-02", "another sample", "S1-01")]
    frame = pl.DataFrame(rows * 2, dict(TABLES["cohort/membership"].schema), orient="row")
    counts = {source["source"]: (source["joined"], source["another sample"]) for source in _sources(frame)}
    assert counts == {"a.csv": (2, 0), "rna.tsv": (1, 1)}
