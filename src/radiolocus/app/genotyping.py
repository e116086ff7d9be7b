"""The command ``radiolocus genotype-from-image``: tables from the command line become a study of their own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from radiolocus.app.loading import loading

__all__ = ["add_commands"]

SET_ASIDE, NOTHING = 3, 1


def add_commands(app: typer.Typer) -> None:
    """Give the command ``radiolocus`` its command of genotypes told from images."""
    app.command(
        "genotype-from-image",
        short_help="Tell genotypes from imaging features, from tables.",
        epilog="Example: radiolocus genotype-from-image features.csv subjects.csv --marker IDH --clinical age -o idh",
    )(genotype_from_image)


def genotype_from_image(
    features: Annotated[Path, typer.Argument(help="Table of features: an id, then numbers; one row a subject.")],
    subjects: Annotated[Path, typer.Argument(help="Table of markers and clinical columns, one row a subject.")],
    marker: Annotated[list[str], typer.Option("--marker", help="Column to be told from the image; may be repeated.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the results.")] = Path("genotyping"),
    clinical: Annotated[
        list[str] | None, typer.Option("--clinical", help="Clinical column to compare with; may be repeated.")
    ] = None,
    volume: Annotated[
        list[str] | None, typer.Option("--volume", help="Feature that is the size of the region; may be repeated.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="ridge, elastic_net, boosting, signature, ...; the first is judged."),
    ] = None,
    features_id: Annotated[str | None, typer.Option("--features-id", help="Column of ids of the features.")] = None,
    subjects_id: Annotated[str | None, typer.Option("--id", help="Column of ids of the subjects.")] = None,
    extract: Annotated[
        str | None, typer.Option("--extract", help="Regular expression: its group becomes the id, in both tables.")
    ] = None,
    site: Annotated[str | None, typer.Option("--site", help="Column of sites: each is held out in turn.")] = None,
    permutations: Annotated[int, typer.Option(min=0, help="Runs of the whole procedure on permuted markers.")] = 99,
    repeats: Annotated[int, typer.Option(min=1, help="Repetitions of the cross-validation.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Of folds, permutations and bootstrap.")] = 1,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=0, help="Worker processes; 0 is one a core.")] = 0,
    fresh: Annotated[
        bool, typer.Option("--fresh/--resume", help="Remove earlier results of the folder first.")
    ] = False,
) -> None:
    """Predict markers from the image out of fold, and say whether the image tells them; tables and a report."""
    with loading():
        from radiolocus.associate.genotyping_options import GenotypingOptions, GenotypingTarget
        from radiolocus.cohort import CohortOptions, IdRules, SubjectTable
        from radiolocus.config import Sections, Study
        from radiolocus.feature.measure import ImagingOptions
        from radiolocus.feature.tables import FeatureTable
        from radiolocus.molecular.markers import MarkerTable, MolecularOptions
        from radiolocus.pipeline import run_study
        from radiolocus.store import read_table

    more: dict[str, Any] = {"split": "site", "site": site} if site else {"repeats": repeats}
    root = Path(os.path.commonpath([features.resolve().parent, subjects.resolve().parent]))
    name = f"Genotype from the image, {features.stem}"
    table = FeatureTable("image", str(features.resolve().relative_to(root)), features_id)
    people = str(subjects.resolve().relative_to(root))
    sections = Sections(
        CohortOptions(
            name=name,
            id=subjects_id,
            subjects=(SubjectTable(people),),
            ids=IdRules(extract=extract),
        ),
        ImagingOptions(tables=(table,)),
        molecular=MolecularOptions(markers=(MarkerTable(people, subjects_id, columns=tuple(marker)),)),
        genotyping=GenotypingOptions(
            targets={m: GenotypingTarget() for m in marker},
            clinical=tuple(clinical or ()),
            volume=tuple(f"image:{v}" for v in volume or ()),
            models=tuple(model or ("ridge", "elastic_net")),
            permutations=permutations,
            seed=seed,
            **more,
        ),
    )
    finished = run_study(Study(name, root, sections), out, jobs=jobs or os.cpu_count() or 1, fresh=fresh)
    for line in _joined(finished.root):
        typer.echo(line, err=True)
    verdict = read_table(finished.root, "genotyping/verdict")
    if verdict is None or not verdict.height:
        told = next(line for line in finished.lines if line.startswith("genotyping"))
        typer.echo(told, err=True)
        raise typer.Exit(NOTHING)
    for line in verdict["verdict"]:
        typer.echo(line)
    typer.echo(f"report: {finished.root / 'report.html'}")
    if finished.set_aside:
        typer.echo(f"{finished.set_aside} problems set something aside: see {finished.root / 'problems.csv'}")
        raise typer.Exit(SET_ASIDE)


def _joined(root: Path) -> list[str]:
    """Say how many subjects have features, and which ids of the features nobody has."""
    with loading():
        import polars as pl

        from radiolocus.store import read_table

    everybody, features = read_table(root, "cohort/subjects"), read_table(root, "features/features")
    problems = read_table(root, "problems")
    if everybody is None or features is None or problems is None:
        return []
    with_features = features["subject"].n_unique()
    lines = [f"{with_features} of {everybody.height} subjects have features"]
    strange = problems.filter((pl.col("stage") == "features") & pl.col("got").str.contains("ids are not in the cohort"))
    return [*lines, *(f"{got}; {todo}" if todo else got for got, todo in strange.select("got", "todo").iter_rows())]
