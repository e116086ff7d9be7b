"""One function a stage: from sources and earlier artefacts to the tables of its room, and a line that tells them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from radiolocus.associate.link_families import feature_family
from radiolocus.cohort import CohortOptions
from radiolocus.errors import InputError
from radiolocus.feature.copies import VOLUME, control_works, copy_works, measure_control, measure_copies, volume_rows
from radiolocus.feature.extract import dictionary
from radiolocus.feature.measure import ImagingOptions, Work, measure
from radiolocus.feature.pyradiomics_parameters import PyradiomicsParameters
from radiolocus.feature.pyradiomics_study import pyradiomics_dictionary
from radiolocus.feature.repeatability import repeatability
from radiolocus.feature.tables import table_dictionary
from radiolocus.molecular.markers import MolecularOptions
from radiolocus.outcome import performance as judge
from radiolocus.outcome.delta_options import DELTA
from radiolocus.outcome.genetic_options import GENETIC
from radiolocus.outcome.options import OutcomeOptions
from radiolocus.pipeline.delta_predictors import DELTA_TABLES, delta_block
from radiolocus.pipeline.endpoints import ENDPOINT_TABLES, endpoints_of
from radiolocus.pipeline.further import further_tables
from radiolocus.pipeline.gather import Gathered, as_problem
from radiolocus.pipeline.genetic_predictors import GENETIC_TABLE, genetic_block, genetic_columns, genetic_inputs
from radiolocus.pipeline.inputs import upstream
from radiolocus.pipeline.molecular_predictors import molecular_predictors
from radiolocus.pipeline.phenotypes import analysed_images, control_frames, phenotypes, told_left_out, upstream_of
from radiolocus.pipeline.run import Run, problem_frame, run_all
from radiolocus.pipeline.stage_benefit import benefits
from radiolocus.pipeline.stage_deep import networks
from radiolocus.pipeline.stage_early import early_prediction
from radiolocus.pipeline.stage_genetics import genetics
from radiolocus.pipeline.stage_genotyping import genotypes
from radiolocus.pipeline.stage_link import links
from radiolocus.pipeline.stage_mechanism import mechanism
from radiolocus.pipeline.stage_monitoring import monitoring
from radiolocus.pipeline.stage_response import response
from radiolocus.schema import TABLES, Column, empty
from radiolocus.store import Stage, digest

__all__ = ["STAGES"]


def cohort(run: Run, options: CohortOptions) -> str:
    """Write who is in the study, where each was found, and what happened to them."""
    g = run.gathered
    settings = (options, digest(g.membership.to_dict(as_series=False)))
    stage = run.stage("cohort", settings, run.fingerprints("cohort"))
    if stage.manifest() is None:
        told = {c.name: c for c in _clinical_columns(run)}
        stage.write("cohort/subjects", g.cohort.frame, told)
        stage.write("cohort/membership", g.membership)
        stage.write("cohort/endpoints", g.cohort.endpoint_frame())
        run.finish("cohort", stage, problem_frame("cohort", g.problems["cohort"]))
    return f"{len(g.cohort.subjects)} subjects, {len(g.cohort.endpoints)} endpoints"


def _clinical_columns(run: Run) -> list[Column]:
    frame = run.gathered.cohort.frame
    return [Column(name, dtype, "clinical column", source="table of subjects") for name, dtype in frame.schema.items()]


def features(run: Run, imaging: ImagingOptions) -> str:
    """Measure every region; finished regions are taken up, and one that fails is set aside."""
    g = run.gathered
    inputs = {}
    for work in g.works:
        name = _name_of(work)
        how = (work.settings, work.modality, work.intensity_unit, work.unit.roi, work.derived, work.part, work.reading)
        theirs = (work.pyradiomics,) if work.pyradiomics else ()
        inputs[name] = digest((*how, *theirs), run.prints.of(work.unit.image), run.prints.of(work.unit.mask))
    run.prints.save()
    keys = [digest(name, key) for name, key in inputs.items()]
    for table, rows in zip(imaging.tables, g.measured, strict=False):
        inputs[f"table {table.name}"] = digest(run.fingerprints("features")[table.path], rows["subject"].to_list())
    notes = problem_frame("features", g.problems.get("features", ()))
    stage = run.stage("features", (imaging, digest(notes.to_dict(as_series=False))), inputs)
    if (found := stage.manifest()) is not None:
        return _told_features(int(found["tables"]["features/features"]["rows"]), g)
    further = [*copy_works(imaging, g.works), *control_works(imaging, g.works)]
    keys += [_key_of(work, inputs) for work in further]
    results = run_all(run, stage, "features", _measured, [*g.works, *further], keys)
    parts = [
        _failed(result, work) if isinstance(result, Exception) else result
        for result, work in zip(results, g.works, strict=False)
    ]
    rows = _stacked([*(p["features"] for p in parts), *g.measured], empty("features/features"))
    columns = _dictionary(imaging, g.pyradiomics, g.measured)
    stage.write("features/features", rows, {c["feature"]: _column(c) for c in columns.iter_rows(named=True)})
    stage.write("features/dictionary", columns)
    stage.write("features/thumbnails", _stacked([p["thumbnails"] for p in parts], empty("features/thumbnails")))
    parts += _further(stage, imaging, parts, _known(further, results[len(g.works) :], g.works, results), columns)
    problems = pl.concat([notes, *(p["problems"] for p in parts)])
    kept = tuple(key for key, result in zip(keys, results, strict=True) if not isinstance(result, Exception))
    run.finish("features", stage, problems, keep_units=kept)
    return _told_features(rows.height, g)


def _key_of(work: Work, inputs: dict[str, str]) -> str:
    """Key of a unit that is made of the region of another unit."""
    name = _name_of(work)
    return digest(name, inputs[name], work.copies, work.control, work.seed)


def _name_of(work: Work) -> str:
    return f"{work.image}/{work.subject}/{work.unit.visit}/{work.region}"


def _known(
    further: Sequence[Work],
    results: Sequence[dict[str, pl.DataFrame] | Exception],
    works: Sequence[Work],
    whole: Sequence[dict[str, pl.DataFrame] | Exception],
) -> list[dict[str, pl.DataFrame]]:
    """Results of the copies and controls; one that failed with its image is told with it and not again."""
    lost = {_name_of(work) for work, result in zip(works, whole, strict=False) if isinstance(result, Exception)}
    parts = []
    for work, result in zip(further, results, strict=True):
        if not isinstance(result, Exception):
            parts.append(result)
        elif _name_of(work) not in lost:
            parts.append(_failed(result, work))
    return parts


def _further(
    stage: Stage,
    imaging: ImagingOptions,
    parts: list[dict[str, pl.DataFrame]],
    copies: list[dict[str, pl.DataFrame]],
    dictionary: pl.DataFrame,
) -> list[dict[str, pl.DataFrame]]:
    """Write the tables of perturbed copies, repeatability and controls, as far as they are asked for."""
    told = {c["feature"]: _column(c) for c in dictionary.iter_rows(named=True)}
    features = _stacked([p["features"] for p in parts], empty("features/features"))
    perturbed = None
    if imaging.perturb:
        perturbed = _stacked([p["perturbed"] for p in copies if "perturbed" in p], empty("features/perturbed"))
        stage.write("features/perturbed", perturbed, told)
    if imaging.perturb or imaging.retest:
        found = repeatability(
            features,
            perturbed,
            original=bool(imaging.perturb and imaging.perturb.original),
            retest=imaging.retest.visits if imaging.retest else (),
        )
        stage.write("features/repeatability", found)
    if imaging.controls:
        rows = [p["controls"] for p in copies if "controls" in p]
        if "volume" in imaging.controls:
            thumbnails = _stacked([p["thumbnails"] for p in parts], empty("features/thumbnails"))
            rows.append(volume_rows(thumbnails, imaging))
        told |= {VOLUME: Column(VOLUME, pl.Float64(), "volume of the region as drawn", "mL")}
        stage.write("features/controls", _stacked(rows, empty("features/controls")), told)
    return copies


def _told_features(rows: int, gathered: Gathered) -> str:
    read = sum(table.height for table in gathered.measured)
    people = len({subject for table in gathered.measured for subject in table["subject"].to_list()})
    told = [f"{rows - read} of {len(gathered.works)} regions measured"] if gathered.works or not read else []
    return ", ".join([*told, *([f"features of {people} subjects read from tables"] if read else [])])


def _measured(work: Work) -> dict[str, pl.DataFrame]:
    if work.copies:
        rows, told = measure_copies(work)
        return {"perturbed": rows, "problems": problem_frame("features", told)}
    if work.control:
        rows, told = measure_control(work)
        return {"controls": rows, "problems": problem_frame("features", told)}
    found = measure(work)
    problems = problem_frame("features", found.problems)
    return {"features": found.features, "thumbnails": found.thumbnail, "problems": problems}


def _failed(error: Exception, work: Work) -> dict[str, pl.DataFrame]:
    problem = as_problem("features", error, subject=work.subject, item=work.image)
    problem = replace(problem, where=work.where(problem.where))
    return {
        "features": empty("features/features"),
        "thumbnails": empty("features/thumbnails"),
        "problems": problem_frame("features", [problem]),
    }


def _stacked(parts: list[pl.DataFrame], nothing: pl.DataFrame) -> pl.DataFrame:
    # Images may have settings of their own, hence different feature columns.
    return pl.concat([nothing, *parts], how="diagonal")


def _dictionary(
    imaging: ImagingOptions, parameters: Mapping[str, PyradiomicsParameters], measured: Sequence[pl.DataFrame]
) -> pl.DataFrame:
    parts = [
        pyradiomics_dictionary(parameters[image.name])
        if image.name in parameters
        else dictionary(imaging.settings_of(image))
        for image in imaging.images
    ]
    known = TABLES["features/features"].schema
    parts += [table_dictionary([c for c in rows.columns if c not in known], feature_family) for rows in measured]
    return pl.concat(parts).unique("feature", keep="first", maintain_order=True)


def _column(row: dict[str, str]) -> Column:
    source = "PyRadiomics 3.0.1" if row["family"].startswith("pyradiomics") else f"IBSI {row['ibsi_id']}"
    if not row["ibsi_id"] and row["name"] == row["feature"]:
        source = "table of features"
    return Column(row["feature"], pl.Float64(), row["name"], row["unit"], source)


def molecular(run: Run, options: MolecularOptions) -> str:
    """Write the molecular markers."""
    molecules = run.gathered.molecules
    if molecules is None:  # its failure was told when the sources were gathered
        raise InputError("no molecular table", where="molecular")
    subjects = digest(run.gathered.cohort.subjects)
    stage = run.stage(
        "molecular", (options, run.sections.cohort.ids), run.fingerprints("molecular") | {"subjects": subjects}
    )
    if stage.manifest() is None:
        told = {
            row["marker"]: Column(
                row["marker"], pl.Float64(), row["definition"] or f"{row['kind']} marker", row["unit"], row["source"]
            )
            for row in molecules.dictionary.iter_rows(named=True)
        }
        stage.write("molecular/markers", molecules.table, told)
        stage.write("molecular/dictionary", molecules.dictionary)
        for name, table in molecules.tables.items():
            stage.write(name, table)
        run.finish("molecular", stage, problem_frame("molecular", run.gathered.problems["molecular"]))
    return f"{molecules.dictionary.height} markers of {molecules.table.height} subjects"


def outcome(run: Run, options: OutcomeOptions) -> str:
    """Judge every predictor alone, then every block of predictors out of fold; finished repetitions are taken up."""
    before = ("cohort/subjects", *ENDPOINT_TABLES, *upstream_of(options), "features/controls", "molecular/markers")
    inputs = upstream(run, *before, *DELTA_TABLES) | genetic_inputs(run, options)
    endpoints = {endpoint.name: endpoint for endpoint in endpoints_of(run)}
    markers, learned = molecular_predictors(run, options.endpoints or list(endpoints))
    stage = run.stage("outcome", (options, analysed_images(run)), inputs)
    if (found := stage.manifest()) is None:
        imaging, dropped = phenotypes(run, options, "outcome", at_baseline=True)
        delta, landmark, undone = delta_block(run, options, run.gathered.cohort.frame)
        dosages, matched = genetic_block(run, options)
        asked = {"clinical": run.gathered.cohort.frame, "imaging": imaging, "molecular": markers}
        asked |= {GENETIC: dosages, DELTA: delta}
        frames = {name: frame for name, frame in asked.items() if frame is not None and frame.width > 1}
        planned = judge.plan(endpoints, frames, options, control_frames(run, imaging), landmark)
        keys = [digest(stage.key, unit.name) for unit in planned.units]
        results = run_all(run, stage, "outcome", judge.run_unit, planned.units, keys)
        summary = judge.summarise(planned, results)
        shown = further_tables(run, stage, planned, results)
        for name, table in (summary.tables | shown.tables | {"outcome/landmark": planned.landmark}).items():
            stage.write(name, table)
        if dosages is not None:
            shown_block = dosages.select(pl.exclude(pl.List(pl.Float32)))
            stage.write(GENETIC_TABLE, shown_block, genetic_columns(shown_block))
        told = (*planned.problems, *summary.problems, *shown.problems)
        problems = problem_frame("outcome", (*dropped, *learned, *undone, *matched, *told))
        run.finish("outcome", stage, problems, seed=options.seed)
        found = stage.manifest() or {"tables": {}}
    rows = found["tables"].get("outcome/performance", {}).get("rows", 0)
    return f"{rows} models judged out of fold{told_left_out(run, 'outcome')}"


STAGES: dict[str, Callable[[Run, Any], str]] = {
    "cohort": cohort,
    "features": features,
    "molecular": molecular,
    "response": response,
    "genetics": genetics,
    "link": links,
    "genotyping": genotypes,
    "outcome": outcome,
    "deep": networks,
    "monitoring": monitoring,
    "early": early_prediction,
    "benefit": benefits,
    "mechanism": mechanism,
}
