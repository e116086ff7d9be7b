"""What a study is made of: every source is opened and put on the subjects of the cohort; nothing is computed yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import polars as pl

from radiolocus.associate.genetics_options import GeneticsOptions
from radiolocus.cohort import Cohort, SourceTable, build
from radiolocus.config import Study
from radiolocus.errors import ConfigError, RadiolocusError
from radiolocus.feature.measure import ImageSource, ImagingOptions, Work, works_of
from radiolocus.feature.pyradiomics import PyradiomicsParameters, read_pyradiomics
from radiolocus.feature.tables import FeatureTable, id_column, read_feature_table, table_rows
from radiolocus.model import Problem
from radiolocus.molecular.markers import MolecularOptions, assemble
from radiolocus.molecular.scores import expression_inputs
from radiolocus.molecular.sheet import Molecules
from radiolocus.read.clinical import read_table
from radiolocus.read.discover import Discovery, by_pattern, by_table, inside
from radiolocus.read.genotype_files import open_genotypes
from radiolocus.read.genotypes import BlockSource, GenotypeSource
from radiolocus.read.regions import each_region
from radiolocus.read.sdtm import find_domains, read_lesion_source
from radiolocus.read.selection import listed_samples, listed_variants, select_variants, sex_codes, with_sex
from radiolocus.read.variants import read_variants
from radiolocus.registry import suggest
from radiolocus.response.options import ResponseOptions
from radiolocus.schema import conform

__all__ = ["Gathered", "Genotypes", "as_problem", "gather"]

Value = TypeVar("Value")
Options = TypeVar("Options")


@dataclass(frozen=True, eq=False)
class Genotypes:
    """A genotype file and the subject of each of its samples (None: not in the cohort).

    `left_out` are the subjects whose samples the list of samples does not take.
    """

    source: GenotypeSource
    subjects: tuple[str | None, ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Gathered:
    """The sources of a study on its subjects.

    Parameters
    ----------
    cohort : Cohort
    works : tuple of Work
        Regions to measure, in the order of the study file, subjects and visits.
    genotypes : Genotypes or None
    molecules : Molecules or None
    lesions : polars.DataFrame or None
        Lesion measurements of the subjects of the cohort, under their ids.
    membership : polars.DataFrame
        Table ``cohort/membership`` over all sources.
    problems : dict of str to tuple of Problem
        By stage.
    failed : dict of str to RadiolocusError
        Sources that cannot be used at all, by stage; their stages do not run.
    inputs : dict of str to dict of str to Path
        Input files by stage.
    pyradiomics : dict of str to PyradiomicsParameters
        What the parameter files of images say, by image.
    measured : tuple of polars.DataFrame
        Features that another program measured, as rows of ``features/features``, table by table.
    variants : dict of str to polars.DataFrame
        Variants by sample of the subjects of the cohort, of ``ctdna`` and ``clones``.
    recorded : tuple of polars.DataFrame
        Sums of diameters and responses that SDTM domains hold themselves, under the ids of the cohort; or nothing.
    """

    cohort: Cohort
    works: tuple[Work, ...]
    genotypes: Genotypes | None
    molecules: Molecules | None
    lesions: pl.DataFrame | None
    membership: pl.DataFrame
    problems: dict[str, tuple[Problem, ...]]
    failed: dict[str, RadiolocusError]
    inputs: dict[str, dict[str, Path]]
    pyradiomics: dict[str, PyradiomicsParameters]
    measured: tuple[pl.DataFrame, ...] = ()
    variants: dict[str, pl.DataFrame] = field(default_factory=dict)
    recorded: tuple[pl.DataFrame, ...] = ()
    second: pl.DataFrame | None = None


def as_problem(stage: str, error: Exception, **where: str) -> Problem:
    """Turn an exception into a line of ``problems``."""
    if isinstance(error, RadiolocusError):
        return Problem(
            stage,
            error.got,
            where=error.where,
            allowed=error.allowed,
            todo=error.todo,
            **where,  # type: ignore[arg-type]
        )
    return Problem(
        stage,
        f"{type(error).__name__}: {error}",
        todo="this is not a known kind of bad data; please report it",
        **where,  # type: ignore[arg-type]
    )


def _mixed(study: Study, clinical: pl.DataFrame) -> list[Problem]:
    """Columns of numbers with so much text that they were read as text, where a stage would take them as categories."""
    sections = study.sections
    named = [*(sections.genetics.covariates if sections.genetics else ())]
    named += [*(sections.link.covariates if sections.link else ())]
    named += [*(sections.genotyping.clinical if sections.genotyping else ())]
    named += [*(sections.outcome.clinical if sections.outcome else ())]
    named += [*(sections.mechanism.covariates if sections.mechanism else ())]
    told = sections.cohort.columns
    problems = []
    for name in dict.fromkeys(named):
        if name in told or clinical.schema.get(name) != pl.String:
            continue
        cells = clinical[name].drop_nulls()
        text = cells.filter(cells.str.strip_chars().cast(pl.Float64, strict=False).is_null())
        if 0 < text.len() < cells.len():
            some = ", ".join(f"'{t}'" for t in text.unique(maintain_order=True)[:3])
            problems.append(
                Problem(
                    "cohort",
                    f"{cells.len() - text.len()} numbers and {text.len()} texts ({some}) in one column, "
                    "which is taken as categories",
                    "note",
                    item=name,
                    where=f"cohort.columns.{name}",
                    allowed="numbers, or text, or a declared type",
                    todo='correct the cells, or declare type = "number" (text becomes missing) or type = "category"',
                )
            )
    return problems


class _Gatherer:
    def __init__(self, study: Study) -> None:
        self.study = study
        self.root = study.root
        self.problems: dict[str, list[Problem]] = {}
        self.failed: dict[str, RadiolocusError] = {}
        self.inputs: dict[str, dict[str, Path]] = {}
        self.membership: list[pl.DataFrame] = []
        self.pyradiomics: dict[str, PyradiomicsParameters] = {}
        self.measured: list[pl.DataFrame] = []
        self.recorded: tuple[pl.DataFrame, ...] = ()
        self.second: pl.DataFrame | None = None

    def path(self, stage: str, name: str, where: str) -> Path:
        path = inside(self.root, name, where)
        self.inputs.setdefault(stage, {})[name] = path
        return path

    def cohort(self) -> Cohort:
        options = self.study.sections.cohort
        numeric = [c for c, told in options.columns.items() if told.type == "number"]
        text = [c for c, told in options.columns.items() if told.type == "category" or told.categories]
        tables = []
        problems: list[Problem] = []
        for i, table in enumerate(options.subjects):
            path = self.path("cohort", table.path, f"cohort.subjects[{i + 1}]")
            read = read_table(
                path,
                sheet=table.sheet,
                id_column=table.id or options.id,
                missing=options.missing,
                numeric=numeric,
                text=text,
            )
            tables.append(SourceTable(read.source, read.frame, read.row_number, table.id))
            problems += read.problems
        cohort = build(tables, options)
        self.problems["cohort"] = [*problems, *cohort.problems, *_mixed(self.study, cohort.frame)]
        self.membership.append(cohort.membership)
        return cohort

    def works(self, imaging: ImagingOptions, cohort: Cohort) -> tuple[Work, ...]:
        works: list[Work] = []
        for source in imaging.images:
            if source.table is not None:
                path = self.path("features", source.table, f"imaging.images '{source.name}'")
                table = read_table(path)
                found = by_table(self.root, source.name, table.frame, table.row_number, table.source)
                problems = list(table.problems)
            else:
                found = by_pattern(self.root, source.name, source.image, source.mask, source.roi)
                problems = []
            found = each_region(found, source.rois, source.name)
            parameters = self.parameters(source)
            mapping = self._match_images(cohort, source.name, found, problems)
            several = len({u.roi for u in found.units}) > 1
            listed = [
                work
                for u in found.units
                if u.subject in mapping
                for work in works_of(source, u, mapping[u.subject], imaging.settings_of(source), several, parameters)
            ]
            works += self._once(listed)
        self._look_for_retest(imaging, works)
        for options in imaging.tables:
            self.measured.append(self.feature_table(options, cohort))
        return tuple(works)

    def feature_table(self, options: FeatureTable, cohort: Cohort) -> pl.DataFrame:
        """Features that another program measured, on the subjects of the cohort."""
        path = self.path("features", options.path, f"imaging.tables '{options.name}'")
        table, features, problems = read_feature_table(options, path)
        match = cohort.match(f"features {options.name}", table.frame[id_column(options, table)].to_list())
        self.membership.append(match.membership)
        rows, found = table_rows(options, table, features, match.mapping)
        told = self.problems.setdefault("features", [])
        told += [replace(p, stage="features") for p in (*problems, *match.problems, *found)]
        if not rows.height:
            got = f"table '{options.name}' holds nobody of the cohort"
            told.append(Problem("features", got, item=options.name, todo="look at id and at [cohort.ids]"))
        return rows

    def _look_for_retest(self, imaging: ImagingOptions, works: list[Work]) -> None:
        """A visit of the retest that nobody has is a mistake of the study file, not a measurement that is missing."""
        found = {work.unit.visit for work in works}
        for visit in imaging.retest.visits if imaging.retest and works else ():
            if visit not in found:
                self.problems["features"].append(
                    Problem(
                        "features",
                        f"visit '{visit}' of the retest was found for nobody",
                        item=visit,
                        where="imaging.retest.visits",
                        allowed=", ".join(sorted(v for v in found if v)) or "none: no pattern or table names visits",
                        todo="name the visits as {visit} or the column visit does",
                    )
                )

    def parameters(self, source: ImageSource) -> PyradiomicsParameters | None:
        """Read the PyRadiomics parameter file of an image."""
        if source.pyradiomics is None:
            return None
        where = f"imaging.images '{source.name}'.pyradiomics"
        path = self.path("features", source.pyradiomics, where)
        if not path.is_file():
            raise ConfigError(
                f"no file '{source.pyradiomics}'", where=where, allowed="a PyRadiomics parameter file (YAML)"
            )
        self.pyradiomics[source.name] = read_pyradiomics(path)
        return self.pyradiomics[source.name]

    def _once(self, works: list[Work]) -> list[Work]:
        """Keep one unit a name: several rows of a table may lead to one derived region, but not to two of a name."""
        kept: dict[tuple[str, str, str], Work] = {}
        for work in works:
            first = kept.setdefault((work.subject, work.unit.visit, work.region), work)
            same = (first.unit.image, first.unit.mask, first.derived) == (work.unit.image, work.unit.mask, work.derived)
            if first is not work and not (same and work.derived is not None and work.derived.of):
                self.problems["features"].append(
                    Problem(
                        "features",
                        f"region '{work.region}' is given twice; the first was measured",
                        subject=work.subject,
                        item=work.image,
                        where=work.where(),
                        allowed="one row a subject, visit and region",
                        todo="give the regions names of their own in the column roi, or take the double row out",
                    )
                )
        return list(kept.values())

    def _match_images(self, cohort: Cohort, name: str, found: Discovery, problems: list[Problem]) -> dict[str, str]:
        match = cohort.match(f"image {name}", [u.subject for u in found.units])
        self.membership.append(match.membership)
        # A pairing that failed concerns a subject of the cohort under its normalised id, or nobody.
        problems += [replace(p, subject=cohort.ids.normalise(p.subject) if p.subject else None) for p in found.problems]
        if not found.units:
            problems.append(
                Problem(
                    "features",
                    f"image '{name}' was found for nobody",
                    item=name,
                    todo="look at the patterns and at [cohort] root",
                )
            )
        self.problems.setdefault("features", []).extend([*problems, *match.problems])
        return match.mapping

    def genotypes(self, options: GeneticsOptions, cohort: Cohort) -> Genotypes:
        key = "plink" if options.plink else "genotypes"
        path = inside(self.root, getattr(options, key), f"genetics.{key}")
        source = open_genotypes(path, sample_id=options.sample_id, dosage=options.dosage)
        self.inputs.setdefault("genetics", {}).update({file.name: file for file in source.files})
        match = cohort.match(f"genotypes {Path(source.path).stem}", source.sample_ids)
        self.membership.append(match.membership)
        self.problems["genetics"] = list(match.problems)
        if options.variants:
            listed = listed_variants(self.path("genetics", options.variants, "genetics.variants"))
            source = select_variants(source, listed, where=options.variants)
        subjects = tuple(match.mapping.get(s) for s in source.sample_ids)
        if options.sex:
            source = _with_sex(source, subjects, cohort.frame, options.sex)
        return Genotypes(source, subjects, self._left_out(options, source.sample_ids, subjects))

    def _left_out(
        self, options: GeneticsOptions, samples: tuple[str, ...], subjects: tuple[str | None, ...]
    ) -> tuple[str, ...]:
        """Subjects whose samples the list of samples does not take."""
        if not options.samples:
            return ()
        path = self.path("genetics", options.samples, "genetics.samples")
        listed = set(listed_samples(path, sample_id=options.sample_id))
        there = [subject for subject in subjects if subject is not None]
        gone = tuple(u for s, u in zip(samples, subjects, strict=True) if u is not None and s not in listed)
        if len(gone) == len(there):
            raise ConfigError(
                f"none of the {len(there)} subjects with genotypes is in '{options.samples}'",
                where="genetics.samples",
                allowed="ids of samples, one a line, as the genotype file has them",
            )
        told = f"{options.samples}: {len(there) - len(gone)} of {len(there)} subjects with genotypes are taken"
        self.problems["genetics"].append(Problem("genetics", told, "note"))
        return gone

    def molecules(self, options: MolecularOptions, cohort: Cohort) -> Molecules:
        names = [*options.files(self.root), *expression_inputs(options, options.expression, self.root)]
        for name in dict.fromkeys(names):
            self.path("molecular", name, "molecular")
        molecules = assemble(options, cohort, self.root)
        self.membership.append(molecules.membership)
        self.problems["molecular"] = list(molecules.problems)
        return molecules

    def lesions(self, options: ResponseOptions, cohort: Cohort) -> pl.DataFrame | None:
        self.problems.setdefault("response", [])
        if options.treatments:
            self.path("response", options.treatments, "response.treatments")
        if options.delta.repeatability:
            self.path("response", options.delta.repeatability, "response.delta.repeatability")
        if not options.lesions:
            return None
        path = self.path("response", options.lesions, "response.lesions")
        # What stands beside TR is read too: a change of it makes the stage run again.
        self.inputs["response"] |= {file.name: file for file in find_domains(path).values()}
        found, study = read_lesion_source(path, options.columns)
        other = None
        if options.second_reader:
            other, _ = read_lesion_source(path, replace(options.columns, keep_reader=options.second_reader))
        match = cohort.match("lesions", found.subjects)
        self.membership.append(match.membership)
        told = [replace(p, subject=cohort.ids.normalise(p.subject) if p.subject else None) for p in found.problems]
        self.problems["response"] = [*told, *match.problems]
        mapped = pl.col("subject").replace_strict(match.mapping, default=None, return_dtype=pl.String)
        if study is not None:
            self.recorded = tuple(
                table.with_columns(mapped).drop_nulls("subject") for table in (study.sums, study.responses)
            )
        if other is not None:
            self.second = other.frame.with_columns(mapped).drop_nulls("subject")
        return found.frame.with_columns(mapped).drop_nulls("subject")

    def variants(self, options: ResponseOptions, cohort: Cohort) -> dict[str, pl.DataFrame]:
        """Variants by sample, of every table of them that ``[response]`` names."""
        found = {}
        for name, table in (("ctdna", options.ctdna), ("clones", options.clones)):
            if table is None:
                continue
            read = read_variants(self.path("response", table.table, f"response.{name}"), table.columns)
            match = cohort.match(name, read.subjects)
            self.membership.append(match.membership)
            told = [replace(p, subject=cohort.ids.normalise(p.subject) if p.subject else None) for p in read.problems]
            self.problems.setdefault("response", []).extend([*told, *match.problems])
            mapped = pl.col("subject").replace_strict(match.mapping, default=None, return_dtype=pl.String)
            found[name] = read.frame.with_columns(mapped).drop_nulls("subject").sort("subject", maintain_order=True)
        if options.ctdna is not None and options.ctdna.known:
            self.path("response", options.ctdna.known, "response.ctdna.known")
        return found

    def attempt(
        self, stage: str, make: Callable[[Options, Cohort], Value], options: Options | None, cohort: Cohort
    ) -> Value | None:
        """Open a source; one that cannot be used ends its stage, not the study."""
        if options is None:
            return None
        try:
            return make(options, cohort)
        except RadiolocusError as error:
            self.failed[stage] = error
            return None


def _with_sex(
    source: BlockSource, subjects: tuple[str | None, ...], clinical: pl.DataFrame, column: str
) -> BlockSource:
    """Sex of the samples from a column of the subjects table."""
    where = "genetics.sex"
    if column not in clinical.columns:
        raise ConfigError(
            f"no column '{column}' in the subjects table", where=where, allowed=", ".join(clinical.columns[:20]),
            todo=suggest(column, clinical.columns),
        )  # fmt: skip
    codes = clinical.select("subject", pl.Series("sex", sex_codes(clinical[column], where)))
    samples = pl.DataFrame({"sample": source.sample_ids, "subject": subjects}, schema_overrides={"subject": pl.String})
    joined = samples.join(codes, on="subject", how="inner", maintain_order="left")
    return with_sex(source, joined.select(pl.col("sample").alias("subject"), "sex"), where=f"column {column}")


def gather(study: Study) -> Gathered:
    """Open every source of a study and put it on the subjects of the cohort.

    Raises
    ------
    RadiolocusError
        The tables of subjects cannot be used; every other source that cannot be used ends only its own stage.
    """
    g = _Gatherer(study)
    cohort = g.cohort()
    sections = study.sections
    works = g.attempt("features", g.works, sections.imaging, cohort)
    genotypes = g.attempt("genetics", g.genotypes, sections.genetics, cohort)
    molecules = g.attempt("molecular", g.molecules, sections.molecular, cohort)
    lesions = g.attempt("response", g.lesions, sections.response, cohort)
    variants = g.attempt("response", g.variants, sections.response, cohort) if "response" not in g.failed else None
    return Gathered(
        cohort,
        works or (),
        genotypes,
        molecules,
        lesions,
        conform(pl.concat(g.membership), "cohort/membership"),
        {stage: tuple(problems) for stage, problems in g.problems.items()},
        g.failed,
        g.inputs,
        g.pyradiomics,
        tuple(g.measured),
        variants or {},
        g.recorded,
        g.second,
    )
