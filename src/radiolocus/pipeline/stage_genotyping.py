"""The stage of genotypes told from the image: which tables it starts from, and what it leaves."""

from __future__ import annotations

import polars as pl

from radiolocus.associate.genotyping import plan, run_unit
from radiolocus.associate.genotyping_options import GenotypingOptions
from radiolocus.associate.genotyping_tables import summarise
from radiolocus.pipeline.inputs import clinical, upstream
from radiolocus.pipeline.molecular_predictors import molecular_failure
from radiolocus.pipeline.phenotypes import analysed_images, control_frames, phenotypes, told_left_out, upstream_of
from radiolocus.pipeline.run import Run, problem_frame, run_all
from radiolocus.schema import empty
from radiolocus.store import digest, read_table

__all__ = ["genotypes"]


def genotypes(run: Run, options: GenotypingOptions) -> str:
    """Predict molecular markers from imaging features out of fold; finished repetitions are taken up."""
    columns = run.gathered.cohort.frame.columns[1:]
    failure = molecular_failure(run)
    if failure is not None and any((t.marker or name) not in columns for name, t in options.targets.items()):
        raise failure
    before = ("cohort/subjects", *upstream_of(options), "features/controls", "molecular/markers")
    stage = run.stage("genotyping", (options, analysed_images(run)), upstream(run, *before))
    if stage.manifest() is None:
        imaging, dropped = phenotypes(run, options, "genotyping")
        markers = read_table(run.root, "molecular/markers")
        frame = clinical(run, columns, "genotyping")
        planned = plan(
            pl.DataFrame({"subject": []}, {"subject": pl.String}) if markers is None else markers,
            imaging,
            frame,
            options,
            control_frames(run, imaging),
        )
        keys = [digest(stage.key, unit.name) for unit in planned.units]
        results = run_all(run, stage, "genotyping", run_unit, planned.units, keys)
        summary = summarise(planned, results)
        for name, table in summary.tables.items():
            stage.write(name, table)
        problems = problem_frame("genotyping", (*dropped, *planned.problems, *summary.problems))
        run.finish("genotyping", stage, problems, seed=options.seed)
    kept = read_table(run.root, "genotyping/verdict")
    table = empty("genotyping/verdict") if kept is None else kept
    told = table.filter(pl.col("told").fill_null(value=False)).height
    return f"{told} of {table.height} markers told from the image{told_left_out(run, 'genotyping')}"
