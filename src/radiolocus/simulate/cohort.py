"""A cohort with planted truth, written as the ordinary files a study is made of.

What is planted:

- a causal variant changes the **texture** of the tumour (standard deviation of its intensities);
- a driver mutation changes its **volume**;
- a hypoxia score goes with its **mean intensity**, and so does ancestry, which without correction inflates every test;
- survival and recurrence depend on the texture and on the driver; a negative control depends on nothing;
- the best response of every subject is known;
- some subjects are spoiled on purpose.

Everything else — the other variants, genes, markers — is null, so that whatever is found there is a false positive.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.errors import ConfigError
from radiolocus.model import Geometry
from radiolocus.read.plink import write_plink
from radiolocus.simulate.genotypes import Genotypes, simulate_genotypes
from radiolocus.simulate.images import simulate_tumour
from radiolocus.simulate.lesions import COURSES, lesion_table, simulate_lesions

__all__ = ["SimulationOptions", "Truth", "simulate_cohort"]

DRIVER = "EGFR"
_GENES = {"EGFR": 0.35, "TP53": 0.4, "KRAS": 0.25, "STK11": 0.18, "KEAP1": 0.15, "NF1": 0.12, "BRAF": 0.1}
_GENES |= {"PIK3CA": 0.12, "RB1": 0.1, "SMARCA4": 0.1, "ATM": 0.12, "MET": 0.08}
_NONSYNONYMOUS = ("Missense_Mutation", "Nonsense_Mutation", "Frame_Shift_Del", "Splice_Site")


@dataclass(frozen=True)
class SimulationOptions:
    """Size and seed of a simulated cohort.

    Parameters
    ----------
    subjects : int
        Number of subjects, at least 40.
    variants : int
        Number of variants, at least 200.
    seed : int
        Same seed, same cohort.
    """

    subjects: int = 140
    variants: int = 3000
    seed: int = 20

    def __post_init__(self) -> None:
        if self.subjects < 40 or self.variants < 200:
            raise ConfigError(
                f"a cohort of {self.subjects} subjects and {self.variants} variants",
                allowed="at least 40 subjects and 200 variants",
                todo="ask for a larger one: nothing planted could be found in this",
            )


@dataclass(frozen=True)
class Truth:
    """What was planted."""

    causal_variant: str
    causal_chromosome: str
    causal_position: int
    linked_variants: tuple[str, ...]
    driver: str
    continuous_marker: str
    null_markers: tuple[str, ...]
    responses: dict[str, str]
    oracle_c: float
    spoiled: dict[str, str]


def simulate_cohort(folder: Path, options: SimulationOptions, step: Callable[[], None] = lambda: None) -> Truth:
    """Write a cohort and its ``study.toml`` below `folder`.

    Parameters
    ----------
    folder : Path
        Made when it is not there. ``truth.json`` beside the data holds what was planted; the study does not read it.
    options : SimulationOptions
    step : callable
        Called after the image of each subject is written, which is what takes time.

    Returns
    -------
    Truth
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(options.seed)
    subjects = [f"SIM-{i + 1:03d}" for i in range(options.subjects)]
    genotypes = simulate_genotypes(rng, options.subjects, options.variants)
    causal = _choose_causal(genotypes)
    latent = _Latent.draw(rng, genotypes, causal)
    _write_genotypes(folder, subjects, genotypes)
    spoiled = _write_images(folder, subjects, latent, options.seed, step)
    _write_molecular(rng, folder, subjects, latent)
    risk = _write_clinical(rng, folder, subjects, latent, genotypes)
    responses = _write_lesions(rng, folder, subjects, latent)
    row = genotypes.variants.row(causal, named=True)
    study = _STUDY.format(seed=options.seed, variant=row["variant_id"], driver=DRIVER)
    (folder / "study.toml").write_text(study, encoding="utf-8")
    truth = Truth(
        causal_variant=row["variant_id"],
        causal_chromosome=row["chromosome"],
        causal_position=row["base_pair_location"],
        linked_variants=tuple(genotypes.variants.filter(pl.col("block") == row["block"])["variant_id"]),
        driver=DRIVER,
        continuous_marker="hypoxia_score",
        null_markers=(*(g for g in _GENES if g != DRIVER), "proliferation_score", "current_smoker"),
        responses=responses,
        oracle_c=risk,
        spoiled=spoiled,
    )
    (folder / "truth.json").write_text(json.dumps(asdict(truth), indent=1), encoding="utf-8")
    return truth


@dataclass(frozen=True, eq=False)
class _Latent:
    texture: npt.NDArray[np.float64]
    driver: npt.NDArray[np.bool_]
    log_volume: npt.NDArray[np.float64]
    mean: npt.NDArray[np.float64]
    hypoxia: npt.NDArray[np.float64]

    @classmethod
    def draw(cls, rng: np.random.Generator, genotypes: Genotypes, causal: int) -> _Latent:
        n = genotypes.dosage.shape[1]
        dosage = np.nan_to_num(genotypes.dosage[causal].astype(float), nan=float(np.nanmean(genotypes.dosage[causal])))
        dosage = (dosage - dosage.mean()) / dosage.std()
        driver: npt.NDArray[np.bool_] = np.asarray(rng.random(n) < _GENES[DRIVER])
        texture = np.sqrt(0.5) * dosage + np.sqrt(0.5) * rng.standard_normal(n)
        hypoxia: npt.NDArray[np.float64] = np.asarray(rng.standard_normal(n))
        mean = 0.6 * hypoxia + 0.8 * genotypes.population + 0.5 * rng.standard_normal(n)
        volume: npt.NDArray[np.float64] = np.asarray(np.log(14) + 0.6 * driver + 0.3 * rng.standard_normal(n))
        return cls(texture, driver, volume, mean, hypoxia)


def _choose_causal(genotypes: Genotypes) -> int:
    """Take a common variant in the middle of the genome that differs little between the populations."""
    population = genotypes.population.astype(bool)
    frequency = np.nanmean(genotypes.dosage, axis=1) / 2
    gap = np.abs(
        np.nanmean(genotypes.dosage[:, population], axis=1) - np.nanmean(genotypes.dosage[:, ~population], axis=1)
    )
    good = np.flatnonzero((np.abs(frequency - 0.4) < 0.08) & (gap < 0.1))
    return int(good[len(good) // 2])


def _write_genotypes(folder: Path, subjects: list[str], genotypes: Genotypes) -> None:
    (folder / "genotypes").mkdir(exist_ok=True)
    write_plink(folder / "genotypes" / "cohort", genotypes.dosage, genotypes.variants.drop("block"), subjects)


def _write_images(
    folder: Path, subjects: list[str], latent: _Latent, seed: int, step: Callable[[], None]
) -> dict[str, str]:
    spoiled = {subjects[10]: "mask on another grid", subjects[25]: "not a number inside the region"}
    lps_to_ras = np.diag([-1.0, -1.0, 1.0, 1.0])
    for i, subject in enumerate(subjects):
        volume, mask = simulate_tumour(
            np.random.default_rng((seed, i)),
            volume_ml=float(np.exp(latent.log_volume[i])),
            mean_hu=70 + 15 * float(latent.mean[i]),
            texture_hu=26 * float(np.exp(0.3 * latent.texture[i])),
        )
        image, region = volume.array.copy(), mask.array
        geometry: Geometry = volume.geometry
        affine = lps_to_ras @ geometry.affine[:, [2, 1, 0, 3]]
        shifted = affine.copy()
        if subject in spoiled and "grid" in spoiled[subject]:
            shifted[0, 3] += 5.0
        elif subject in spoiled:
            image[tuple(np.argwhere(region)[0])] = np.nan
        target = folder / "images" / subject
        target.mkdir(parents=True, exist_ok=True)
        _save_nifti(image, affine, target / "ct.nii.gz")
        _save_nifti(region.astype(np.uint8), shifted, target / "tumour.nii.gz")
        step()
    return spoiled


def _save_nifti(array: npt.NDArray[Any], affine: npt.NDArray[np.float64], path: Path) -> None:
    nib.save(nib.Nifti1Image(array.transpose(2, 1, 0), affine), path)  # type: ignore[no-untyped-call]


def _write_molecular(rng: np.random.Generator, folder: Path, subjects: list[str], latent: _Latent) -> None:
    (folder / "molecular").mkdir(exist_ok=True)
    calls = []
    for g, (gene, frequency) in enumerate(_GENES.items()):
        mutated = latent.driver if gene == DRIVER else rng.random(len(subjects)) < frequency
        silent = rng.random(len(subjects)) < 0.03
        for i, subject in enumerate(subjects):
            kinds = [str(rng.choice(_NONSYNONYMOUS))] * bool(mutated[i]) + ["Silent"] * bool(silent[i])
            calls += [(gene, str(g + 1), 1000 * g + i, subject, kind) for kind in kinds]
    columns = ["Hugo_Symbol", "Chromosome", "Start_Position", "Tumor_Sample_Barcode", "Variant_Classification"]
    maf = pl.DataFrame(calls, schema=columns, orient="row").with_columns(
        Variant_Type=pl.lit("SNP"), Reference_Allele=pl.lit("A"), Tumor_Seq_Allele2=pl.lit("T")
    )
    maf.write_csv(folder / "molecular" / "mutations.maf", separator="\t")
    (folder / "molecular" / "sequenced.csv").write_text("\n".join(["subject", *subjects]) + "\n")
    pl.DataFrame(
        {
            "subject": subjects,
            "hypoxia_score": latent.hypoxia.round(4),
            "proliferation_score": rng.standard_normal(len(subjects)).round(4),
            "current_smoker": rng.choice(["yes", "no"], len(subjects)),
        }
    ).write_csv(folder / "molecular" / "markers.csv")


def _write_clinical(
    rng: np.random.Generator, folder: Path, subjects: list[str], latent: _Latent, genotypes: Genotypes
) -> float:
    n = len(subjects)
    age = rng.normal(62, 9, n).round(0)
    hazard = 0.8 * latent.texture + 0.7 * latent.driver + 0.03 * (age - 62)
    death = 30 * (rng.exponential(size=n) / np.exp(hazard)) ** (1 / 1.3)
    end = rng.uniform(12, 60, n)
    months = np.minimum(death, end).round(1).clip(0.1)
    dead = death <= end
    recurrence = rng.random(n) < 1 / (1 + np.exp(0.4 - 1.0 * latent.texture - 0.9 * latent.driver))
    pl.DataFrame(
        {
            "subject": subjects,
            "age": age,
            "sex": rng.choice(["female", "male"], n),
            "stage": rng.choice(["I", "II", "III"], n, p=[0.3, 0.4, 0.3]),
            "site": np.where(genotypes.population == 1, "north", "south"),
            "months": months,
            "status": np.where(dead, "dead", "alive"),
            "recurrence": np.where(recurrence, "yes", "no"),
            "negative_control": rng.choice(["yes", "no"], n),
        }
    ).write_csv(folder / "clinical.csv")
    comparable = (months[:, None] < months[None, :]) & dead[:, None]
    return float((comparable & (hazard[:, None] > hazard[None, :])).sum() / comparable.sum())


def _write_lesions(rng: np.random.Generator, folder: Path, subjects: list[str], latent: _Latent) -> dict[str, str]:
    rows: list[dict[str, object]] = []
    truth = {}
    for i, subject in enumerate(subjects[: len(subjects) // 2]):
        chance = (0.15, 0.45, 0.25, 0.15) if latent.driver[i] else (0.04, 0.16, 0.4, 0.4)
        truth[subject] = str(rng.choice(list(COURSES), p=chance))
        rows += simulate_lesions(rng, subject, truth[subject])
    lesion_table(rows).write_csv(folder / "lesions.csv")
    return truth


_STUDY = """\
# A simulated cohort: images, genotypes, mutations, clinical table and lesion follow-up as ordinary files.

[cohort]
name = "Simulated cohort"
subjects = "clinical.csv"
id = "subject"

[cohort.columns.sex]
type = "category"

[cohort.endpoints.overall_survival]
kind = "survival"
time = "months"
event = "status"
event_values = ["dead"]
unit = "months"

[cohort.endpoints.recurrence]
kind = "binary"
event = "recurrence"
event_values = ["yes"]

[cohort.endpoints.negative_control]      # drawn by a coin: nothing can predict it
kind = "binary"
event = "negative_control"
event_values = ["yes"]

[imaging]
families = ["morphology", "intensity", "glcm"]

[imaging.settings]
bin_width = 10.0                         # HU, fixed bin size

[[imaging.images]]
name = "CT"
modality = "CT"
image = "images/{{subject}}/ct.nii.gz"
mask = "images/{{subject}}/tumour.nii.gz"

[genetics]
plink = "genotypes/cohort"
principal_components = 3
covariates = ["age", "sex"]

[molecular]
mutations = "molecular/mutations.maf"
sequenced = "molecular/sequenced.csv"
markers = [{{ path = "molecular/markers.csv", id = "subject" }}]

[link]
covariates = ["age", "sex", "site"]

[outcome]
clinical = ["age", "sex", "stage"]
repeats = 3
seed = {seed}

[response]
lesions = "lesions.csv"

[mechanism]                              # how much of what a variant or a mutation does goes through the image
exposures = ["mut:{driver}", "{variant}"]
mediators = ["CT:stat_range", "CT:morph_volume"]
covariates = ["age", "sex"]
"""
