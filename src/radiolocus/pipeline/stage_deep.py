"""The stage of networks: crops are cut, blocks of numbers and sequences gathered, networks trained and judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial

import numpy as np
import polars as pl

from radiolocus.cohort.repeatable import IccDemand
from radiolocus.errors import ConfigError, InputError
from radiolocus.feature.measure import Work, read_work
from radiolocus.image.crop import crop
from radiolocus.learn.clinic import Clinic
from radiolocus.learn.deep_data import SEQUENCES, Crops, DeepData, Numbers, Windows
from radiolocus.learn.deep_options import DeepOptions, SequenceOptions
from radiolocus.learn.deep_torch import check_torch
from radiolocus.learn.preprocess import Predictors, join_predictors
from radiolocus.model import Problem
from radiolocus.molecular.windows import VariantWindows, given_windows, variant_windows
from radiolocus.outcome.blocks import Block, read_blocks
from radiolocus.outcome.deep import plan_deep, run_deep
from radiolocus.outcome.deep_tables import summarise_deep
from radiolocus.outcome.options import OutcomeOptions
from radiolocus.pipeline.endpoints import ENDPOINT_TABLES, endpoints_of
from radiolocus.pipeline.gather import as_problem
from radiolocus.pipeline.inputs import clinical, upstream, variant_dosages
from radiolocus.pipeline.molecular_predictors import molecular_predictors
from radiolocus.pipeline.phenotypes import analysed_images, phenotypes
from radiolocus.pipeline.run import Run, problem_frame, run_all
from radiolocus.read.clinical import read_table as read_file
from radiolocus.read.discover import inside
from radiolocus.read.fasta import Fasta
from radiolocus.registry import suggest
from radiolocus.store import Stage, digest, read_table

__all__ = ["networks"]

_BEFORE = ("cohort/subjects", *ENDPOINT_TABLES, "features/features", "molecular/markers", "molecular/mutations")


@dataclass(frozen=True)
class _Cut:
    """A region to be cut out."""

    work: Work
    voxel_mm: tuple[float, float, float]
    shape: tuple[int, int, int]


def networks(run: Run, options: DeepOptions) -> str:
    """Cut the crops, train networks out of fold beside simple models, and tell what they looked at."""
    check_torch()
    chosen = _chosen(run, options)
    inputs = upstream(run, *_BEFORE) | _prints(run, chosen) | _sequence_files(run, options.sequences)
    if options.variants:
        inputs |= run.fingerprints("genetics")
    stage = run.stage("deep", (options, run.sections.cohort.ids, analysed_images(run)), inputs)
    if stage.manifest() is None:
        _compute(run, options, stage, chosen)
    found = read_table(run.root, "deep/performance")
    judged = 0 if found is None else found.filter(pl.col("patients") == "all").height
    return f"{judged} models judged out of fold, networks and simple ones"


def _compute(run: Run, options: DeepOptions, stage: Stage, chosen: dict[str, list[Work]]) -> None:
    modalities, problems = _crops(run, options, stage, chosen)
    numbers, simple, found = _numbers(run, options)
    problems += found
    modalities |= {name: Numbers(predictors) for name, predictors in numbers.items()}
    labels = None
    if options.sequences is not None:
        windows = _sequences(run, options.sequences)
        modalities[SEQUENCES] = Windows(windows.bases, windows.count)
        labels = windows.labels
        problems += windows.problems
    modalities = {name: part for name, part in modalities.items() if part.present.any()}
    if not modalities:
        raise InputError(
            "no subject has an image, a number or a sequence",
            where="deep",
            allowed="[imaging] with masks, [molecular] markers, clinical columns, variants or sequences",
        )
    there = np.flatnonzero(np.any([part.present for part in modalities.values()], axis=0))
    data = DeepData({name: part.take(there) for name, part in modalities.items()})
    subjects = [run.subjects[i] for i in there]
    clinic = Clinic(run.gathered.cohort.frame, options, section="deep")
    endpoints = {endpoint.name: endpoint for endpoint in endpoints_of(run)}
    units, told = plan_deep(endpoints, subjects, data, None if simple is None else simple.take(there), options, clinic)
    keys = [digest(stage.key, unit.name) for unit in units]
    # Checkpoints lie beside finished units and go with them; a fresh stage has no such folder yet.
    folder = stage.scratch("checkpoints").parent
    units = [replace(unit, checkpoints=folder / f"{key}.network") for unit, key in zip(units, keys, strict=True)]
    results = run_all(run, stage, "deep", run_deep, units, keys)
    spacing = (options.voxel_mm[1], options.voxel_mm[2])
    tables, found = summarise_deep(units, results, labels, spacing)
    for name, table in tables.items():
        stage.write(name, table)
    run.finish("deep", stage, problem_frame("deep", (*problems, *told, *found)), seed=options.seed)


def _chosen(run: Run, options: DeepOptions) -> dict[str, list[Work]]:
    """Regions to be shown, at most one a subject, by image.

    Raises
    ------
    ConfigError
        An image that the study does not have; several regions or visits and none named.
    """
    known = list(dict.fromkeys(work.image for work in run.gathered.works))
    for name in options.images:
        if name not in known:
            raise ConfigError(
                f"no image '{name}'", where="deep.images", allowed=", ".join(known), todo=suggest(name, known)
            )
    names = options.images or [name for name in known if name in analysed_images(run)]
    found: dict[str, list[Work]] = {}
    for name in names:
        works = [work for work in run.gathered.works if work.image == name]
        works = _alone(works, [work.region for work in works], "region", options.region)
        found[name] = _alone(works, [work.unit.visit for work in works], "visit", options.visit)
    return found


def _alone(works: list[Work], labels: list[str], option: str, wanted: str) -> list[Work]:
    """Regions of one label, which must be named where there are several."""
    several = list(dict.fromkeys(labels))
    if not wanted and len(several) < 2:
        return works
    kept = [work for work, label in zip(works, labels, strict=True) if label == wanted]
    if works and not kept:
        said = f"has no {option} '{wanted}'" if wanted else f"has several {option}s"
        allowed = ", ".join(label for label in several if label)
        raise ConfigError(f"image '{works[0].image}' {said}", where=f"deep.{option}", allowed=allowed)
    return kept


def _prints(run: Run, chosen: dict[str, list[Work]]) -> dict[str, str]:
    found = {}
    for name, works in chosen.items():
        for work in works:
            how = (work.modality, work.intensity_unit, work.unit.roi, work.derived, work.part, work.reading)
            files = [run.prints.of(path) for path in (work.unit.image, work.unit.mask)]
            found[f"{name}/{work.subject}"] = digest(how, files)
    run.prints.save()
    return found


def _cut(cut: _Cut) -> dict[str, pl.DataFrame]:
    volume, mask = read_work(cut.work)
    found = crop(volume, mask, cut.voxel_mm, cut.shape)
    row = {"image": [found.image.tobytes()], "mask": [found.mask.tobytes()], "cut": [found.cut]}
    return {"crop": pl.DataFrame(row, schema={"image": pl.Binary, "mask": pl.Binary, "cut": pl.Boolean})}


def _crops(
    run: Run, options: DeepOptions, stage: Stage, chosen: dict[str, list[Work]]
) -> tuple[dict[str, Crops | Numbers | Windows], list[Problem]]:
    """Cut the regions of every image, in the order of the subjects; one that fails is lacking, with its reason."""
    place = {s: i for i, s in enumerate(run.subjects)}
    shape = (len(place), *options.crop)
    works = [work for part in chosen.values() for work in part]
    units = [_Cut(work, options.voxel_mm, options.crop) for work in works]
    keys = [digest(stage.key, "crop", work.image, work.subject) for work in works]
    results = run_all(run, stage, "deep", _cut, units, keys)
    made = {name: Crops(np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=bool)) for name in chosen}
    problems: list[Problem] = []
    beyond = dict.fromkeys(chosen, 0)
    for work, result in zip(works, results, strict=True):
        if isinstance(result, Exception):
            problems.append(as_problem("deep", result, subject=work.subject, item=work.image))
            continue
        row = result["crop"].row(0, named=True)
        crops, at = made[work.image], place[work.subject]
        crops.image[at] = np.frombuffer(row["image"], dtype=np.float32).reshape(options.crop)
        crops.mask[at] = np.frombuffer(row["mask"], dtype=bool).reshape(options.crop)
        beyond[work.image] += row["cut"]
    for name, count in beyond.items():
        if count:
            got = f"{count} of {len(chosen[name])} regions reach beyond the crop of {list(options.crop)} voxels"
            todo = "choose a larger crop or larger voxels, or leave it: the network sees the middle"
            problems.append(Problem("deep", got, "note", item=name, todo=todo, count=count))
    return dict(made), problems


def _numbers(run: Run, options: DeepOptions) -> tuple[dict[str, Predictors], Predictors | None, list[Problem]]:
    """Blocks of numbers of the networks, on all subjects of the cohort; and the predictors of the simple models."""
    markers, problems = molecular_predictors(
        run, options.endpoints or [e.name for e in endpoints_of(run)], "deep", options.markers
    )
    frames = {}
    if options.clinical:
        frames["clinical"] = clinical(run, options.clinical, "deep.clinical")
    if markers is not None:
        kept = [c for c in markers.columns[1:] if any(fnmatchcase(c, p) for p in options.markers)]
        frames["molecular"] = markers.select("subject", *kept)
    if options.variants:
        frames["genetic"] = _variants(run, options)
    features, _ = phenotypes(run, IccDemand(), "deep")
    frames["imaging"] = features
    frames = {name: frame for name, frame in frames.items() if frame.width > 1 and frame.height}
    blocks, found = read_blocks(frames, OutcomeOptions(clinical=options.clinical))
    problems += [replace(p, stage="deep") for p in found]
    made = {name: _spread(block, run.subjects) for name, block in blocks.items()}
    simple = join_predictors(list(made.values())) if made and options.models else None
    return {name: predictors for name, predictors in made.items() if name != "imaging"}, simple, problems


def _variants(run: Run, options: DeepOptions) -> pl.DataFrame:
    frame = variant_dosages(run, options.variants)
    absent = [name for name in options.variants if name not in frame.columns]
    if absent:
        raise ConfigError(
            f"no variant '{absent[0]}' among the genotypes" + (f" ({len(absent)} such)" if len(absent) > 1 else ""),
            where="deep.variants",
            allowed="ids of variants of [genetics]",
        )
    return frame


def _spread(block: Block, subjects: Sequence[str]) -> Predictors:
    """Put a block on all subjects; who is not in it has nothing of it."""
    p = block.predictors
    at = [(i, block.row[s]) for i, s in enumerate(subjects) if s in block.row]
    here, there = np.array(at, dtype=np.intp).reshape(-1, 2).T
    numeric = np.full((len(subjects), p.numeric.shape[1]), np.nan)
    codes = np.full((len(subjects), p.codes.shape[1]), -1, dtype=np.int64)
    numeric[here], codes[here] = p.numeric[there], p.codes[there]
    return replace(p, numeric=numeric, codes=codes)


def _sequence_files(run: Run, options: SequenceOptions | None) -> dict[str, str]:
    if options is None:
        return {}
    name = options.genome or options.table
    path = inside(run.study.root, name, f"deep.sequences.{'genome' if options.genome else 'table'}")
    if not path.is_file():
        raise ConfigError(f"no file '{name}'", where="deep.sequences", todo="correct the path or cohort.root")
    return {name: run.prints.of(path)}


def _sequences(run: Run, options: SequenceOptions) -> VariantWindows:
    """Windows of the subjects of the cohort, cut from the genome or given."""
    if options.table:
        return _given(run, options)
    mutations = read_table(run.root, "molecular/mutations")
    if mutations is None or run.sections.molecular is None:
        raise ConfigError(
            "a genome without mutations",
            where="deep.sequences.genome",
            allowed="[molecular] mutations, or deep.sequences.table with windows",
        )
    genome = Fasta(inside(run.study.root, options.genome, "deep.sequences.genome"))
    return variant_windows(
        mutations,
        genome,
        run.subjects,
        _sequenced(run, run.sections.molecular.mutations or ""),
        length=options.window,
        most=options.max_variants,
        genes=options.genes,
    )


def _sequenced(run: Run, source: str) -> list[str]:
    """Subjects whose mutations are known: those with a value of any marker that was made of them."""
    markers, dictionary = read_table(run.root, "molecular/markers"), read_table(run.root, "molecular/dictionary")
    if markers is None or dictionary is None:
        return []
    made = [c for c in dictionary.filter(pl.col("source") == source)["marker"] if c in markers.columns]
    return markers.filter(pl.any_horizontal(pl.col(made).is_not_null()))["subject"].to_list() if made else []


def _given(run: Run, options: SequenceOptions) -> VariantWindows:
    path = inside(run.study.root, options.table, "deep.sequences.table")
    table = read_file(path, id_column=options.id)
    key = options.id or table.frame.columns[0]
    raw = table.frame[key].cast(pl.String)
    match = run.gathered.cohort.match(f"windows {path.name}", raw.to_list(), several=True)
    subject = pl.Series("subject", [match.mapping.get(r or "") for r in raw.to_list()], pl.String)
    rows = table.frame.drop(key).insert_column(0, subject).drop_nulls("subject")
    cut = partial(given_windows, rows, run.subjects, length=options.window, most=options.max_variants)
    found = cut(where=path.name)
    return replace(found, problems=(*found.problems, *(replace(p, stage="deep") for p in match.problems)))
