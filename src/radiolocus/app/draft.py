"""``radiolocus init``: looks through folders and drafts a study file.

The draft holds what the files show and nothing else: whatever needs a person's decision stands behind ``#`` with the
reason beside it.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from radiolocus.app.draft_paths import Item, Pair, find_pairs, role_of, words
from radiolocus.app.draft_tables import Drafted, best_rules, guess_endpoints, judge, look, overlap
from radiolocus.app.draft_write import DraftImage, Matched, cohort_ids, is_marker_table, write
from radiolocus.cohort import IdRules
from radiolocus.errors import ConfigError, RadiolocusError
from radiolocus.read.clinical import SUFFIXES
from radiolocus.read.dicom import read_header
from radiolocus.read.discover import by_pattern
from radiolocus.read.genotype_files import open_genotypes
from radiolocus.read.imaging import describe
from radiolocus.read.maf import read_maf

__all__ = ["Draft", "draft"]

_LARGEST_TABLE = 200 * 2**20
_SAMPLES = 3


@dataclass(frozen=True)
class Draft:
    """A drafted study.

    Parameters
    ----------
    text : str
        Study file in TOML, with comments.
    findings : tuple of str
        What was found and what it was matched to, one line each.
    """

    text: str
    findings: tuple[str, ...]


@dataclass
class _Files:
    """Files below the root, by what they are; paths are POSIX and relative to the root."""

    nifti: list[str] = field(default_factory=list)
    dicom: dict[str, list[str]] = field(default_factory=dict)
    tables: list[str] = field(default_factory=list)
    genotypes: list[str] = field(default_factory=list)
    maf: list[str] = field(default_factory=list)
    gct: list[str] = field(default_factory=list)
    other: Counter[str] = field(default_factory=Counter)


def draft(folders: Sequence[Path], *, beside: Path | None = None) -> Draft:
    """Draft a study file from folders of images, tables, genotypes and mutations.

    Parameters
    ----------
    folders : sequence of Path
        Folders (or files) to look through; their common parent becomes the root of the study.
    beside : Path, optional
        Folder in which the study file will stand, to which ``root`` is relative; default: the current folder.

    Returns
    -------
    Draft
        The same bytes for the same files.

    Raises
    ------
    ConfigError
        No folder, or one that does not exist.
    """
    root = _root(folders)
    files = _walk(root, folders)
    findings = _counted(files)
    tables, said = _read_tables(root, files)
    findings += said
    genotyped = _ids_of(root, files.genotypes, _samples, findings)
    mutated = _ids_of(root, files.maf, _barcodes, findings)
    known = {i for t in tables if t.kind in ("subjects", "lesions") for i in t.ids} | genotyped | mutated
    images, said = _images(root, files, known - {""})
    findings += said
    imaged = {s for i in images for s in i.pair.subjects}
    evidence = imaged | genotyped | mutated
    tables = [judge(t, evidence) for t in tables] if evidence else tables
    sequenced = next((t.path for t in tables if t.table.frame.width == 1 and t.kind == "subjects" and files.maf), None)
    subjects = _subject_tables([t for t in tables if t.path != sequenced], evidence)
    sources = [set(t.ids) for t in subjects] + [s for s in (imaged, genotyped, mutated) if s]
    rules, joined, plain = best_rules(sources) if sources else (IdRules(), 0, 0)
    if joined > plain:
        findings.append(f"[cohort.ids] joins {joined} ids of the other sources to the first table, {plain} without it")
    images = _weigh(images, cohort_ids(subjects, rules), rules)
    found = Matched(
        root, tuple(subjects), rules, tuple(images), tuple(files.genotypes), tuple(files.maf), sequenced,
        tuple(files.gct), tuple(tables),
    )  # fmt: skip
    findings += _matched(found, genotyped, mutated)
    start = (beside or Path.cwd()).resolve()
    return Draft(write(found, os.path.relpath(root, start)), tuple(findings))


# --- what is there -------------------------------------------------------------------------------------------------


def _root(folders: Sequence[Path]) -> Path:
    if not folders:
        raise ConfigError("no folder", allowed="at least one folder of images, tables or genotypes")
    for folder in folders:
        if not folder.exists():
            raise ConfigError(f"no folder '{folder}'", todo="correct the path")
    return Path(os.path.commonpath([f.resolve() if f.is_dir() else f.resolve().parent for f in folders]))


def _walk(root: Path, folders: Sequence[Path]) -> _Files:
    files = _Files()
    seen = sorted({p for f in folders for p in _below(f.resolve())})
    names = {p.relative_to(root).as_posix() for p in seen}
    for path in seen:
        _sort_in(files, path, path.relative_to(root).as_posix(), names)
    return files


def _below(folder: Path) -> Iterable[Path]:
    if folder.is_file():
        yield folder
    for here, inner, names in os.walk(folder):
        # An output folder of ours holds tables that are results, not input.
        inner[:] = [] if "study.json" in names else sorted(d for d in inner if not d.startswith("."))
        if "study.json" not in names:
            yield from (Path(here) / n for n in names if not n.startswith("."))


def _sort_in(files: _Files, path: Path, name: str, names: set[str]) -> None:
    lower = name.lower()
    bare = lower.removesuffix(".gz")
    if bare.endswith(".nii"):
        files.nifti.append(name)
    elif bare.endswith((".maf", ".maf.txt")):
        files.maf.append(name)
    elif bare.endswith(".gct"):
        files.gct.append(name)
    elif (genotyped := _genotypes(name, names)) is not None:
        files.genotypes += [name] if genotyped else []
    elif bare.endswith(SUFFIXES):
        files.tables.append(name)
    elif lower.endswith((".dcm", ".ima")) or (not Path(name).suffix[1:].isalpha() and _is_dicom(path)):
        files.dicom.setdefault(name.rpartition("/")[0], []).append(name)
    else:
        files.other[Path(bare).suffix or "no ending"] += 1


# Quickest to read first: of the same data in several formats the first is taken.
_GENOTYPES = (".bed", ".pgen", ".bgen", ".bcf", ".vcf.gz", ".vcf.bgz", ".vcf")
_BESIDE = {
    **dict.fromkeys((".bim", ".fam"), ".bed"),
    **dict.fromkeys((".psam", ".pvar", ".pvar.zst"), ".pgen"),
    **dict.fromkeys((".sample", ".bgen.bgi"), ".bgen"),
    **{f"{packed}.{index}": packed for packed in (".vcf.gz", ".bcf") for index in ("tbi", "csi")},
}


def _genotypes(name: str, names: set[str]) -> bool | None:
    """Tell a set of genotypes (True), a part or a copy of one (False), and anything else (None)."""
    endings = sorted((*_GENOTYPES, *_BESIDE), key=len, reverse=True)
    ending = next((e for e in endings if name.endswith(e)), None)
    if ending is None:
        return None
    bare = name.removesuffix(ending)
    if ending in _BESIDE:
        return False if {bare + _BESIDE[ending], bare + ".pgen"} & names else None
    people = {".bed": {bare + ".fam"}, ".pgen": {bare + ".psam", bare + ".fam"}}.get(ending, {name})
    if not people & names or (ending == ".bed" and bare + ".bim" not in names):
        return None
    return not {bare + e for e in _GENOTYPES[: _GENOTYPES.index(ending)]} & names


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _counted(files: _Files) -> list[str]:
    dicom = sum(map(len, files.dicom.values()))
    counts = (
        _many(len(files.nifti), "NIfTI file"),
        _many(dicom, "DICOM file") + (f" in {_many(len(files.dicom), 'folder')}" if dicom else ""),
        _many(len(files.tables), "table"),
        _many(len(files.genotypes), "genotype file"),
        _many(len(files.maf), "mutation file"),
        _many(len(files.gct), "expression file"),
    )
    said = ["found " + (", ".join(c for c in counts if c) or "nothing that a study can use")]
    if files.other:
        listed = ", ".join(f"{n} {ending}" for ending, n in sorted(files.other.items()))
        said.append(f"not looked at: {listed}")
    return said


def _read_tables(root: Path, files: _Files) -> tuple[list[Drafted], list[str]]:
    tables: list[Drafted] = []
    findings: list[str] = []
    for path in files.tables:
        size = (root / path).stat().st_size
        if size > _LARGEST_TABLE:
            findings.append(f"{path}: left out, {size / 2**20:.0f} MiB is too large for a draft")
            continue
        found, said = look(root, path, ())
        findings += said
        for table in found:
            if {"Hugo_Symbol", "Tumor_Sample_Barcode"} <= set(table.table.frame.columns):
                files.maf.append(path)
            else:
                tables.append(table)
    return tables, findings


def _samples(path: Path) -> Iterable[str]:
    return open_genotypes(path).sample_ids


def _barcodes(path: Path) -> Iterable[str]:
    maf = read_maf(path)
    return {*maf.frame["Tumor_Sample_Barcode"].to_list(), *maf.sequenced}


def _ids_of(root: Path, paths: list[str], read: Callable[[Path], Iterable[str]], findings: list[str]) -> set[str]:
    """Read the ids of files; a file that cannot be read is said and taken from the list."""
    ids: set[str] = set()
    for path in list(paths):
        try:
            ids.update(read(root / path))
        except RadiolocusError as error:
            paths.remove(path)
            findings.append(f"{path}: left out, {error}")
    return ids


# --- images --------------------------------------------------------------------------------------------------------


def _images(root: Path, files: _Files, known: set[str]) -> tuple[list[DraftImage], list[str]]:
    pairs, left = find_pairs([Item(p) for p in files.nifti], known)
    images = [_nifti_image(root, pair) for pair in pairs]
    items, findings = _dicom_items(root, files)
    dicom, alone = find_pairs(items, known)
    images += [_dicom_image(root, pair) for pair in dicom]
    for what, rest in (("NIfTI file", left), ("DICOM folder", alone)):
        for role, lack in (("image", "mask"), ("mask", "image")):
            lone = [i.path for i in rest if role_of(i) == role]
            if lone:
                findings.append(f"{_many(len(lone), what)} taken for {role} without {lack}: {_few(lone)}")
    return _unique_names(images), findings


def _dicom_items(root: Path, files: _Files) -> tuple[list[Item], list[str]]:
    items: list[Item] = []
    findings: list[str] = []
    for folder, names in files.dicom.items():
        try:
            told = describe(root / folder)
        except RadiolocusError as error:
            findings.append(f"{folder or '.'}: left out, {error}")
            continue
        structures = [n for n in names if _modality(root / n) in ("RTSTRUCT", "SEG")]
        series = len(told["series"])
        if series > 1 or len(structures) > 1 or not folder:
            findings.append(
                f"{folder or '.'}: left out, {series} series and {len(structures)} files of regions in one folder; "
                "allowed: a folder for each series, with at most one structure set or segmentation"
            )
        else:
            role = "mask" if told["kind"] in ("rtstruct", "seg") else "both" if structures else "image"
            items.append(Item(folder, role))
    return items, findings


def _modality(path: Path) -> str:
    try:
        header = read_header(path)
    except RadiolocusError:
        return ""
    return "" if header is None else str(header.get("Modality", ""))


def _nifti_image(root: Path, pair: Pair) -> DraftImage:
    doubts = (_nifti_doubt(root, pair, subject) for subject in pair.subjects[:_SAMPLES])
    doubt = next((d for d in doubts if d), "")
    return DraftImage(_name(pair.image.text), _modality_of(pair.image.text), pair, doubt=doubt)


def _nifti_doubt(root: Path, pair: Pair, subject: str) -> str:
    """Look at the headers of one image and its mask."""
    try:
        image, mask = (describe(root / p.members[subject]) for p in (pair.image, pair.mask))
    except (RadiolocusError, KeyError):
        return ""
    if image["shape"] != mask["shape"]:
        return f"image and mask of {subject} have shapes {image['shape']} and {mask['shape']} (z, y, x)"
    return "" if mask["integer"] else f"the mask of {subject} holds fractions"


def _dicom_image(root: Path, pair: Pair) -> DraftImage:
    modality, regions = "", []
    for subject in pair.subjects:
        try:
            if not modality:
                modality = str(describe(root / pair.image.members[subject])["modality"])
            regions.append(tuple(describe(root / pair.mask.members[subject])["rois"]))
        except (RadiolocusError, KeyError):
            continue
    names = sorted({n for r in regions for n in r})
    doubt = f"choose a region with roi: {', '.join(names)}" if any(len(r) != 1 for r in regions) or not names else ""
    roi = None if doubt else names[0] if len(names) == 1 else _common(names)
    return DraftImage(_name(pair.image.text) or modality, modality, pair, roi, doubt)


def _common(names: Sequence[str]) -> str:
    """Return a regular expression for all names: their common beginning, or anything."""
    low, high = min(names), max(names)
    same = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    return re.sub(r"([].^$*+?{}[\\|()])", r"\\\1", low[:same]) + ".*"


def _modality_of(pattern: str) -> str:
    here = words(pattern)
    for modality, hints in (
        ("PT", ("pet", "pt", "suv")),
        ("CT", ("ct",)),
        ("MR", ("mr", "mri", "t1", "t2", "flair", "adc", "dwi")),
    ):
        if any(w in hints or (w.startswith(("t1", "t2")) and modality == "MR") for w in here):
            return modality
    return ""


def _name(pattern: str) -> str:
    """Name an image by what its pattern says beside the subject and the word image."""
    for part in reversed(re.sub(r"(\.nii(\.gz)?)$", "", pattern).split("/")):
        kept = [w for w in re.findall(r"\{\w+\}|[^\W_]+", part) if not w.startswith("{")]
        kept = [w for w in kept if w.casefold() not in ("image", "images", "img", "scan", "volume", "nifti", "dicom")]
        if kept:
            return "_".join(w.upper() if w.casefold() in ("ct", "pet", "pt", "mr", "mri") else w for w in kept)
    return ""


def _unique_names(images: Sequence[DraftImage]) -> list[DraftImage]:
    taken: Counter[str] = Counter()
    named = []
    for image in images:
        name = image.name or image.modality or "image"
        taken[name] += 1
        name = name if taken[name] == 1 else f"{name}_{taken[name]}"
        named.append(DraftImage(name, image.modality, image.pair, image.roi, image.doubt))
    return named


def _weigh(images: Sequence[DraftImage], cohort: set[str], rules: IdRules) -> list[DraftImage]:
    """Put behind ``#`` what few subjects have."""
    weighed = []
    for image in images:
        joined = overlap(image.pair.subjects, cohort, rules)
        doubt = image.doubt
        if not doubt and cohort and 2 * joined < len(cohort):
            doubt = f"only {joined} of {len(cohort)} subjects have it"
        weighed.append(DraftImage(image.name, image.modality, image.pair, image.roi, doubt))
    return weighed


# --- who is who ----------------------------------------------------------------------------------------------------


def _subject_tables(tables: Sequence[Drafted], evidence: set[str]) -> list[Drafted]:
    """Choose the tables of subjects: the one with most known ids first, then those that share its ids."""
    fit = [t for t in tables if t.kind == "subjects" and not is_marker_table(t)]
    if not fit:
        return []

    def rank(t: Drafted) -> tuple[int, int, int]:
        return overlap(t.ids, evidence, IdRules()), len(guess_endpoints([t])), len(t.ids)

    first = max(fit, key=rank)
    chosen = [first]
    for table in fit:
        if table is first:
            continue
        _, joined, _ = best_rules([set(first.ids), set(table.ids)])
        if 2 * joined >= min(len(first.ids), len(table.ids)):
            chosen.append(table)
    return chosen


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}" if count else ""


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _matched(found: Matched, genotyped: set[str], mutated: set[str]) -> list[str]:
    cohort = cohort_ids(found.subjects, found.rules)
    said = [_about_table(table, found, cohort) for table in found.tables]
    said += [_about_image(image, found, cohort) for image in found.images]
    for what, ids in (("genotypes", genotyped), ("mutations", mutated)):
        if ids:
            said.append(f"{what}: {_many(len(ids), 'sample')}{_joined(ids, found, cohort)}")
    if not found.subjects:
        said.append("no table of subjects was found: name one under [cohort] before the study can run")
    return said


def _joined(ids: Collection[str], found: Matched, cohort: set[str]) -> str:
    return f", {overlap(ids, cohort, found.rules)} of {len(cohort)} subjects" if cohort else ""


def _about_table(table: Drafted, found: Matched, cohort: set[str]) -> str:
    rows = _many(table.table.frame.height, "row")
    if table in found.subjects:
        return f"{table.label}: subjects, {rows}, id column '{table.id}' ({_few(table.ids)})"
    if table.path == found.sequenced:
        return f"{table.label}: who was sequenced, {rows}{_joined(table.ids, found, cohort)}"
    if table.kind == "expression" and table.orientation == "genes_by_samples":
        return f"{table.label}: expression, {rows} of genes{_joined(table.table.frame.columns[1:], found, cohort)}"
    if table.kind in ("lesions", "expression") or (table.kind == "subjects" and is_marker_table(table)):
        what = "markers" if table.kind == "subjects" else table.kind
        return f"{table.label}: {what}, {rows}, id column '{table.id}'{_joined(table.ids, found, cohort)}"
    ids = f", id column '{table.id}'{_joined(table.ids, found, cohort)}" if table.id else ""
    return f"{table.label}: not used, {_UNUSED[table.kind]}, {rows}{ids}"


def _about_image(image: DraftImage, found: Matched, cohort: set[str]) -> str:
    pair = image.pair
    # Asked of the reader itself, so that the draft promises what a run will find.
    discovery = by_pattern(found.root, image.name, pair.image.text, pair.mask.text)
    subjects = {unit.subject for unit in discovery.units}
    visits = f" at {len(pair.visits)} visits" if pair.visits else ""
    alone = f"; {len(discovery.problems)} without exactly one of each" if discovery.problems else ""
    doubt = f"; drafted behind '#': {image.doubt}" if image.doubt else ""
    return (
        f"{image.name}: {_many(len(subjects), 'subject')}{visits} with image {pair.image.text} "
        f"and mask {pair.mask.text}{_joined(subjects, found, cohort)}{alone}{doubt}"
    )


_UNUSED = {
    "features": "features computed elsewhere",
    "other": "no column of ids",
    "images": "a list of images (see table under [[imaging.images]])",
    "several rows": "several rows a subject",
    "subjects": "its ids are not those of the other tables",
}
