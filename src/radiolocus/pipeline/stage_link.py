"""The stage of radiogenomic links: which tables it starts from, and what it leaves."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from radiolocus.associate.link_families import feature_family
from radiolocus.associate.link_options import LinkOptions
from radiolocus.associate.linking import link_all
from radiolocus.errors import ConfigError, FormatError
from radiolocus.model import Problem
from radiolocus.pipeline.endpoints import ENDPOINT_TABLES, endpoint_markers
from radiolocus.pipeline.inputs import clinical, upstream
from radiolocus.pipeline.molecular_predictors import molecular_failure
from radiolocus.pipeline.phenotypes import analysed_images, phenotypes, told_left_out, upstream_of
from radiolocus.pipeline.run import Run, bar, problem_frame
from radiolocus.read.discover import inside
from radiolocus.read.genesets import read_gene_sets
from radiolocus.schema import empty
from radiolocus.store import digest, read_table

__all__ = ["links", "other_links"]


def links(run: Run, options: LinkOptions) -> str:
    """Test every imaging feature against every molecular marker, and what else ``[link]`` asks for."""
    failure = molecular_failure(run)
    if failure is not None and not options.endpoints:
        raise failure
    inputs = upstream(run, "cohort/subjects", *upstream_of(options), "molecular/markers")
    inputs |= {} if failure is None else {"molecular failed": digest(failure.message)}
    inputs |= upstream(run, *ENDPOINT_TABLES) if options.endpoints else {}
    named = {"gene_sets": options.gene_sets, "replication": options.replication}
    paths = {key: inside(run.study.root, name, f"link.{key}") for key, name in named.items() if name is not None}
    if "replication" in paths:
        paths["replication"] /= "link/link.parquet"
    inputs |= {key: run.prints.of(path) for key, path in paths.items() if path.exists()}
    stage = run.stage("link", (options, analysed_images(run)), inputs)
    if stage.manifest() is None:
        markers, kinds = _markers(run, options)
        further = [name for name in (options.batch, options.permute_within) if name is not None]
        columns = list(dict.fromkeys([*options.covariates, *further]))
        features, dropped = phenotypes(run, options, "link")
        notes = () if failure is None else (Problem("link", failure.got, where=failure.where, todo=failure.todo),)
        sets = None
        if "gene_sets" in paths:
            found_sets = read_gene_sets(paths["gene_sets"])
            sets, notes = found_sets.sets, (*notes, *found_sets.notes)
        with bar(run, "link", 1) as step:
            found = link_all(
                features,
                markers,
                kinds,
                clinical(run, columns, "link"),
                options,
                families=_families(run, features.columns[1:]),
                gene_sets=sets,
                other=other_links(paths["replication"]) if "replication" in paths else None,
                threads=run.jobs,
            )
            step()
        for name, table in found.tables.items():
            stage.write(name, table)
        problems = problem_frame("link", (*dropped, *notes, *found.problems))
        run.finish("link", stage, problems, seed=options.seed)
    kept = read_table(run.root, "link/link")
    table = empty("link/link") if kept is None else kept
    return (
        f"{table.height:,} links tested, {table.filter(pl.col('q_value') < 0.05).height} with q < 0.05"
        + told_left_out(run, "link")
    )


def _markers(run: Run, options: LinkOptions) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Molecular markers and what they are, with the endpoints that are linked like them."""
    markers, kinds = read_table(run.root, "molecular/markers"), read_table(run.root, "molecular/dictionary")
    markers = empty("molecular/markers") if markers is None else markers
    kinds = empty("molecular/dictionary") if kinds is None else kinds
    if not options.endpoints:
        return markers, kinds
    frame, told = endpoint_markers(run, options.endpoints)
    if twice := [name for name in options.endpoints if name in markers.columns]:
        raise ConfigError(f"'{twice[0]}' is a marker too", where="link.endpoints", allowed="names that no marker has")
    joined = markers.join(frame, on="subject", how="full", coalesce=True, maintain_order="left_right")
    return joined, pl.concat([kinds, told], how="diagonal")


def other_links(path: Path) -> pl.DataFrame:
    """Links of another cohort.

    Raises
    ------
    FormatError
        The folder holds none.
    """
    if not path.is_file():
        raise FormatError(
            "no link/link.parquet",
            where="link.replication",
            allowed="the output folder of the same links in another cohort",
            todo="run the other study first",
        )
    return pl.read_parquet(path)


def _families(run: Run, names: list[str]) -> dict[str, str]:
    """Image and family, as the dictionary of features tells it, of every phenotype."""
    told = read_table(run.root, "features/dictionary")
    known = {} if told is None else dict(told.select("feature", "family").iter_rows())
    families = {}
    for name in names:
        place, colon, feature = name.rpartition(":")
        families[name] = f"{place}{colon}{known[feature]}" if feature in known else feature_family(name)
    return families
