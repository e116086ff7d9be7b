"""Path patterns drafted from the paths themselves: where the subject's id stands, which mask belongs to which image."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from radiolocus.errors import RadiolocusError
from radiolocus.read.discover import pattern_regex

__all__ = ["Item", "Pair", "Pattern", "find_pairs", "role_of", "words"]

_VISIT = re.compile(
    r"^(baseline|follow-?up\d*|fu\d*|pre|post"
    r"|(v|visit|tp|time|timepoint|t|ses|session|w|week|d|day|m|month|scan)[-_ ]?\d+)$",
    re.IGNORECASE,
)
_ENDING = re.compile(r"(\.nii(\.gz)?|\.dcm|\.ima)$", re.IGNORECASE)
# fmt: off
_MASK_WORDS = frozenset((
    "mask", "masks", "seg", "segs", "segmentation", "segmentations", "label", "labels", "labelmap", "roi", "rois",
    "gtv", "contour", "contours", "rtstruct",
))
_LESION_WORDS = frozenset(("tumour", "tumours", "tumor", "tumors", "lesion", "lesions"))
_IMAGE_WORDS = frozenset((
    "image", "images", "img", "imgs", "scan", "scans", "volume", "ct", "pet", "pt", "suv", "mr", "mri", "t1", "t1c",
    "t1ce", "t1gd", "t2", "flair", "adc", "dwi",
))
# fmt: on
# Paths by dates and serial numbers make patterns without end; the widest ones are enough.
_MOST_PATTERNS = 300


@dataclass(frozen=True)
class Item:
    """A file or folder that may be an image or a mask: path below the root, and its role when the headers tell."""

    path: str
    role: str = ""


@dataclass(frozen=True, eq=False)
class Pattern:
    """A path pattern and the path of each subject it finds."""

    text: str
    members: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Pair:
    """Patterns of an image and of its mask, and the subjects that have both."""

    image: Pattern
    mask: Pattern
    subjects: tuple[str, ...]
    visits: tuple[str, ...] = ()


def words(text: str) -> list[str]:
    """Split a path into its words, in lower case."""
    return [w.casefold() for w in re.findall(r"[^\W_]+", text)]


def role_of(item: Item) -> str:
    """Tell ``"mask"`` from ``"image"``: by the headers, else by the words of the file name, else of its folders."""
    if item.role:
        return item.role
    folder, _, name = _ENDING.sub("", item.path).rpartition("/")
    for part in (name, *reversed(folder.split("/"))):
        here = set(words(part))
        if here & _MASK_WORDS or any(w.endswith(("mask", "seg")) for w in here):
            return "mask"
        if here & _IMAGE_WORDS:
            return "image"
        if here & _LESION_WORDS:
            return "mask"
    return "image"


def find_pairs(items: Sequence[Item], known: Collection[str]) -> tuple[list[Pair], list[Item]]:
    """Pair images with masks by patterns, the best-supported pattern first.

    Parameters
    ----------
    items : sequence of Item
    known : collection of str
        Ids that stand in tables or genotype files; a pattern whose subjects are among them is believed first, and
        alone may rest on a single subject.

    Returns
    -------
    pairs : list of Pair
    left : list of Item
        What belongs to no pair.
    """
    known = frozenset(known)
    roles = {item.path: role_of(item) for item in items}
    # A folder of a series that holds its own structure set is both.
    patterns = {r: _patterns([p for p, is_ in roles.items() if is_ in (r, "both")], known) for r in ("image", "mask")}
    free = {role: {p for p, r in roles.items() if r in (role, "both")} for role in patterns}
    pairs: list[Pair] = []
    while True:
        best = max(_candidates(patterns, free, known), key=lambda c: c[0], default=None)
        if best is None:
            break
        pair = best[1]
        pairs.append(pair)
        free["image"] -= {pair.image.members[s] for s in pair.subjects}
        free["mask"] -= {pair.mask.members[s] for s in pair.subjects}
    used = {p for pair in pairs for s in pair.subjects for p in (pair.image.members[s], pair.mask.members[s])}
    return _with_visits(pairs), [i for i in items if i.path not in used]


def _candidates(
    patterns: Mapping[str, Mapping[str, Mapping[str, str]]], free: Mapping[str, Collection[str]], known: frozenset[str]
) -> Iterator[tuple[tuple[object, ...], Pair]]:
    masks = {t: {s: p for s, p in m.items() if p in free["mask"]} for t, m in patterns["mask"].items()}
    for text, members in patterns["image"].items():
        here = {s: p for s, p in members.items() if p in free["image"]}
        rated = []
        for other, there in masks.items():
            shared = sorted(here.keys() & there.keys())
            confirmed = sum(1 for s in shared if s in known)
            if len(shared) < 2 and not confirmed:
                continue
            alike = difflib.SequenceMatcher(None, text, other, autojunk=False).ratio()
            rated.append(((confirmed, len(shared), round(alike, 6), other), shared))
        if not rated:
            continue
        (confirmed, count, alike, other), shared = max(rated)
        pair = Pair(Pattern(text, here), Pattern(other, masks[other]), tuple(shared))
        length = sum(len(s) for s in shared) / count
        yield (confirmed, count, length, alike, -len(text), text), pair


def _patterns(paths: Sequence[str], known: frozenset[str]) -> dict[str, dict[str, str]]:
    """Return every pattern that finds two subjects, or one that is known, with the path of each."""
    found: dict[str, dict[str, str]] = {}
    for path in paths:
        for value in _values(path, known):
            text = re.sub(rf"(?<![^\W_]){re.escape(value)}(?![^\W_])", "{subject}", path)
            found.setdefault(text, {}).setdefault(value, path)
    wide = [t for t, m in found.items() if len(m) > 1 or m.keys() & known]
    wide.sort(key=lambda t: (-len(found[t].keys() & known), -len(found[t]), t))
    return {t: found[t] for t in wide[:_MOST_PATTERNS] if _believable(t, found[t])}


def _values(path: str, known: frozenset[str]) -> list[str]:
    """Return the parts of a path that may be a subject's id: runs of whole words within one name."""
    if re.search(r"[][{}*?]", path):
        return []
    values: dict[str, None] = {}
    for name in _ENDING.sub("", path).split("/"):
        spots = [m.span() for m in re.finditer(r"[^\W_]+", name)]
        for a in range(len(spots)):
            for b in range(a, len(spots)):
                value = name[spots[a][0] : spots[b][1]]
                if value in known or _may_be_id(value):
                    values[value] = None
    return list(values)


def _may_be_id(value: str) -> bool:
    if _VISIT.match(value) or not any(c.isdigit() for c in value):
        return False
    return not set(words(value)) & (_IMAGE_WORDS | _MASK_WORDS | _LESION_WORDS)


def _believable(text: str, members: Mapping[str, str]) -> bool:
    """Tell whether the pattern, read as the study file reads it, finds each path for its own subject."""
    try:
        regex = pattern_regex(text)
    except RadiolocusError:
        return False
    for subject, path in members.items():
        match = regex.fullmatch(path)
        if match is None or match["subject"] != subject:
            return False
    return True


def _with_visits(pairs: Sequence[Pair]) -> list[Pair]:
    """Join pairs that differ in nothing but the name of a visit."""
    groups: dict[tuple[str, str], list[tuple[str, Pair]]] = {}
    alone: list[tuple[int, Pair]] = []
    for n, pair in enumerate(pairs):
        visit = next((w for w in _visit_words(pair.image.text) if w in _visit_words(pair.mask.text)), None)
        if visit is None:
            alone.append((n, pair))
        else:
            spelt = (_spell(pair.image.text, visit), _spell(pair.mask.text, visit))
            groups.setdefault(spelt, []).append((visit, pair))
    joined = [pair for _, pair in alone]
    for (image, mask), members in groups.items():
        if len(members) == 1:
            joined.append(members[0][1])
            continue
        subjects = tuple(sorted({s for _, pair in members for s in pair.subjects}))
        first = members[0][1]
        visits = tuple(sorted(v for v, _ in members))
        joined.append(Pair(Pattern(image, first.image.members), Pattern(mask, first.mask.members), subjects, visits))
    return sorted(joined, key=lambda p: (-len(p.subjects), p.image.text))


def _visit_words(text: str) -> list[str]:
    found = []
    for name in _ENDING.sub("", text).split("/"):
        parts = [name, *re.split(r"[_.]", name)]
        found += [p for p in parts if _VISIT.match(p)]
    return list(dict.fromkeys(found))


def _spell(text: str, visit: str) -> str:
    return re.sub(rf"(?<![^\W_]){re.escape(visit)}(?![^\W_])", "{visit}", text)
