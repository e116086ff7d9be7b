"""The stage of the choice of therapy: which tables it starts from, and what it leaves."""

from __future__ import annotations

import polars as pl

from radiolocus.cohort.repeatable import IccDemand
from radiolocus.pipeline.endpoints import ENDPOINT_TABLES, simple_endpoints
from radiolocus.pipeline.inputs import upstream
from radiolocus.pipeline.molecular_predictors import molecular_predictors
from radiolocus.pipeline.phenotypes import analysed_images, phenotypes, upstream_of
from radiolocus.pipeline.run import Run, bar, problem_frame
from radiolocus.response.benefit import NO_EVIDENCE, benefit
from radiolocus.response.benefit_options import BenefitOptions
from radiolocus.store import read_table

__all__ = ["benefits"]


def benefits(run: Run, options: BenefitOptions) -> str:
    """Test treatment × marker, learn who benefits, and judge the rule that follows."""
    everything = IccDemand()
    inputs = upstream(
        run, "cohort/subjects", *ENDPOINT_TABLES, *upstream_of(everything), "molecular/markers", "response/delta"
    )
    endpoints = simple_endpoints(run)
    named = options.endpoints or tuple(endpoint.name for endpoint in endpoints)
    markers, learned = molecular_predictors(run, named, "benefit", (*options.markers, *options.predictors))
    stage = run.stage("benefit", (options, analysed_images(run)), inputs)
    if stage.manifest() is None:
        imaging, dropped = phenotypes(run, everything, "benefit", at_baseline=True)
        further = {"imaging": imaging, "molecular": markers}
        arms = len(options.rule_arms or options.arms) or _arms(run.gathered.cohort.frame, options)
        with bar(run, "benefit", len(named) * arms) as step:
            found = benefit(
                endpoints,
                run.gathered.cohort.frame,
                options,
                {name: frame for name, frame in further.items() if frame is not None and frame.width > 1},
                step,
            )
        for name, table in found.tables.items():
            stage.write(name, table)
        run.finish("benefit", stage, problem_frame("benefit", (*dropped, *learned, *found.problems)), seed=options.seed)
    verdicts = read_table(run.root, "benefit/verdicts")
    told = [] if verdicts is None else verdicts["verdict"].to_list()
    tests = read_table(run.root, "benefit/interactions")
    shown = 0 if tests is None else tests.filter(pl.col("q_value") < 0.05).height
    count = 0 if tests is None else tests.height
    return (
        f"{count} interactions tested, {shown} with q < 0.05; {NO_EVIDENCE} in {told.count(NO_EVIDENCE)} of {len(told)}"
    )


def _arms(frame: pl.DataFrame, options: BenefitOptions) -> int:
    """How many treatments are compared with control; a column that is not there is told by the stage itself."""
    known = frame[options.treatment].drop_nulls().n_unique() if options.treatment in frame.columns else 0
    return max(1, known - 1)
