"""A small study written as ordinary files, with a place to spoil it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
import polars as pl

from radiolocus.config import load_study
from radiolocus.pipeline import run_study
from radiolocus.read.plink import write_plink
from radiolocus.simulate.blood import simulate_blood, simulate_clones
from radiolocus.store import read_table

AFFINE = np.diag([-2.0, -2.0, 3.0, 1.0])
STUDY = """
[cohort]
name = "small"
subjects = "clinical.csv"
id = "id"
[cohort.endpoints.os]
kind = "survival"
time = "months"
event = "dead"
event_values = ["yes"]
unit = "months"
[cohort.endpoints.relapse]
kind = "binary"
event = "relapse"
event_values = ["yes"]
[imaging]
families = ["morphology", "intensity"]
[[imaging.images]]
name = "CT"
modality = "CT"
image = "images/{subject}/ct.nii.gz"
mask = "images/{subject}/mask.nii.gz"
"""
GENETICS = '[genetics]\nplink = "geno"\ncovariates = ["age"]\nmin_maf = 0.05\nblock_size = 40\n'
#: Behind GENETICS: a binary endpoint is scanned too, and some rows are kept.
CASES = 'binary = ["relapse"]\nkeep = { p_value = 0.05 }\n'
MOLECULAR = '[molecular]\nmarkers = "markers.csv"\n[link]\nmin_n = 10\n'
OUTCOME = '[outcome]\nclinical = ["age"]\nrepeats = 2\nfolds = 3\ninner_folds = 3\nbootstrap = 50\npenalties = 8\n'
#: Behind MOLECULAR.
GENOTYPING = '[genotyping]\nclinical = ["age"]\nmodels = ["ridge"]\nrepeats = 1\nfolds = 3\ninner_folds = 2\n'
GENOTYPING += "bootstrap = 20\ndraws = 5\npenalties = 6\npermutations = 2\n[genotyping.targets.egfr]\n"
#: Behind MOLECULAR.
MECHANISM = "[mechanism]\nmax_q = 1.0\npairs = 2\ndraws = 100\n"
RESPONSE = '[response]\nlesions = "lesions.csv"\n'
#: Behind RESPONSE: circulating tumour DNA, clones and resistance.
FOLLOW_UP = '[response.ctdna]\ntable = "ctdna.csv"\n[response.clones]\ntable = "samples.csv"\n'
FOLLOW_UP += '[response.resistance]\nclinical = ["age"]\nprior_lines = "age"\nmin_group = 2\n'
#: Behind a call of `treated`: choice of therapy and early prediction.
BENEFIT = '[benefit]\ntreatment = "drug"\ncontrol = "none"\nmarkers = ["age"]\nendpoints = ["relapse"]\n'
BENEFIT += "randomised = true\nrepeats = 1\nfolds = 3\nbootstrap = 20\n"
EARLY = '[early]\ntable = "visits.csv"\nvisit = "day"\nendpoints = ["relapse"]\nrepeats = 1\nfolds = 3\n'
EARLY += "inner_folds = 3\nbootstrap = 20\npenalties = 6\npermutations = 2\n"
#: Behind a call of `treated`: risk of death re-estimated at both visits.
MONITORING = (
    '[monitoring]\ntable = "visits.csv"\ntime = "day"\ntime_unit = "days"\nmarkers = ["size"]\nlog = ["size"]\n'
)
MONITORING += "window = 12.0\nlandmarks = [0.0, 0.7]\nmin_events = 2\nrepeats = 1\nfolds = 2\nbootstrap = 20\n"
MONITORING += "draws = 2\npermutations = 1\n"


@dataclass
class SmallStudy:
    """Files of a study of `n` subjects below `root`; `text` is its study file."""

    root: Path
    n: int = 30
    text: str = STUDY
    subjects: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.subjects = [f"S{i + 1:02d}" for i in range(self.n)]
        rng = np.random.default_rng(7)
        self.clinical = pl.DataFrame(
            {
                "id": self.subjects,
                "age": rng.integers(40, 80, self.n),
                "months": rng.exponential(20, self.n).round(1) + 0.1,
                "dead": rng.choice(["yes", "no"], self.n),
                "relapse": rng.choice(["yes", "no"], self.n),
            }
        )
        for i, subject in enumerate(self.subjects):
            self.image(subject, *self.picture(i))
        variants = pl.DataFrame(
            {
                "chromosome": ["1"] * 50 + ["2"] * 50,
                "variant_id": [f"rs{i}" for i in range(100)],
                "base_pair_location": [1000 * (i + 1) for i in range(100)],
                "effect_allele": ["A"] * 100,
                "other_allele": ["G"] * 100,
            }
        )
        write_plink(
            root := self.root / "geno", rng.binomial(2, 0.3, (100, self.n)).astype(np.float32), variants, self.subjects
        )
        assert root.with_suffix(".bed").exists()
        pl.DataFrame({"id": self.subjects, "egfr": rng.choice(["mutant", "wildtype"], self.n)}).write_csv(
            self.root / "markers.csv"
        )
        rows = [
            (s, v, 56 * k, "T1", "target", "liver", round(float(30 * f), 1))
            for s in self.subjects
            for k, (v, f) in enumerate([("baseline", 1.0), ("week 8", rng.uniform(0.5, 1.5))])
        ]
        columns = ["subject", "visit", "day", "lesion", "kind", "organ", "diameter_mm"]
        pl.DataFrame(rows, schema=columns, orient="row").write_csv(self.root / "lesions.csv")
        self._blood()

    def treated(self) -> None:
        """Give every second subject a drug, and all of them a table of features at two visits."""
        self.clinical = self.clinical.with_columns(
            drug=pl.Series([("given", "none")[i % 2] for i in range(self.n)], dtype=pl.String)
        )
        rng = np.random.default_rng(11)
        rows = [(s, day, float(rng.lognormal(3, 0.5)), float(rng.normal())) for s in self.subjects for day in (0, 21)]
        pl.DataFrame(rows, schema=["id", "day", "size", "texture"], orient="row").write_csv(self.root / "visits.csv")

    def _blood(self) -> None:
        """Tables of circulating tumour DNA and of two samples of some tumours."""
        rng = np.random.default_rng(9)
        blood = [r for s in self.subjects for r in simulate_blood(rng, s, [(0, 1.0), (56, float(rng.uniform(0, 2)))])]
        pl.DataFrame(blood).write_csv(self.root / "ctdna.csv")
        clones = ((1.0, 1.0), (0.5, 0.1), (0.0, 0.6))
        tumours = [
            simulate_clones(rng, s, clones, (4, 4, 4), purity=(0.8, 0.7), days=(0, 90)) for s in self.subjects[:2]
        ]
        pl.DataFrame([r for rows, _ in tumours for r in rows]).write_csv(self.root / "samples.csv")

    def picture(self, seed: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng((1, seed))
        image = rng.normal(50, 10 + seed % 7, (12, 11, 8)).astype(np.float32)
        mask = np.zeros(image.shape, np.uint8)
        mask[3 : 8 + seed % 3, 3:8, 2:6] = 1
        return image, mask

    def image(self, subject: str, image: np.ndarray, mask: np.ndarray, mask_affine: np.ndarray = AFFINE) -> None:
        folder = self.root / "images" / subject
        folder.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(image, AFFINE), folder / "ct.nii.gz")
        nib.save(nib.Nifti1Image(mask, mask_affine), folder / "mask.nii.gz")

    def file(self) -> Path:
        self.clinical.write_csv(self.root / "clinical.csv")
        (self.root / "study.toml").write_text(self.text, encoding="utf-8")
        return self.root / "study.toml"

    def run(self, name: str = "out", **options):
        return run_study(load_study(self.file()), self.root.parent / name, **options)

    def problems(self, finished) -> list[dict]:
        return read_table(finished.root, "problems").to_dicts()
