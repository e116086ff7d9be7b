"""Quality control of a genotype file, for ``radiolocus qc``: tables, lists to keep, and a report in a folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.errors import ConfigError, TableError
from radiolocus.genome.alleles import AlleleOptions, align
from radiolocus.genome.control import Control, QcOptions, control
from radiolocus.genome.recall import Frames
from radiolocus.model import Problem
from radiolocus.pipeline.run import problem_frame
from radiolocus.read.clinical import read_table
from radiolocus.read.genotype_files import open_genotypes
from radiolocus.read.genotypes import GenotypeSource
from radiolocus.read.pgen import read_pvar
from radiolocus.read.plink import read_bim
from radiolocus.read.selection import sex_codes
from radiolocus.registry import suggest
from radiolocus.report.html import write as write_report
from radiolocus.schema import TABLES, Column
from radiolocus.store import (
    ARTEFACT_SCHEMA,
    Fingerprints,
    Stage,
    digest,
    locked,
    open_folder,
    write_bytes,
    write_json,
    write_table,
)

__all__ = ["QcOrder", "quality_control"]


@dataclass(frozen=True)
class QcOrder:
    """What is to be looked at beside the genotypes.

    Parameters
    ----------
    sample_id : {"iid", "fid_iid"}
    dosage : {"auto", "GT", "DS", "GP"}
        See :func:`radiolocus.read.genotype_files.open_genotypes`.
    table : Path or None
        Table of the samples.
    id : str
        Its column of ids; empty: the first.
    sex : str
        Its column of sex (male, female, m, f, 1, 2); empty: what the genotype file says.
    colours : tuple of str
        Columns by which the principal components are coloured.
    alleles : Path or None
        A .bim, a .pvar or other genotypes: variants at places that they have, with alleles that they have not, go.
    """

    sample_id: str = "iid"
    dosage: str = "auto"
    table: Path | None = None
    id: str = ""
    sex: str = ""
    colours: tuple[str, ...] = ()
    alleles: Path | None = None


def quality_control(
    genotypes: Path,
    out: Path,
    options: QcOptions,
    order: QcOrder,
    *,
    jobs: int = 1,
    fresh: bool = False,
    told: Callable[[str], None] = lambda text: None,
) -> tuple[Control, list[str]]:
    """Control a genotype file and write what was found below `out`.

    ``genome/variant_qc``, ``sample_qc``, ``relatives`` and ``qc_steps`` as Parquet and CSV; ``keep_variants.txt``,
    ``keep_samples.txt`` and ``pruned_variants.txt`` (ids, one a line); ``report.html``.

    Returns
    -------
    found : Control
    notes : list of str
        What a person should know.

    Raises
    ------
    ConfigError, FormatError, TableError, FitError, StoreError
        Options, files, tables or a folder that cannot be used; nothing left.
    """
    began = time.monotonic()
    source = open_genotypes(genotypes, sample_id=order.sample_id, dosage=order.dosage)  # type: ignore[arg-type]
    clinical, notes = _clinical(order, source)
    sex = source.sex if clinical is None or not order.sex else sex_codes(clinical[order.sex], f"column {order.sex}")
    foreign, said = _foreign(order, source)
    notes += said
    name = f"Quality of {Path(source.path).name}"
    with locked(out):
        open_folder(out, name, digest(name), fresh=fresh)
        # so that a folder of which only steps are finished is known again
        write_json(out / "study.json", {"name": name, "identity": digest(name)})
        prints = Fingerprints(out)
        inputs = {file.name: prints.of(file) for file in source.files}
        if order.table is not None:
            inputs[order.table.name] = prints.of(order.table)
        files = {"table": str(order.table and order.table.name), "alleles": str(order.alleles and order.alleles.name)}
        stage = Stage(out, "genome", (options, asdict(order) | files, _digest_of(foreign)), inputs)
        steps = _Steps(stage)
        found = control(source, options, sex=sex, jobs=jobs, told=told, recall=steps, foreign=foreign)
        samples = found.samples
        if clinical is not None:
            samples = samples.with_columns(clinical.select(order.colours))
        tables = {
            "variant_qc": found.variants,
            "sample_qc": samples,
            "relatives": found.relatives,
            "qc_steps": found.steps,
        }
        for table, frame in tables.items():
            stage.write(f"genome/{table}", frame, _further(frame, f"genome/{table}"))
        told_notes = [Problem("qc", note, severity="note", where=name) for note in (*source.notes, *notes)]
        write_table(out, "problems", problem_frame("qc", [*told_notes, *found.problems]))
        # kept: the same call again reads what it found instead of counting it once more
        stage.finish(seed=0, wall_time_s=time.monotonic() - began, keep_units=tuple(steps.keys))
        _write_lists(out, found)
        _write_study(out, name, found, options, order)
        told("report")
        write_report(out)
    notes += [problem.got for problem in found.problems]
    return found, [*source.notes, *notes]


class _Steps:
    """Keeps the tables of each step of a control below the folder of its results."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.keys: list[str] = []

    def __call__(self, step: str, make: Callable[[], Frames]) -> Frames:
        key = digest(self._stage.key, step)
        self.keys.append(key)
        kept = self._stage.load_unit(key)
        if kept is None:
            kept = dict(make())
            self._stage.save_unit(key, kept)
        return kept


def _further(frame: pl.DataFrame, table: str) -> dict[str, Column]:
    """Say what the columns are that the vocabulary does not know: components and what came from the user's table."""
    told = {}
    for column in frame.columns:
        if column not in TABLES[table].schema:
            component = column.startswith("PC") and column[2:].isdigit()
            meaning = f"principal component {column[2:]} of the genotypes" if component else "column of the table given"
            told[column] = Column(column, frame.schema[column], meaning)
    return told


def _clinical(order: QcOrder, source: GenotypeSource) -> tuple[pl.DataFrame | None, list[str]]:
    """Put the table of the samples in the order of the genotype file."""
    if order.table is None:
        if order.sex or order.colours:
            raise ConfigError("a column without a table", where="qc", todo="give --table")
        return None, []
    frame = read_table(order.table, id_column=order.id or None).frame
    key = order.id or frame.columns[0]
    known = set(TABLES["genome/sample_qc"].schema)
    for column in (key, order.sex, *order.colours):
        if column and column not in frame.columns:
            raise ConfigError(
                f"no column '{column}'",
                where=order.table.name,
                allowed=", ".join(frame.columns),
                todo=suggest(column, frame.columns),
            )
    clash = known & set(order.colours)
    if clash:
        raise ConfigError(
            f"column {', '.join(sorted(clash))} has the name of a result",
            where=order.table.name,
            todo="rename it in the table",
        )
    frame = frame.with_columns(pl.col(key).cast(pl.String)).unique(key, keep="none", maintain_order=True)
    ids = pl.DataFrame({key: list(source.sample_ids)})
    joined = ids.join(frame, on=key, how="left", maintain_order="left")
    matched = len(set(ids[key]) & set(frame[key]))
    if not matched:
        raise TableError(
            f"none of the {ids.height} samples has a row of its own: the table has {', '.join(frame[key].head(3))}, "
            f"the genotypes {', '.join(ids[key].head(3))}",
            where=f"{order.table.name}, column {key}",
            todo="name the column of ids by --id, or say by --sample-id what names a sample",
        )
    notes = [f"{order.table.name}: {matched} of {ids.height} samples have a row of their own"]
    return joined, notes


def _foreign(order: QcOrder, source: GenotypeSource) -> tuple[npt.NDArray[np.bool_] | None, list[str]]:
    """Which variants have other alleles than the reference, and how the alleles stand to it."""
    if order.alleles is None:
        return None, []
    found = align(source.variants, _variants_of(order.alleles), options=AlleleOptions("as_written"))
    foreign = found.rows["outcome"].is_in(["mismatch", "missing"]).to_numpy()
    notes = [
        f"against {order.alleles.name}: {count} variants, {meaning}" for _, meaning, count in found.counts.iter_rows()
    ]
    if foreign.any():
        shown = source.variants.filter(foreign).head(3)
        few = shown.select(pl.format("{} {}/{}", "variant_id", "effect_allele", "other_allele")).to_series()
        notes.append(f"against {order.alleles.name}: with other alleles stand, for example, {', '.join(few)}; they go")
    if found.rows["outcome"].is_in(["absent"]).all():
        raise TableError(
            f"none of the {source.variants.height} variants lies at a place of the reference",
            where=order.alleles.name,
            allowed="positions on one assembly",
            todo="see whether both are on GRCh37 or both on GRCh38",
        )
    return foreign, notes


def _variants_of(path: Path) -> pl.DataFrame:
    if path.suffix == ".bim":
        return read_bim(path)[0]
    if path.name.endswith((".pvar", ".pvar.zst")):
        return read_pvar(path)[0]
    return open_genotypes(path).variants


def _digest_of(flags: npt.NDArray[np.bool_] | None) -> str:
    return "" if flags is None else digest(flags.tobytes().hex())


def _write_lists(out: Path, found: Control) -> None:
    ids = found.variants["variant_id"]
    lists = {
        "keep_variants.txt": ids.filter(found.variants["kept"]),
        "keep_samples.txt": found.samples["sample"].filter(found.samples["kept"]),
        "pruned_variants.txt": ids.gather(found.pruned),
    }
    for name, values in lists.items():
        write_bytes(out / name, "".join(f"{value}\n" for value in values).encode())


def _write_study(out: Path, name: str, found: Control, options: QcOptions, order: QcOrder) -> None:
    settings = asdict(options) | {
        "colours": list(order.colours),
        "pruned": int(found.pruned.size),
        "eigenvalues": found.eigenvalues.tolist(),
        "fraction": found.fraction.tolist(),
        "residual": found.residual.tolist(),
    }
    write_json(
        out / "study.json",
        {
            "name": name,
            "identity": digest(name),
            "radiolocus_version": version("radiolocus"),
            "artefact_schema": ARTEFACT_SCHEMA,
            "seed": 0,
            "stages": {},
            "settings": {"qc": settings},
        },
    )
