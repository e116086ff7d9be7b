"""Patterns drafted from paths: many naming habits, one subject's place in each."""

from __future__ import annotations

import pytest

from radiolocus.app.draft_paths import Item, find_pairs, role_of
from radiolocus.read.discover import pattern_regex


def _items(*templates, subjects, **more):
    return [Item(t.format(s=s, **more)) for s in subjects for t in templates]


IDS = [f"STS_{i:03d}" for i in (1, 2, 10, 11)]


@pytest.mark.parametrize(
    ("templates", "image", "mask"),
    [
        (("{s}/PET_image.nii.gz", "{s}/PET_mask.nii.gz"), "{subject}/PET_image.nii.gz", "{subject}/PET_mask.nii.gz"),
        (("images/{s}.nii", "masks/{s}.nii"), "images/{subject}.nii", "masks/{subject}.nii"),
        (("{s}_CT.nii.gz", "{s}_CT_seg.nii.gz"), "{subject}_CT.nii.gz", "{subject}_CT_seg.nii.gz"),
        (("image-{s}.nii", "mask-{s}.nii"), "image-{subject}.nii", "mask-{subject}.nii"),
        (("a/{s}/ct.nii.gz", "a/{s}/tumour.nii.gz"), "a/{subject}/ct.nii.gz", "a/{subject}/tumour.nii.gz"),
        (
            ("{s}/anat/{s}_T1w.nii.gz", "{s}/anat/{s}_label-tumor_T1w.nii.gz"),
            "{subject}/anat/{subject}_T1w.nii.gz",
            "{subject}/anat/{subject}_label-tumor_T1w.nii.gz",
        ),
    ],
)
@pytest.mark.parametrize("known", [(), tuple(IDS), (*IDS, "7", "PET")])
def test_naming_habits(templates, image, mask, known):
    items = _items(*templates, subjects=IDS)
    (pair,), left = find_pairs(items, known)
    assert (pair.image.text, pair.mask.text) == (image, mask)
    assert list(pair.subjects) == IDS
    assert left == []
    for subject in IDS:
        assert pattern_regex(image).fullmatch(pair.image.members[subject])["subject"] == subject


def test_ids_in_tables_decide_where_the_id_ends():
    items = _items("{s}_pet_image.nii.gz", "{s}_pet_mask.nii.gz", subjects=["LUNG1-001", "LUNG1-002"])
    assert find_pairs(items, ["LUNG1-001", "LUNG1-002"])[0][0].image.text == "{subject}_pet_image.nii.gz"
    assert find_pairs(items, ["001", "002"])[0][0].image.text == "LUNG1-{subject}_pet_image.nii.gz"


def test_each_image_gets_the_mask_that_is_named_like_it():
    items = _items("{s}/PET_image.nii", "{s}/CT_image.nii", "{s}/CT_mask.nii", "{s}/PET_mask.nii", subjects=IDS)
    pairs, left = find_pairs(items, ())
    assert sorted((p.image.text, p.mask.text) for p in pairs) == [
        ("{subject}/CT_image.nii", "{subject}/CT_mask.nii"),
        ("{subject}/PET_image.nii", "{subject}/PET_mask.nii"),
    ]
    assert left == []


def test_visits_become_one_pattern():
    items = [Item(f"{s}/{v}/{n}.nii") for s in IDS for v in ("visit1", "visit2") for n in ("ct", "mask")]
    (pair,), _ = find_pairs(items, IDS)
    assert (pair.image.text, pair.mask.text) == ("{subject}/{visit}/ct.nii", "{subject}/{visit}/mask.nii")
    assert pair.visits == ("visit1", "visit2")
    assert list(pair.subjects) == IDS


def test_what_has_no_partner_is_left():
    items = [*_items("{s}/ct.nii", "{s}/mask.nii", subjects=IDS[:3]), Item("STS_011/ct.nii"), Item("x/atlas.nii")]
    (pair,), left = find_pairs(items, ())
    assert len(pair.subjects) == 3
    assert left == [Item("STS_011/ct.nii"), Item("x/atlas.nii")]
    assert find_pairs([Item("only/ct.nii"), Item("only/mask.nii")], ()) == (
        [],
        [Item("only/ct.nii"), Item("only/mask.nii")],
    )
    assert len(find_pairs([Item("only/ct.nii"), Item("only/mask.nii")], ["only"])[0]) == 1


def test_the_order_of_the_files_does_not_matter():
    items = _items("{s}/PET_image.nii", "{s}/CT_image.nii", "{s}/CT_mask.nii", "{s}/PET_mask.nii", subjects=IDS)
    one, other = find_pairs(items, ())[0], find_pairs(items[::-1], ())[0]
    assert [(p.image.text, p.mask.text, p.subjects) for p in one] == [
        (p.image.text, p.mask.text, p.subjects) for p in other
    ]


def test_braces_and_stars_in_names_are_never_patterns():
    for strange in ("*", "?", "[x]"):
        items = [Item(f"{s}{strange}/{name}.nii") for s in IDS for name in ("ct", "mask")]
        assert find_pairs(items, IDS) == ([], items)


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("a/PET_image.nii", "image"),
        ("a/CT_mask.nii", "mask"),
        ("a/ct_lesionseg.nii.gz", "mask"),
        ("labels/ct_001.nii", "image"),
        ("labels/001.nii", "mask"),
        ("a/tumor.nii", "mask"),
        ("a/tumor_ct.nii", "image"),
        ("a/b.nii", "image"),
    ],
)
def test_roles_by_name(path, role):
    assert role_of(Item(path)) == role
    assert role_of(Item(path, "mask")) == "mask"
