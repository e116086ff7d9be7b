"""Derived regions against closed forms, slow twins and planted mixtures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from naive import derive as naive
from radiolocus.errors import ConfigError, GeometryError, InputError, RoiError
from radiolocus.image.derive import DerivedRegion, core, derive, habitats, ring
from radiolocus.model import Geometry, Mask, Volume
from regions import regions

SPACINGS = [(1.0, 1.0, 1.0), (0.5, 0.5, 0.5), (2.0, 1.0, 1.5), (3.0, 0.977, 0.977)]


def _sphere(radius, spacing, margin):
    half = np.ceil((radius + margin) / np.array(spacing)).astype(int) + 1
    axes = [np.arange(-n, n + 1) * s for n, s in zip(half, spacing, strict=True)]
    return np.sqrt(sum(a**2 for a in np.meshgrid(*axes, indexing="ij"))) <= radius


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("distance", [3.0, 6.0])
def test_ring_and_core_of_a_sphere_have_the_volumes_of_the_closed_form(spacing, distance):
    # Radius of the ball of the same volume: within a quarter of the longest edge of a voxel.
    radius, voxel, unit_ball = 20.0, float(np.prod(spacing)), 4 / 3 * np.pi
    mask = _sphere(radius, spacing, distance)
    around = ring(mask, np.array(spacing), distance)
    inner = core(mask, np.array(spacing), distance)
    assert not (around & mask).any()
    assert not (inner & ~mask).any()
    outer_radius = ((mask | around).sum() * voxel / unit_ball) ** (1 / 3)
    inner_radius = (inner.sum() * voxel / unit_ball) ** (1 / 3)
    assert outer_radius == pytest.approx(radius + distance, abs=max(spacing) / 4)
    assert inner_radius == pytest.approx(radius - distance, abs=max(spacing) / 4)


def test_the_ring_of_a_fine_sphere_has_the_volume_of_the_shell():
    mask = _sphere(20.0, (0.5, 0.5, 0.5), 6.0)
    volume = ring(mask, np.full(3, 0.5), 6.0).sum() * 0.125
    assert volume == pytest.approx(4 / 3 * np.pi * (26**3 - 20**3), rel=0.025)


@given(regions(), st.sampled_from((0.4, 1.0, 1.5, 2.2, 5.0)))
def test_ring_and_core_are_those_of_the_slow_twin(region, distance):
    _, mask, spacing = region
    np.testing.assert_array_equal(ring(mask, np.array(spacing), distance), naive.ring(mask, spacing, distance))
    np.testing.assert_array_equal(core(mask, np.array(spacing), distance), naive.core(mask, spacing, distance))


def test_a_distance_of_whole_voxels_reaches_them_in_spite_of_rounding():
    mask = np.zeros((1, 1, 9), bool)
    mask[0, 0, 4] = True
    around = ring(mask, np.array([1.0, 1.0, 0.1]), 0.3)
    assert np.flatnonzero(around).tolist() == [1, 2, 3, 5, 6, 7]


def _pair(arrays, image=None, spacing=(2.0, 1.0, 1.0)):
    geometry = Geometry.regular(arrays[0].shape, spacing)
    image = np.zeros(arrays[0].shape) if image is None else image
    return Volume(image, geometry, "CT", "HU"), [
        Mask(a, geometry, f"R{i}", (f"note {i}",)) for i, a in enumerate(arrays)
    ]


def _box(z, y, x, shape=(12, 14, 16)):
    array = np.zeros(shape, bool)
    array[slice(*z), slice(*y), slice(*x)] = True
    return array


def test_sets_of_regions():
    rng = np.random.default_rng(2)
    a, b, c = (rng.random((4, 5, 6)) < 0.5 for _ in range(3))
    volume, masks = _pair([a, b, c])
    expected = {"union": a | b | c, "intersection": a & b & c, "difference": a & ~b & ~c}
    for kind, array in expected.items():
        options = DerivedRegion("D", kind, of=("x", "y", "z"))
        made = derive(volume, masks, options, "D")
        np.testing.assert_array_equal(made.array, array)
        assert made.name == "D"
        assert made.notes == ("note 0", "note 1", "note 2")


def test_ring_and_core_of_several_regions_are_of_their_union():
    a, b = _box((3, 6), (4, 8), (4, 8)), _box((3, 6), (4, 8), (7, 12))
    volume, masks = _pair([a, b])
    for kind, function in (("ring", ring), ("core", core)):
        made = derive(volume, masks, DerivedRegion("D", kind, of=("A", "B"), distance_mm=1.0), "D")
        np.testing.assert_array_equal(made.array, function(a | b, volume.geometry.spacing, 1.0))


@pytest.mark.parametrize(
    ("z", "distance", "told"),
    [((4, 8), 2.0, None), ((1, 8), 2.0, None), ((1, 8), 4.0, "cut at its border"), ((4, 12), 2.0, "cut at its border")],
)
def test_a_ring_that_reaches_beyond_the_image_is_told(z, distance, told):
    volume, masks = _pair([_box(z, (5, 9), (5, 9))])
    notes = derive(volume, masks, DerivedRegion("near", "ring", distance_mm=distance), "near").notes
    assert [n for n in notes if "border" in n] == (
        [f"near: the ring reaches beyond the image and was {told}"] if told else []
    )
    # On a larger image the ring is the same where it was told to be whole, and larger where it was cut.
    wide, more = _pair([np.pad(masks[0].array, 5)])
    size = derive(wide, more, DerivedRegion("near", "ring", distance_mm=distance), "near").array.sum()
    here = derive(volume, masks, DerivedRegion("near", "ring", distance_mm=distance), "near").array.sum()
    assert (size > here) == bool(told)


def test_a_core_at_the_border_and_a_distance_below_a_voxel_are_told():
    volume, masks = _pair([_box((0, 8), (5, 9), (5, 9))])
    made = derive(volume, masks, DerivedRegion("deep", "core", distance_mm=1.0), "deep")
    assert "touches the border" in made.notes[1]
    assert "less than a voxel along z (2 mm)" in made.notes[2]
    assert int(made.array.sum()) == 8 * 2 * 2


@pytest.mark.parametrize("method", ["otsu", "kmeans"])
@pytest.mark.parametrize("classes", [2, 3])
def test_habitats_find_the_parts_of_a_mixture(method, classes):
    rng = np.random.default_rng(4)
    truth = rng.integers(0, classes, (10, 11, 12))
    image = truth * 50.0 + rng.normal(0, 4, truth.shape)
    inside = _box((2, 9), (2, 9), (2, 9), truth.shape)
    volume, masks = _pair([inside], np.where(inside, image, 1e6))
    options = DerivedRegion("H", "habitats", method=method, classes=classes)
    assert options.parts == tuple(f"H_{i + 1}" for i in range(classes))
    for i, part in enumerate(options.parts):
        made = derive(volume, masks, options, part)
        np.testing.assert_array_equal(made.array, inside & (truth == i))
        low, high = image[made.array].min(), image[made.array].max()
        assert made.notes[-1] == f"{part}: intensities from {low:.6g} to {high:.6g} HU"


@given(st.lists(st.integers(0, 40), min_size=4, max_size=12), st.integers(2, 3))
def test_k_means_leaves_every_value_with_its_nearest_mean_and_does_not_see_the_order(values, classes):
    values = np.array(values, float)
    if np.unique(values).size < classes:
        with pytest.raises(RoiError, match=f"distinct intensities for {classes} habitats"):
            habitats(values, classes, "kmeans")
        return
    labels = habitats(values, classes, "kmeans")
    means = np.array([values[labels == k].mean() for k in range(classes)])
    assert (np.diff(means) > 0).all()
    away = np.abs(values[:, None] - means)
    np.testing.assert_allclose(away[np.arange(values.size), labels], away.min(axis=1), atol=1e-9)
    np.testing.assert_array_equal(habitats(values[::-1], classes, "kmeans"), labels[::-1])


def test_k_means_finds_the_best_split_of_skewed_parts():
    rng = np.random.default_rng(6)
    values = np.concatenate([rng.normal(0, 1, 6), rng.gamma(3, 4, 20) + 8, rng.normal(90, 5, 8)])
    for classes in (2, 3):
        labels = habitats(values, classes, "kmeans", seed=3)
        within = sum(((values[labels == k] - values[labels == k].mean()) ** 2).sum() for k in range(classes))
        assert within == pytest.approx(naive.best_split(values, classes))


@given(st.lists(st.integers(0, 255), min_size=3, max_size=12), st.integers(2, 3))
def test_otsu_on_whole_numbers_of_one_bin_each_is_the_best_split(values, classes):
    values = np.array([0, 256, *values], float)  # bins of width 1
    filled = np.unique(np.minimum(values, 255)).size
    if filled < classes:
        with pytest.raises(RoiError, match=r"filled bins|distinct intensities"):
            habitats(values, classes)
        return
    labels = habitats(values, classes)
    values = np.minimum(values, 255)  # the last bin holds both of its edges
    within = sum(((values[labels == k] - values[labels == k].mean()) ** 2).sum() for k in range(classes))
    assert within == pytest.approx(naive.best_split(values, classes), abs=1e-9)


def test_otsu_takes_the_better_split_where_a_library_does_not():
    """scikit-image 0.26 parts {0, 22} | 50 | 256: 403 of the sum of squares stay within where 392 can."""
    assert habitats(np.array([0.0, 256, 0, 0, 0, 0, 22, 50]), 3).tolist() == [0, 2, 0, 0, 0, 0, 1, 1]


def test_empty_regions_are_named():
    a, b = _box((3, 6), (4, 6), (4, 8)), _box((7, 9), (4, 8), (4, 8))
    volume, masks = _pair([a, b])
    for options in (
        DerivedRegion("deep", "core", distance_mm=4.0),
        DerivedRegion("both", "intersection", of=("A", "B")),
    ):
        with pytest.raises(RoiError, match=f"derived region '{options.name}' .{options.kind}. is empty"):
            derive(volume, masks if options.of else masks[:1], options, options.name)
    with pytest.raises(RoiError, match="1 distinct intensities for 2 habitats"):
        derive(volume, masks[:1], DerivedRegion("H", "habitats"), "H_1")
    with pytest.raises(RoiError, match="an empty mask"):
        derive(volume, [Mask(np.zeros(a.shape, bool), volume.geometry)], DerivedRegion("r", "ring", distance_mm=1), "r")


def test_bad_voxels_and_other_grids_are_refused():
    inside = _box((3, 6), (4, 8), (4, 8))
    image = np.arange(inside.size, dtype=float).reshape(inside.shape)
    image[4, 5, 5] = np.nan
    volume, masks = _pair([inside], image)
    with pytest.raises(InputError, match="1 NaN or infinite voxels"):
        derive(volume, masks, DerivedRegion("H", "habitats"), "H_2")
    other = Mask(inside, Geometry.regular(inside.shape, (2.0, 1.0, 1.1)))
    with pytest.raises(GeometryError, match="another grid"):
        derive(volume, [other], DerivedRegion("r", "ring", distance_mm=1), "r")


@pytest.mark.parametrize(
    ("options", "got"),
    [
        ({"name": "a b", "kind": "union"}, "name = 'a b'"),
        ({"name": "r", "kind": "shell"}, "kind = 'shell'"),
        ({"name": "r", "kind": "ring"}, "distance_mm = None"),
        ({"name": "r", "kind": "ring", "distance_mm": 0.0}, "distance_mm = 0"),
        ({"name": "r", "kind": "core", "distance_mm": float("inf")}, "distance_mm = inf"),
        ({"name": "r", "kind": "habitats", "distance_mm": 1.0}, "distance_mm = 1"),
        ({"name": "r", "kind": "union", "of": ("A",)}, r"of = \['A'\]"),
        ({"name": "r", "kind": "union", "of": ("A", "A")}, "of = "),
        ({"name": "r", "kind": "habitats", "classes": 1}, "classes = 1"),
        ({"name": "r", "kind": "habitats", "classes": 6}, "classes = 6"),
        ({"name": "r", "kind": "habitats", "method": "gmm"}, "method = 'gmm'"),
        ({"name": "r", "kind": "habitats", "method": "kmeans", "seed": -1}, "seed = -1"),
    ],
)
def test_options_that_cannot_be_followed(options, got):
    with pytest.raises(ConfigError, match=got) as error:
        DerivedRegion(**options)
    assert error.value.allowed
