"""The stage of progression monitoring: visits are read and checked, and risk is estimated anew after each."""

from __future__ import annotations

from radiolocus.outcome.monitoring import plan_monitoring, run_monitoring
from radiolocus.outcome.monitoring_judge import judge_monitoring
from radiolocus.outcome.monitoring_options import MonitoringOptions
from radiolocus.pipeline.endpoints import ENDPOINT_TABLES, simple_endpoints
from radiolocus.pipeline.inputs import upstream
from radiolocus.pipeline.monitoring_visits import monitored_endpoints, monitored_visits
from radiolocus.pipeline.run import Run, problem_frame, run_all
from radiolocus.read.discover import inside
from radiolocus.store import digest, read_table

__all__ = ["monitoring"]

_SOURCES = {"table": (), "imaging": ("features/features",), "response": ("response/criteria",)}


def monitoring(run: Run, options: MonitoringOptions) -> str:
    """Predict endpoints from what was seen up to each landmark; finished repetitions are taken up."""
    inputs = upstream(run, "cohort/subjects", *ENDPOINT_TABLES, *_SOURCES[options.source])
    if options.table:
        path = inside(run.study.root, options.table, "monitoring.table")
        inputs |= {options.table: run.prints.of(path)} if path.exists() else {}
    stage = run.stage("monitoring", (options, run.sections.cohort.ids), inputs)
    if stage.manifest() is None:
        endpoints = monitored_endpoints(simple_endpoints(run), options)
        visits, told = monitored_visits(run, options, endpoints[0].unit)
        planned = plan_monitoring(visits, endpoints, run.gathered.cohort.frame, options)
        keys = [digest(stage.key, unit.name) for unit in planned.units]
        results = run_all(run, stage, "monitoring", run_monitoring, planned.units, keys)
        found = judge_monitoring(planned.units, results)
        for name, table in found.tables.items():
            stage.write(name, table)
        problems = problem_frame("monitoring", (*told, *planned.problems, *found.problems))
        run.finish("monitoring", stage, problems, seed=options.seed)
    landmarks = read_table(run.root, "monitoring/landmarks")
    risks = read_table(run.root, "monitoring/risk")
    if landmarks is None or risks is None or not landmarks.height:
        return "no endpoint could be monitored"
    times = f"{landmarks.height} landmarks of {landmarks['endpoint'].n_unique()} endpoints"
    return f"{times} judged out of fold, {risks.height} risks of {risks['subject'].n_unique()} subjects re-estimated"
