"""The stage of mechanism: findings of earlier stages become a graph, and paths through it are split."""

from __future__ import annotations

import polars as pl

from radiolocus.associate.mechanism import GENOME_WIDE, edges_of, graph_text, nodes_of
from radiolocus.associate.mechanism_options import MechanismOptions
from radiolocus.associate.mechanism_paths import chosen_pairs, split_paths
from radiolocus.associate.query import query
from radiolocus.cohort.repeatable import IccDemand
from radiolocus.model import Endpoint
from radiolocus.pipeline.endpoints import ENDPOINT_TABLES, simple_endpoints
from radiolocus.pipeline.inputs import clinical, upstream, variant_dosages
from radiolocus.pipeline.phenotypes import analysed_images, phenotypes
from radiolocus.pipeline.run import Run, bar, problem_frame
from radiolocus.schema import empty
from radiolocus.store import digest, read_table, write_bytes

__all__ = ["mechanism"]

_FOUND = ("link/link", "link/replication", "link/enrichment", "outcome/univariate")
_GRAPH = "mechanism/graph.graphml"


def mechanism(run: Run, options: MechanismOptions) -> str:
    """Gather the edges, split the paths, and write the graph."""
    told = run.gathered.cohort.endpoint_frame().to_dict(as_series=False)
    before = ("cohort/subjects", "features/features", "molecular/markers", "sumstats/summary", *ENDPOINT_TABLES[1:])
    inputs = upstream(run, *before, *_FOUND)
    inputs |= {"endpoints": digest(told)} | run.fingerprints("genetics")
    stage = run.stage("mechanism", (options, analysed_images(run)), inputs)
    if stage.manifest() is None or not (run.root / _GRAPH).is_file():
        features, _ = phenotypes(run, IccDemand(), "mechanism")
        tables = {name: frame for name in _FOUND if (frame := read_table(run.root, name)) is not None}
        if (scanned := _scanned(run)) is not None:
            tables["sumstats/sumstats"] = scanned
        edges = edges_of(tables, options.max_q)
        markers = read_table(run.root, "molecular/markers")
        exposures = pl.DataFrame(schema={"subject": pl.String}) if markers is None else markers
        exposures, variants = _with_variants(run, exposures, options)
        pairs, notes = chosen_pairs(edges, options, features.columns[1:], exposures.columns[1:])
        with bar(run, "mechanism", 1) as step:
            found, problems = split_paths(
                pairs, exposures, features, _endpoints(run, options),
                clinical(run, options.covariates, "mechanism.covariates"), options, variants,
            )  # fmt: skip
            step()
        nodes = nodes_of(edges, found["mechanism/paths"], _descriptions(run))
        for name, table in {"mechanism/nodes": nodes, "mechanism/edges": edges, **found}.items():
            stage.write(name, table)
        write_bytes(run.root / _GRAPH, graph_text(nodes, edges).encode())
        run.finish("mechanism", stage, problem_frame("mechanism", (*notes, *problems)), seed=options.seed)
    edges, paths = (_table(run, f"mechanism/{name}") for name in ("edges", "paths"))
    clear = paths.filter((pl.col("lower") > 0) | (pl.col("upper") < 0)).height
    return f"{edges.height} edges; {paths.height} paths split, {clear} with a mediated effect apart from zero"


def _table(run: Run, name: str) -> pl.DataFrame:
    found = read_table(run.root, name)
    return empty(name) if found is None else found


def _endpoints(run: Run, options: MechanismOptions) -> list[Endpoint]:
    return [e for e in simple_endpoints(run) if not options.endpoints or e.name in options.endpoints]


def _scanned(run: Run) -> pl.DataFrame | None:
    """Rows of the scan of imaging phenotypes at the genome-wide level."""
    summary = read_table(run.root, "sumstats/summary")
    if summary is None:
        return None
    strong = summary.filter(pl.col("top_neg_log_10_p_value") > GENOME_WIDE)["phenotype"].to_list()
    return query(run.root, phenotype=strong, p_value=5e-8) if strong else None


def _with_variants(
    run: Run, exposures: pl.DataFrame, options: MechanismOptions
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Markers, with copies of the effect allele of the variants that are named as exposures."""
    frame = variant_dosages(run, [name for name in options.exposures if name not in exposures.columns])
    if not frame.height:
        return exposures, ()
    return exposures.join(frame, on="subject", how="full", coalesce=True).sort("subject"), tuple(frame.columns[1:])


def _descriptions(run: Run) -> dict[str, str]:
    """What nodes are: features by the dictionary of their image, markers by theirs."""
    told: dict[str, str] = {}
    known = read_table(run.root, "features/dictionary")
    names = {} if known is None else dict(known.select("feature", "name").iter_rows())
    for phenotype in phenotypes(run, IccDemand(), "mechanism")[0].columns[1:]:
        told[phenotype] = names.get(phenotype.rpartition(":")[2], "")
    markers = read_table(run.root, "molecular/dictionary")
    if markers is not None:
        for row in markers.iter_rows(named=True):
            told[row["marker"]] = row["definition"] or f"{row['kind']} marker of {row['source']}"
    return told
