"""Pictures of regions: the outline is the edge of the mask, and size is bounded."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from radiolocus.report.montage import gallery, outline, shrink, tiles
from radiolocus.schema import TABLES


def edges_one_by_one(mask):
    """Every unit edge between a pixel in and a pixel out, found pixel by pixel."""
    found = set()
    rows, columns = mask.shape
    for r in range(rows):
        for c in range(columns):
            for dr, dc, edge in (
                (-1, 0, ("h", r, c)), (1, 0, ("h", r + 1, c)), (0, -1, ("v", r, c)), (0, 1, ("v", r, c + 1)),
            ):  # fmt: skip
                y, x = r + dr, c + dc
                other = mask[y, x] if 0 <= y < rows and 0 <= x < columns else False
                if mask[r, c] and not other:
                    found.add(edge)
    return found


def edges_of_path(path):
    found = set()
    for x, y, way, end in re.findall(r"M(\d+) (\d+)([HV])(\d+)", path):
        x, y, end = int(x), int(y), int(end)
        found |= {("h", y, c) for c in range(x, end)} if way == "H" else {("v", r, x) for r in range(y, end)}
    return found


@given(hnp.arrays(bool, st.tuples(st.integers(1, 7), st.integers(1, 7))))
@settings(max_examples=80, deadline=None)
def test_outline_is_the_set_of_edges_between_in_and_out(mask):
    assert edges_of_path(outline(mask)) == edges_one_by_one(mask)


def test_outline_is_in_millimetres_and_straight_runs_are_one_piece():
    mask = np.zeros((4, 5), bool)
    mask[1:3, 1:4] = True
    assert outline(mask, 2.0, 0.5) == "M0.5 2H2M0.5 6H2M0.5 2V6M2 2V6"


def test_small_pictures_are_left_alone_and_large_ones_shrink_around_the_region():
    grey = np.arange(400 * 300, dtype=np.uint32).reshape(400, 300).astype(np.uint8)
    mask = np.zeros((400, 300), bool)
    mask[350:370, 20:40] = True
    same = shrink(grey[:50, :50], mask[:50, :50], 64)
    assert same[2] == 1
    assert same[0].shape == (50, 50)
    small, kept, step = shrink(grey, mask, 64)
    assert max(small.shape) <= 64
    assert step == 1
    assert kept.sum() == 400


def test_a_shrunken_region_keeps_its_area_and_a_tiny_one_stays_visible():
    grey = np.full((500, 500), 7, np.uint8)
    mask = np.zeros((500, 500), bool)
    mask[40:460, 60:440] = True
    small, kept, step = shrink(grey, mask, 100)
    assert max(small.shape) <= 100
    assert (small == 7).all()
    assert kept.sum() * step**2 == pytest.approx(mask.sum(), rel=0.06)
    spread = np.zeros((500, 500), bool)
    spread[::499, ::499] = True
    assert shrink(grey, spread, 50)[1].any()


def thumbnails(count, side):
    rng = np.random.default_rng(1)
    mask = np.zeros((side, side), np.uint8)
    mask[side // 4 : side // 2, side // 4 : side // 2] = 1
    rows = []
    for i in range(count):
        grey = rng.integers(0, 256, (side, side), dtype=np.uint8)
        rows.append((f"S{i:04d}", "CT", "", "GTV", "CT", "HU", side, side, 2.0, 1.0, -160.0, 240.0, grey.tobytes(),
                     mask.tobytes(), 10, 1.5))  # fmt: skip
    schema = list(TABLES["features/thumbnails"].schema)
    return pl.DataFrame(rows, schema=schema, orient="row", infer_schema_length=None)


def test_a_tile_says_scale_window_and_volume_and_holds_the_very_pixels():
    frame = thumbnails(1, 24)
    tile = tiles(frame)[0]
    assert (tile.width, tile.height) == (24.0, 48.0)
    assert tile.bar == 5.0
    assert tile.lines == ("CT GTV", "1.50 mL", "−160 to 240", "bar 5 mm")
    assert "10 voxels" in tile.alt
    picture = Image.open(io.BytesIO(base64.b64decode(tile.source.split(",")[1])))
    assert picture.mode == "L"
    assert np.asarray(picture).tobytes() == frame["pixels"][0]


def test_hundreds_of_subjects_do_not_make_a_huge_page():
    made = tiles(thumbnails(700, 128))
    assert len(made) == 700
    assert sum(len(t.source) for t in made) < 14e6  # noise, the worst case of a PNG


def test_what_all_pictures_share_is_said_once():
    made = gallery(thumbnails(3, 24))
    assert [t.lines for t in made.tiles] == [("1.50 mL",)] * 3
    assert "3 regions of interest of 3 subjects. CT (HU): high is white." in made.caption
    assert "Under each picture: subject, volume. The same for all: CT GTV, −160 to 240, bar 5 mm." in made.caption
    alone = gallery(thumbnails(1, 24))
    assert len(alone.tiles[0].lines) == 4


def test_a_pet_whose_high_uptake_is_black_says_so_and_its_window_still_rises():
    frame = thumbnails(3, 24)
    pet = frame.with_columns(
        image=pl.lit("PET"), unit=pl.lit("SUVbw g/mL"), low=pl.Series([7.914, 22.8, 4.0]), high=pl.lit(0.0)
    )
    made = gallery(pl.concat([frame, pet]))
    assert "CT (HU): high is white; PET (SUVbw g/mL): high is black." in made.caption
    dark = [t for t in made.tiles if t.inverted]
    assert [t.lines[2] for t in dark] == ["0 to 7.91", "0 to 22.8", "0 to 4.00"]
    assert {t.lines[0] for t in made.tiles if not t.inverted} == {"CT GTV"}
