"""The command ``radiolocus``.

A command loads what it needs when it is called: measuring one region must not wait for the report's plotting library.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from radiolocus.app.association import add_commands
from radiolocus.app.cca import add_commands as add_cca
from radiolocus.app.checking import add_commands as add_checking
from radiolocus.app.compiling import compile_for
from radiolocus.app.figures import add_commands as add_figures
from radiolocus.app.genotyping import add_commands as add_genotyping
from radiolocus.app.lesions import add_commands as add_lesions
from radiolocus.app.linking import add_commands as add_link
from radiolocus.app.loading import INTERRUPTED, loading
from radiolocus.app.loci import add_commands as add_loci
from radiolocus.app.locking import add_commands as add_locking
from radiolocus.app.mediating import add_commands as add_mediation
from radiolocus.app.meta import add_summary_commands
from radiolocus.app.monitoring import add_commands as add_monitoring
from radiolocus.app.personal import add_commands as add_personal
from radiolocus.app.planning import add_commands as add_planning
from radiolocus.app.predicting import add_commands as add_outcome
from radiolocus.app.responding import add_commands as add_response
from radiolocus.app.score import add_commands as add_scores
from radiolocus.errors import ConfigError, RadiolocusError

if TYPE_CHECKING:
    from radiolocus.app.features import PairFeatures
    from radiolocus.app.progress import Bars
    from radiolocus.config import Study
    from radiolocus.feature.settings import FeatureSettings
    from radiolocus.pipeline import Finished
    from radiolocus.read.options import ReadOptions

__all__ = ["main"]

OK, FAULT, REFUSED, SET_ASIDE = 0, 1, 2, 3

app = typer.Typer(
    name="radiolocus",
    help="Imaging genomics: features, links, association, outcome and response. One study file, one report.",
    epilog="Exit codes: 0 all done; 1 stopped by an error; 2 a study or folder that cannot be used; "
    "3 done, but a subject, feature or stage was set aside (see problems.csv and the report).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
Root = Annotated[Path | None, typer.Option("--root", help="Folder of the data, instead of [cohort] root.")]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=0, help="Worker processes; 0 is one a core.")]
Fresh = Annotated[
    bool,
    typer.Option("--fresh/--resume", help="Remove earlier results in the folder, or take up what is finished."),
]
Image = Annotated[Path, typer.Argument(help="NIfTI file, or folder of one DICOM series.", metavar="IMAGE")]
Region = Annotated[Path, typer.Argument(help="NIfTI file; for a DICOM image RTSTRUCT or SEG.", metavar="MASK")]
Settings = Annotated[
    Path | None, typer.Option("--settings", "-s", help="TOML file with the keys of [imaging.settings].")
]
Roi = Annotated[
    str | None, typer.Option("--roi", help="Label number (NIfTI), or name or regular expression (RTSTRUCT, SEG).")
]
Suv = Annotated[str, typer.Option("--suv", help="Uptake in PET by: bw, lbm, lbm_james or bsa (DICOM).")]
Gantry = Annotated[str, typer.Option("--gantry", help="CT of a tilted gantry (DICOM): refuse or correct.")]
Series = Annotated[str, typer.Option("--series", help="Last digits of the UID of the series, of several in a folder.")]
Select = Annotated[
    list[str] | None,
    typer.Option("--select", help="Which image of several in a series: KEYWORD=VALUE, e.g. EchoTime=4.6; repeatable."),
]
Modality = Annotated[
    str, typer.Option("--modality", help="DICOM modality, e.g. CT, MR, PT; needed where a NIfTI file cannot say it.")
]


def _say(text: str) -> None:
    typer.echo(text)


def _stop(text: str, code: int) -> NoReturn:
    typer.echo(text, err=True)
    raise typer.Exit(code)


def _version(wanted: bool) -> None:
    if wanted:
        _say(f"radiolocus {version('radiolocus')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")] = False,
) -> None:
    """Imaging genomics: features, links, association, outcome and response. One study file, one report."""


@app.command(
    short_help="Draft study.toml from folders of data.",
    epilog="Example: radiolocus init data/images data/clinical.csv > study.toml",
)
def init(
    folders: Annotated[list[Path], typer.Argument(help="Folders of DICOM, NIfTI, tables, genotypes.", exists=True)],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the study file here, not to the screen.")
    ] = None,
) -> None:
    """Look through folders and draft study.toml, saying what was matched to whom."""
    with loading():
        from radiolocus.app.draft import draft
        from radiolocus.store import write_bytes

    drafted = draft(folders, beside=out.parent if out else None)
    for finding in drafted.findings:
        typer.echo(finding, err=True)
    if out is None:
        _say(drafted.text)
        return
    if out.exists():
        _stop(f"{out} is there already; what to do: choose another --out, or remove it", REFUSED)
    write_bytes(out, drafted.text.encode())
    typer.echo(f"wrote {out}; next: radiolocus check {out}", err=True)


@app.command(
    short_help="List every mistake of a study and its data.",
    epilog="Examples: radiolocus check study.toml | radiolocus check --schema > study.schema.json",
)
def check(
    study: Annotated[Path | None, typer.Argument(help="Study file.")] = None,
    root: Root = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of the study file.")] = False,
) -> None:
    """Validate everything readable without computing, and list all mistakes with file, row and column."""
    if schema:
        with loading():
            from radiolocus.config import study_schema

        _say(json.dumps(study_schema(), indent=1, ensure_ascii=False))
        return
    if study is None:
        _stop("no study file; usage: radiolocus check study.toml", REFUSED)
    with loading():
        from radiolocus.app.check import check_study

    loaded = _study(study, root)
    with _bars() as bars:
        findings = check_study(loaded, bars)
    for mistake in findings.mistakes:
        typer.echo(f"mistake  {mistake}", err=True)
    for note in findings.notes:
        _say(f"note     {note}")
    for line in findings.summary:
        _say(line)
    if findings.mistakes:
        count = len(findings.mistakes)
        _stop(f"{study}: {count} mistake{'s' if count > 1 else ''}", REFUSED)
    _say(f"{study}: no mistake found")


@app.command(
    short_help="Run a study, or take up an interrupted run.",
    epilog="Example: radiolocus run study.toml --out results --jobs 4",
)
def run(
    study: Annotated[Path, typer.Argument(help="Study file.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the results.")],
    jobs: Jobs = 0,
    fresh: Fresh = False,
    strict: Annotated[bool, typer.Option("--strict", help="Fail where a subject would be set aside.")] = False,
    root: Root = None,
) -> None:
    """Run a study, or take up an interrupted run where it stopped."""
    finished = _run(study, out, jobs=jobs, fresh=fresh, strict=strict, root=root)
    _tell(finished)
    if finished.set_aside:
        raise typer.Exit(SET_ASIDE)


@app.command(
    "compile",
    short_help="Compile the numerical loops now, not in the first run.",
    epilog="Example, in the recipe of a container: NUMBA_CACHE_DIR=/var/cache/radiolocus radiolocus compile",
)
def compile_(
    parts: Annotated[
        list[str] | None, typer.Argument(help="Such as imaging, maps, gwas, link or outcome; all without.")
    ] = None,
) -> None:
    """Compile the numerical loops for this machine's processor; a run does so itself when it has to."""
    with loading():
        from radiolocus.kernels.ahead import PARTS

    if unknown := [part for part in parts or () if part not in PARTS]:
        _stop(f"no part '{unknown[0]}'; allowed: {', '.join(PARTS)}", REFUSED)
    if not compile_for(*(parts or PARTS)):
        _say("all is compiled")


@app.command(short_help="Write report.html again.", epilog="Example: radiolocus report results")
def report(
    folder: Annotated[Path, typer.Argument(help="Folder of the results.", exists=True, file_okay=False)],
) -> None:
    """Write report.html again from the artefacts."""
    with loading():
        from radiolocus.report.html import write

    _say(f"report: {write(folder)}")


@app.command(short_help="Simulate a cohort, run it, judge it.", epilog="Example: radiolocus demo --out demo-out")
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the data and the results.")] = Path("demo-out"),
    subjects: Annotated[int, typer.Option("--subjects", min=40, help="Subjects to simulate.")] = 140,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same cohort.")] = 20,
    jobs: Jobs = 0,
    fresh: Fresh = False,
) -> None:
    """Simulate a cohort with planted truth, run it, and say which planted effects were found."""
    with loading():
        from radiolocus.report.html import write as write_report
        from radiolocus.simulate.cohort import SimulationOptions, simulate_cohort
        from radiolocus.simulate.verdict import write_verdict

    _say(f"simulating {subjects} subjects: images, genotypes, mutations, clinical table, lesion follow-up")
    options = SimulationOptions(subjects=subjects, seed=seed)
    with _bars() as bars:
        bars.begin("simulate", subjects)
        truth = simulate_cohort(out / "data", options, lambda: bars.step("simulate"))
    finished = _run(out / "data" / "study.toml", out / "results", jobs=jobs, fresh=fresh, strict=False, root=None)
    verdict = write_verdict(truth, finished.root, options)
    write_report(finished.root)
    _say("")
    for row in verdict.iter_rows(named=True):
        _say(f"{'yes' if row['found'] else 'NO ':<4} {row['kind']}: {row['planted']} — {row['verdict']}")
        _say(f"     {row['evidence']}")
    _say("")
    _tell(finished)
    if not verdict["found"].all():
        _stop(f"{(~verdict['found']).sum()} statements about the planted truth do not hold", FAULT)


@app.command(
    short_help="Take the features of one region.",
    epilog="Example: radiolocus features ct.nii.gz mask.nii.gz --modality CT --out features.csv",
)
def features(
    image: Image,
    mask: Region,
    settings: Settings = None,
    roi: Roi = None,
    modality: Modality = "",
    suv: Suv = "bw",
    gantry: Gantry = "refuse",
    series: Series = "",
    select: Select = None,
    pyradiomics: Annotated[
        Path | None,
        typer.Option("--pyradiomics", help="PyRadiomics parameter file: its features, names and definitions instead."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write a table: name.csv, name.parquet or name.json.")
    ] = None,
) -> None:
    """Take the features of one region of one image, and show them or write them with their settings."""
    with loading():
        from radiolocus.app import features as one_pair

    try:
        if out is not None:
            one_pair.check_name(out)
        reading = _reading(suv, gantry, series, select)
        if pyradiomics:
            _only_files(reading)
            with loading():
                from radiolocus.app.pyradiomics import parameters_of, pyradiomics_of_pair

            theirs = parameters_of(pyradiomics, settings=settings, roi=roi, modality=modality)
        else:
            chosen = _settings(settings)
    except ConfigError as error:
        _stop(error.message, REFUSED)
    compile_for("imaging")
    if pyradiomics:
        _show(pyradiomics_of_pair(image, mask, theirs), out)
    else:
        _show(one_pair.features_of_pair(image, mask, chosen, roi=roi, modality=modality, reading=reading), out)


def _only_files(reading: ReadOptions) -> None:
    if reading != type(reading)():
        raise ConfigError(
            "--pyradiomics with an option of DICOM (--suv, --gantry, --series, --select)",
            allowed="one of them",
            todo="PyRadiomics reads files such as NIfTI and NRRD, whose intensities are taken as they are",
        )


def _reading(suv: str, gantry: str, series: str, select: list[str] | None) -> ReadOptions:
    with loading():
        from radiolocus.read.options import ReadOptions

    chosen: dict[str, str | int | float] = {}
    for pair in select or ():
        name, sign, value = pair.partition("=")
        if not sign:
            raise ConfigError(f"--select {pair}", allowed="KEYWORD=VALUE, e.g. EchoTime=4.6")
        chosen[name.strip()] = value.strip()
    return ReadOptions(suv=suv, gantry=gantry, series=series, select=chosen)  # type: ignore[arg-type]


def _settings(file: Path | None) -> FeatureSettings:
    with loading():
        from radiolocus.feature.settings import FeatureSettings

    if file is None:
        return FeatureSettings()
    with loading():
        from radiolocus.config import load_settings

    return load_settings(file)


def _show(found: PairFeatures, out: Path | None) -> None:
    with loading():
        from radiolocus.app import features as one_pair

    for note in found.notes:
        typer.echo(f"note     {note}", err=True)
    if out is None:
        for line in one_pair.lines(found):
            _say(line)
    else:
        written = " and ".join(str(p) for p in one_pair.write(out, found))
        lost = f", {found.without_value} of them without value (see the column reason)" if found.without_value else ""
        _say(f"{found.table.height} features{lost}: {written}")
    if found.without_value:
        raise typer.Exit(SET_ASIDE)


@app.command(
    short_help="Call responses from a lesion table or SDTM.",
    epilog="Examples: radiolocus recist lesions.csv --out responses | radiolocus recist sdtm/ --reader INVESTIGATOR",
)
def recist(
    table: Annotated[Path, typer.Argument(help="Lesion table, or folder with the SDTM domains TU, TR and RS.")],
    criterion: Annotated[
        list[str] | None,
        typer.Option("--criterion", "-c", help="recist11 (default), irecist, percist, ...; give it again for more."),
    ] = None,
    settings: Annotated[
        Path | None, typer.Option("--settings", "-s", help="TOML file with the keys of [response].")
    ] = None,
    confirmation: Annotated[
        bool | None, typer.Option("--confirmation/--no-confirmation", help="Responses must be confirmed.")
    ] = None,
    unit: Annotated[str, typer.Option("--unit", help="mm or cm, or the column that says so.")] = "",
    reader: Annotated[
        list[str] | None, typer.Option("--reader", help="The reader that counts; give it again to compare two.")
    ] = None,
    error_mm: Annotated[float, typer.Option("--error-mm", min=0.0, help="Try measurement errors of this SD.")] = 0.0,
    draws: Annotated[int, typer.Option("--draws", min=1, help="How often.")] = 200,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same errors.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder of the tables; else all is shown.")] = None,
) -> None:
    """Call the response of every visit and subject, with the reason of every call."""
    with loading():
        from radiolocus.app.response import lines, order_of, responses_of_table
        from radiolocus.app.response import write as write_responses

    try:
        asked = order_of(
            table, settings, criteria=criterion or [], confirmation=confirmation, unit=unit, readers=reader or []
        )
        found = responses_of_table(table, replace(asked, error_mm=error_mm, draws=draws, seed=seed))
    except ConfigError as error:
        _stop(error.message, REFUSED)
    for problem in found.problems:
        where = ", ".join(x for x in (problem.where, problem.subject, problem.item) if x)
        typer.echo(f"{problem.severity:<9} {where}: {problem.got}", err=True)
    for line in lines(found) if out is None else write_responses(out, found):
        _say(line)
    if found.set_aside:
        raise typer.Exit(SET_ASIDE)


@app.command(
    "map",
    epilog="Example: radiolocus map ct.nii.gz mask.nii.gz --modality CT --feature stat_mean "
    "--feature cm_joint_entr_3d_comb --radius 2 --out maps",
)
def map_(
    image: Image,
    mask: Region,
    feature: Annotated[
        list[str], typer.Option("--feature", "-f", help="Column of any family but morphology; give it again for more.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the maps.")],
    radius: Annotated[int | None, typer.Option("--radius", help="Voxels to either side of the middle.")] = None,
    radius_mm: Annotated[float | None, typer.Option("--radius-mm", help="The same in mm, along every axis.")] = None,
    settings: Settings = None,
    roi: Roi = None,
    modality: Modality = "",
    suv: Suv = "bw",
    gantry: Gantry = "refuse",
    series: Series = "",
    select: Select = None,
) -> None:
    """Write features of the window around every voxel of a region as NIfTI images, NaN outside (ITK reads it as 0)."""
    with loading():
        from radiolocus.app.maps import MapOrder, map_of_pair

    try:
        reading = _reading(suv, gantry, series, select)
        order = MapOrder(tuple(feature), radius, radius_mm, roi, modality, reading)
        chosen = _settings(settings)
        compile_for("maps")
        lines, notes, lost = map_of_pair(image, mask, chosen, order, out)
    except ConfigError as error:
        _stop(error.message, REFUSED)
    for note in notes:
        typer.echo(f"note     {note}", err=True)
    for line in lines:
        _say(line)
    if lost:
        raise typer.Exit(SET_ASIDE)


@app.command(
    short_help="Control the quality of a genotype file.",
    epilog="Example: radiolocus qc cohort.pgen --table clinical.csv --sex sex --colour site --out quality",
)
def qc(
    genotypes: Annotated[
        Path, typer.Argument(help=".bed, .pgen, .bgen, .vcf(.gz), .bcf, or a prefix; @ stands for the chromosome.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the tables, the lists to keep and the report.")],
    min_call_rate: Annotated[float, typer.Option(help="Of variants.")] = 0.95,
    min_sample_call_rate: Annotated[float, typer.Option(help="Of samples.")] = 0.95,
    min_maf: Annotated[float, typer.Option(help="Minor allele frequency.")] = 0.01,
    min_hwe_p: Annotated[float, typer.Option(help="Exact Hardy–Weinberg mid-p; 0: not tested.")] = 1e-6,
    min_info: Annotated[float, typer.Option(help="Imputation quality; 0: not looked at.")] = 0.0,
    max_f_deviation: Annotated[float, typer.Option(help="Standard deviations of F; 0: not looked at.")] = 5.0,
    max_kinship: Annotated[float, typer.Option(help="Of samples that span the components.")] = 2**-3.5,
    duplicates: Annotated[
        bool, typer.Option("--drop-duplicates/--keep-duplicates", help="Twins count as such.")
    ] = True,
    prune_kb: Annotated[int, typer.Option(help="Window of LD pruning, kilobases.")] = 1000,
    prune_r2: Annotated[float, typer.Option(help="Largest r² within a window.")] = 0.1,
    components: Annotated[int, typer.Option(help="Principal components.")] = 10,
    component_tolerance: Annotated[
        float, typer.Option(help="Largest ‖Av − λv‖ / λ₁ of a component; 1e-4 costs about half.")
    ] = 1e-6,
    table: Annotated[Path | None, typer.Option(help="Table of the samples.")] = None,
    id_: Annotated[str, typer.Option("--id", help="Its column of ids; default: the first.")] = "",
    sex: Annotated[str, typer.Option(help="Its column of sex; default: what the genotype file says.")] = "",
    colour: Annotated[
        list[str] | None, typer.Option(help="Its column to colour components by; may be repeated.")
    ] = None,
    sample_id: Annotated[str, typer.Option(help="iid or fid_iid: what names a sample.")] = "iid",
    dosage: Annotated[str, typer.Option(help="auto, GT, DS or GP of a VCF.")] = "auto",
    alleles: Annotated[
        Path | None, typer.Option(help=".bim, .pvar or genotypes whose alleles must be found, at the places they have.")
    ] = None,
    jobs: Jobs = 0,
    fresh: Fresh = False,
) -> None:
    """Filter variants and samples, find relatives and principal components, and tell it all in one page."""
    with loading():
        from radiolocus.app.qc import QcOrder, quality_control
        from radiolocus.genome.control import QcOptions

    try:
        options = QcOptions(
            min_call_rate, min_sample_call_rate, min_maf, min_hwe_p, min_info, max_f_deviation, True, max_kinship,
            duplicates, prune_kb, prune_r2, components, component_tolerance,
        )  # fmt: skip
        order = QcOrder(sample_id, dosage, table, id_, sex, tuple(colour or ()), alleles)
        found, notes = quality_control(
            genotypes, out, options, order, jobs=jobs or os.cpu_count() or 1, fresh=fresh,
            told=lambda step: typer.echo(f"         {step}", err=True),
        )  # fmt: skip
    except ConfigError as error:
        _stop(error.message, REFUSED)
    for note in notes:
        typer.echo(f"note     {note}", err=True)
    for unit, frame in (("variants", found.variants), ("samples", found.samples)):
        _say(f"{frame['kept'].sum()} of {frame.height} {unit} kept")
    _say(f"{found.samples['unrelated'].sum()} unrelated; {found.relatives.height} related pairs")
    _say(f"report: {out / 'report.html'}")


add_commands(app)
add_summary_commands(app)
add_mediation(app)
add_figures(app)
add_cca(app)
add_planning(app)
add_locking(app)
add_link(app)
add_genotyping(app)
add_lesions(app)
add_loci(app)
add_checking(app)
add_outcome(app)
add_response(app)
add_monitoring(app)
add_scores(app)
add_personal(app)


def _study(file: Path, root: Path | None) -> Study:
    with loading():
        from radiolocus.config import StudyError, load_study

    try:
        return load_study(file, root)
    except StudyError as error:
        _stop(error.message, REFUSED)


def _bars() -> Bars:
    with loading():
        from rich.console import Console

        from radiolocus.app.progress import Bars

    return Bars(Console(stderr=True))


def _run(study: Path, out: Path, *, jobs: int, fresh: bool, strict: bool, root: Path | None) -> Finished:
    with loading():
        from radiolocus.pipeline import parts_of, run_study

    loaded = _study(study, root)
    compile_for(*parts_of(loaded.sections))
    with _bars() as bars:
        return run_study(loaded, out, jobs=jobs or os.cpu_count() or 1, fresh=fresh, strict=strict, progress=bars)


def _tell(finished: Finished) -> None:
    for line in finished.lines:
        _say(line)
    if finished.set_aside:
        _say(f"{finished.set_aside} problems set something aside: see {finished.root / 'problems.csv'} and the report")
    _say(f"report: {finished.root / 'report.html'}")


def main() -> None:
    """Run the command; errors of the user's making, and of the machine's, are told without a traceback."""
    try:
        app()
    except SystemExit as ending:
        if ending.code == INTERRUPTED:
            typer.echo("interrupted; the same command goes on from the last finished unit", err=True)
        raise
    except RadiolocusError as error:
        typer.echo(f"error: {error.message}", err=True)
        sys.exit(FAULT)
    except OSError as error:
        typer.echo(f"error: {error.filename or 'a file'}: {error.strerror or error}", err=True)
        sys.exit(FAULT)
