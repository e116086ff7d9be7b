"""What the figures are drawn from: correlations, lines, numbers at risk, labels, and that odd inputs still draw."""

from __future__ import annotations

import base64
import itertools
import re

import numpy as np
import polars as pl
import pytest
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from scipy import stats

from radiolocus.report.drawing import canvas, embed, shorten
from radiolocus.report.figures_correlation import correlate, correlation_map, wide
from radiolocus.report.figures_genome import components
from radiolocus.report.figures_link import bh_line, volcano
from radiolocus.report.figures_outcome import forest, protocol, selection_bars
from radiolocus.report.figures_response import RECIST, Kind, spider, swimmer, waterfall
from radiolocus.report.figures_survival import at_risk, kaplan_meier
from radiolocus.report.labels import label_points, label_rails
from radiolocus.report.sections_cohort import median_follow_up
from radiolocus.schema import TABLES
from report.artefact_results import kaplan_meier as curve_by_hand
from report.artefacts import make


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    root = make(tmp_path_factory.mktemp("figures"), subjects=40, features=20, variants=60)
    return lambda name: pl.read_parquet(root / f"{name}.parquet")


def is_svg(figure):
    return base64.b64decode(figure.source.split(",")[1]).startswith(b"<?xml") and figure.alt and figure.caption


def test_correlations_are_spearmans_and_the_order_is_a_permutation():
    rng = np.random.default_rng(3)
    base = rng.normal(size=(60, 3))
    values = np.column_stack([base, np.exp(base[:, 0]) + rng.normal(0, 0.1, 60), -base[:, 1], np.round(base[:, 2])])
    table = pl.DataFrame({f"PET:f{i}": v for i, v in enumerate(values.T)}).with_columns(
        subject=pl.int_range(60).cast(pl.String), gone=pl.Series([None] * 20 + [1.0] * 40), flat=pl.lit(2.0)
    )
    found = correlate(table)
    assert found is not None
    assert sorted(found.names) == [f"PET:f{i}" for i in range(6)]
    assert (found.subjects, found.missing, found.constant) == (60, 1, 1)
    order = [int(n[-1]) for n in found.names]
    expected = np.abs(stats.spearmanr(values).statistic)[np.ix_(order, order)]
    np.testing.assert_allclose(found.matrix, expected, atol=1e-12)
    places = {n: i for i, n in enumerate(found.names)}
    assert abs(places["PET:f1"] - places["PET:f4"]) == 1  # one is the other turned round


def test_correlations_use_only_subjects_with_every_value():
    rng = np.random.default_rng(4)
    values = rng.normal(size=(50, 4))
    values[7, 2] = np.nan
    table = pl.DataFrame({f"a:{i}": v for i, v in enumerate(values.T)}).with_columns(subject=pl.lit("s"))
    found = correlate(table)
    assert found is not None
    assert found.subjects == 49
    assert correlate(table.head(4)) is None
    assert correlate(table.select("subject", "a:0", "a:1")) is None


def test_wide_names_region_and_visit_only_when_there_are_several():
    def rows(regions, visits):
        return pl.DataFrame(
            [("s1", "PET", v, r, "PT", 1.0) for r in regions for v in visits],
            schema=["subject", "image", "visit", "roi", "modality", "stat_max"],
            orient="row",
        )

    assert wide(rows(["GTV"], [""])).columns == ["subject", "PET:stat_max"]
    assert wide(rows(["GTV"], ["v1", "v2"])).columns == ["subject", "PET@v1:stat_max", "PET@v2:stat_max"]
    assert wide(rows(["A", "B"], [""])).columns == ["subject", "PET:A:stat_max", "PET:B:stat_max"]


def test_a_map_of_many_features_is_drawn_without_labels():
    rng = np.random.default_rng(5)
    table = pl.DataFrame({f"CT:f{i}": v for i, v in enumerate(rng.normal(size=(120, 30)))})
    found = correlate(table.with_columns(subject=pl.lit("s")))
    assert found is not None
    assert is_svg(correlation_map(found, {}))


def test_bh_line_is_the_largest_p_that_passes():
    p = np.array([1e-6, 2e-4, 0.004, 0.03, 0.2, 0.9])
    q = stats.false_discovery_control(p)
    frame = pl.DataFrame({"neg_log_10_p_value": -np.log10(p), "q_value": q})
    assert 10 ** -bh_line(frame) == pytest.approx(p[q < 0.05].max())
    assert bh_line(frame.with_columns(q_value=pl.lit(1.0))) is None


def test_volcano_draws_with_and_without_hits(study):
    link = study("link/link")
    assert is_svg(volcano(link))
    none = volcano(link.with_columns(q_value=pl.lit(1.0)))
    assert "no line is drawn" in none.caption


def test_numbers_at_risk_are_counted_from_the_subjects():
    rng = np.random.default_rng(6)
    time, event = rng.integers(1, 40, 50).astype(float), rng.integers(0, 2, 50)
    names = list(TABLES["outcome/kaplan_meier"].schema)[4:]
    curve = pl.DataFrame(curve_by_hand(time, event), schema=names, orient="row")
    ticks = np.array([0, 0.5, 1, 7, 20, 38, 39, 40, 100], dtype=float)
    assert at_risk(curve, ticks) == [int((time >= t).sum()) for t in ticks]


def test_kaplan_meier_draws_without_a_test_and_with_undefined_limits(study):
    curves = study("outcome/kaplan_meier").filter(pl.col("predictors") == "all")
    curves = curves.with_columns(lower=pl.when(pl.col("survival") > 0.9).then(None).otherwise("lower"))
    figure = kaplan_meier(curves, None, "days")
    assert is_svg(figure)
    assert figure.half


@pytest.mark.parametrize(
    ("time", "event", "median"),
    [
        ([1, 2, 3, 4], [0, 0, 0, 0], 2.5),  # a curve exactly on one half: the middle of the stretch, as R does
        ([5, 8, 9], [0, 0, 0], 8),
        ([5, 8, 9], [1, 1, 1], None),
        ([1, 2, 3, 4, 5], [1, 1, 0, 0, 0], 4),
    ],
)
def test_median_follow_up_by_hand(time, event, median):
    assert median_follow_up(np.array(time, float), np.array(event, float)) == median


def test_labels_cover_neither_each_other_nor_points():
    figure = canvas(5, 4, left=0.1, right=0.95, top=0.95, bottom=0.1)
    axes = figure.add_subplot()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    rng = np.random.default_rng(7)
    x, y = rng.uniform(0.4, 0.6, 12), rng.uniform(0.4, 0.6, 12)
    texts = [f"a label of point {i}" for i in range(12)]
    written = label_points(axes, x.tolist(), y.tolist(), texts)
    assert len(written) >= 8
    renderer = figure.canvas.get_renderer()
    figure.draw(renderer)
    boxes = [Bbox.from_extents(*_text_extent(t, renderer)) for t in axes.texts]
    assert len(boxes) == len(written)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    pixels = axes.transData.transform(np.column_stack([x, y]))
    assert not any(box.contains(*p) for box in boxes for p in pixels)


def _text_extent(note, renderer):
    from matplotlib.text import Text

    return Text.get_window_extent(note, renderer).extents


def test_forest_states_the_protocol_and_survives_missing_limits(study):
    performance = study("outcome/performance")
    assert protocol(performance) == "5 × 5-fold cross-validation, split by patient"
    figure = forest(performance.with_columns(lower=pl.lit(None, pl.Float64)))
    assert "5 × 5-fold cross-validation" in figure.caption
    assert is_svg(figure)


def test_response_figures_draw_few_subjects_many_and_none(study):
    best, visits = study("response/best"), study("response/timepoints")
    assert is_svg(waterfall(best))
    assert is_svg(spider(visits, None))
    huge = best.with_columns(best_change=pl.lit(300.0), best_response=pl.lit("PD"))
    assert is_svg(waterfall(huge.head(3)))
    assert waterfall(best.with_columns(best_change=pl.lit(None, pl.Float64))) is None
    assert spider(visits.head(0), best) is None
    assert is_svg(swimmer(visits, best))
    assert swimmer(visits.head(0), best) is None


def test_response_figures_speak_the_words_of_their_criterion(study):
    best, visits = study("response/best"), study("response/timepoints")
    kind = Kind("PERCIST 1.0", "SULpeak of the hottest lesion", 30.0, -30.0, {"CMR": "CR", "PMR": "PR"})
    words = {"CR": "CMR", "PR": "PMR"}
    best = best.with_columns(pl.col("best_response").replace(words))
    for figure in (waterfall(best, kind), spider(visits, best, kind)):
        assert "SULpeak of the hottest lesion" in figure.caption
    assert "(PERCIST 1.0)" in swimmer(visits, best, kind).caption
    assert (kind.drawn_as("CMR"), kind.drawn_as("PD"), RECIST.drawn_as("CR")) == ("CR", "PD", "CR")


def test_components_need_two_axes(study):
    samples = study("genome/samples")
    assert is_svg(components(samples))
    assert components(samples.drop("PC2")) is None


def test_models_without_an_estimate_are_not_drawn(study):
    performance = study("outcome/performance")
    none = performance.with_columns(estimate=pl.lit(None, pl.Float64))
    assert forest(none) is None
    some = forest(pl.concat([performance.head(2), none.tail(1)]))
    assert "performance of 2 models" in some.alt


def sheet(figure):
    """Width and height of the SVG in points, and the width it has on the page in CSS pixels."""
    svg = base64.b64decode(figure.source.split(",")[1]).decode()
    width, height = (float(v) for v in re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', svg).groups())
    return width, height, figure.width


def test_a_sheet_grows_until_no_text_is_cut_off():
    whole = canvas(4.0, 2.0)
    whole.text(0.5, 0.5, "inside", ha="center")
    assert sheet(embed(whole, "inside", "")) == (288.0, 144.0, 440)
    figure = canvas(4.0, 2.0)
    figure.text(0.1, 0.5, "a name much too long for its place" * 3, ha="right")
    width, height, pixels = sheet(embed(figure, "outside", ""))
    assert width > 500
    assert height == 144.0
    assert pixels == pytest.approx(width / 72 * 110, abs=1)


def test_long_names_lose_their_middle_alone():
    name = "Time – diagnosis to last follow-up (days)"
    assert shorten(name, 41) == name
    assert shorten(name, 21) == "Time – dia…-up (days)"
    assert len(shorten(name, 20)) == 20


def test_the_waterfall_and_the_bars_of_long_clinical_names_keep_their_size(study):
    assert sheet(waterfall(study("response/best")))[0] == pytest.approx(8.6 * 72)
    selection = study("outcome/selection")
    long = selection.with_columns(predictor="MSKCC type of an Extraskeletal bone sarcoma " + pl.col("predictor"))
    endpoint, predictors = selection.filter(pl.col("fraction") > 0).select("endpoint", "predictors").row(0)
    assert sheet(selection_bars(long, endpoint, predictors))[0] < 1.15 * 4.25 * 72


def test_labels_in_rails_keep_the_order_of_their_points_and_do_not_overlap():
    rng = np.random.default_rng(3)
    x = np.concatenate([0.75 + 0.01 * rng.standard_normal(8), [-0.7, -0.71]])
    y = np.concatenate([25 + rng.random(8), [20.0, 20.01]])
    figure = canvas(7.6, 4.6, left=0.08, right=0.86, top=0.92, bottom=0.11)
    axes = figure.add_subplot()
    axes.set_xlim(-1, 1)
    axes.set_ylim(0, 28)
    texts = [f"CT:feature_{i} · mut:GENE" for i in range(10)]
    label_rails(axes, x, y, texts, avoid=np.column_stack([x, y]))
    renderer = figure.canvas.get_renderer()
    figure.draw(renderer)
    inside = axes.get_window_extent()
    for side in (1, -1):
        notes = [t for t in axes.texts if np.sign(t.xy[0]) == side]
        notes.sort(key=lambda t: -Text.get_window_extent(t, renderer).y0)
        heights = [t.xy[1] for t in notes]
        assert heights == sorted(heights, reverse=True)
        boxes = [Text.get_window_extent(t, renderer) for t in notes]
        assert all(lower.y1 <= upper.y0 for upper, lower in itertools.pairwise(boxes))
        assert all(b.y0 >= inside.y0 and b.y1 <= inside.y1 for b in boxes)
    assert len(axes.texts) == 10
