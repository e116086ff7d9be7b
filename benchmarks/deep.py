"""Networks beside an elastic net on radiomic features and variants: simulated cohorts with planted truth, same folds.

    python benchmarks/deep.py --texture direction --endpoints os
    python benchmarks/deep.py --texture coarseness --endpoints os
    python benchmarks/deep.py --texture direction --endpoints relapse coin

Needs PyTorch. Every cohort is written as ordinary files (NIfTI, MAF, FASTA, CSV) and run through a study file. In half
of the patients the texture of the tumour is another one: ``direction``, stripes along y instead of x, which features
that average over directions do not see; ``coarseness``, a longer correlation length, which they do. What is predicted:

- ``os``, a time to event: the texture and a mutation of the gene DRIVER, each with a log hazard ratio of 1.2;
- ``relapse``, yes or no: the texture and whether any variant of the patient breaks a GGTAAG of the genome, each with a
  log odds ratio of 2. Which gene it is in says nothing, so that markers of genes hold nothing of it;
- ``coin``, yes or no: a coin.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import polars as pl
from scipy.ndimage import gaussian_filter

from radiolocus.config import load_study
from radiolocus.pipeline import run_study
from radiolocus.store import read_table

GRID, SPACING = (28, 48, 48), (3.0, 2.0, 2.0)
WIDTHS = {
    "direction": ((0.7, 2.2, 0.7), (0.7, 0.7, 2.2)),
    "coarseness": ((0.7, 1.5, 1.5), (0.7, 1.0, 1.0)),
}
GENES = ("DRIVER", *(f"GENE{i:02d}" for i in range(1, 20)))
MOTIF, LONG = "GGTAAG", 4000
STUDY = """
[cohort]
subjects = "clinical.csv"
id = "subject"
[cohort.endpoints.os]
kind = "survival"
time = "months"
event = "dead"
event_values = [1]
unit = "months"
[cohort.endpoints.relapse]
kind = "binary"
event = "relapse"
event_values = [1]
[cohort.endpoints.coin]
kind = "binary"
event = "coin"
event_values = [1]
[imaging]
families = ["morphology", "intensity", "intensity_histogram", "glcm", "glrlm", "glszm", "ngtdm"]
[imaging.settings]
bin_width = 10.0
[[imaging.images]]
name = "CT"
modality = "CT"
image = "images/{subject}/ct.nii.gz"
mask = "images/{subject}/tumour.nii.gz"
[molecular]
mutations = "mutations.maf"
sequenced = "sequenced.csv"
[deep]
endpoints = ENDPOINTS
crop = [8, 24, 24]
voxel_mm = [3.0, 2.0, 2.0]
[deep.sequences]
genome = "genome.fa"
window = 41
"""


def field(rng: np.random.Generator, widths: tuple[float, ...]) -> np.ndarray:
    found = gaussian_filter(rng.standard_normal(GRID), widths, mode="wrap")
    return (found - found.mean()) / found.std()


def image(rng: np.random.Generator, widths: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """A tumour of about 14 mL, its texture with a standard deviation of 25 HU whatever its kind."""
    axes = np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in GRID), indexing="ij")
    radius = 15 * np.exp(rng.normal(0, 0.12, 3))
    distance = np.sqrt(sum((a * s / r) ** 2 for a, s, r in zip(axes, SPACING, radius, strict=True)))
    inside = distance + 0.08 * field(rng, (2, 3, 3)) < 1
    out = 40 + 12 * field(rng, (1, 1.5, 1.5))
    out[inside] = 70 + rng.normal(0, 8) + 25 * field(rng, widths)[inside]
    return np.round(out + 6 * rng.standard_normal(GRID)).astype(np.float32), inside


def save(array: np.ndarray, path: Path) -> None:
    nib.save(nib.Nifti1Image(array.transpose(2, 1, 0), np.diag([-2.0, -2.0, 3.0, 1.0])), path)


def genome(rng: np.random.Generator, folder: Path) -> list[str]:
    """One chromosome a gene, each with the motif in a few places."""
    chromosomes = []
    for _ in GENES:
        text = "".join(rng.choice(list("ACGT"), LONG))
        for place in range(200, LONG, 400):
            text = text[:place] + MOTIF + text[place + len(MOTIF) :]
        chromosomes.append(text)
    lines = [f">{i}\n{text}" for i, text in enumerate(chromosomes, 1)]
    (folder / "genome.fa").write_text("\n".join(lines) + "\n")
    return chromosomes


def variant(rng: np.random.Generator, text: str, breaks: bool) -> tuple[int, str, str]:
    """Place (from 1) and alleles of a substitution, inside a motif or far from any."""
    motif = 200 + 400 * int(rng.integers(LONG // 400)) + int(rng.integers(len(MOTIF)))
    place = motif if breaks else motif + 60 + int(rng.integers(120))
    before = text[place]
    return place + 1, before, str(rng.choice([b for b in "ACGT" if b != before]))


def write_cohort(folder: Path, n: int, texture: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    subjects = [f"P{i + 1:03d}" for i in range(n)]
    kind, driver, broken = rng.random(n) < 0.5, rng.random(n) < 0.4, rng.random(n) < 0.4
    chromosomes = genome(rng, folder)
    rows = []
    for i, subject in enumerate(subjects):
        made = image(np.random.default_rng((seed, i)), WIDTHS[texture][int(kind[i])])
        (target := folder / "images" / subject).mkdir(parents=True)
        save(made[0], target / "ct.nii.gz")
        save(made[1].astype(np.uint8), target / "tumour.nii.gz")
        others = rng.choice(np.arange(1, len(GENES)), 4, replace=False)
        for j, gene in enumerate([0, *others] if driver[i] else others):
            place = variant(rng, chromosomes[gene], bool(broken[i]) and j == 1)
            rows.append((GENES[gene], str(gene + 1), place[0], subject, "Missense_Mutation", "SNP", *place[1:]))
    columns = ["Hugo_Symbol", "Chromosome", "Start_Position", "Tumor_Sample_Barcode", "Variant_Classification"]
    columns += ["Variant_Type", "Reference_Allele", "Tumor_Seq_Allele2"]
    pl.DataFrame(rows, schema=columns, orient="row").write_csv(folder / "mutations.maf", separator="\t")
    pl.DataFrame({"subject": subjects}).write_csv(folder / "sequenced.csv")
    risk = 1.2 * (kind - 0.5) + 1.2 * (driver - 0.4)
    death, end = 30 * rng.exponential(size=n) / np.exp(risk), rng.uniform(12, 60, n)
    logit = 2 * (kind - 0.5) + 2 * (broken - 0.4)
    pl.DataFrame(
        {
            "subject": subjects,
            "months": np.minimum(death, end).round(2).clip(0.01),
            "dead": (death <= end).astype(int),
            "relapse": (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(int),
            "coin": rng.integers(0, 2, n),
        }
    ).write_csv(folder / "clinical.csv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texture", choices=list(WIDTHS), default="direction")
    parser.add_argument("--endpoints", nargs="+", default=["os"])
    parser.add_argument("--subjects", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="folder that keeps the study and its results")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.keep or Path(scratch)
        (folder / "data").mkdir(parents=True)
        write_cohort(folder / "data", given.subjects, given.texture, given.seed)
        names = str(given.endpoints).replace("'", '"')
        file = folder / "data" / "study.toml"
        # First without networks, so that features and markers are there and only networks are measured.
        head, _, rest = STUDY.partition("[deep]")
        file.write_text(head)
        run_study(load_study(file), folder / "out", jobs=given.jobs)
        file.write_text(head + "[deep]" + rest.replace("ENDPOINTS", names))
        load = os.getloadavg()[0]
        begin, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        own = time.process_time()
        run_study(load_study(file), folder / "out", jobs=given.jobs)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime + time.process_time() - own
        print(f"{given.texture}, {given.subjects} subjects, seed {given.seed}, {given.jobs} workers: "
              f"{time.perf_counter() - begin:.0f} s, {cpu:.0f} s of CPU, load {load:.1f} at the start")  # fmt: skip
        for name in ("performance", "differences"):
            frame = read_table(folder / "out", f"deep/{name}")
            for row in frame.iter_rows(named=True):
                value = f"{row['estimate']:+.3f}" if name == "differences" else f"{row['estimate']:.3f}"
                said = "less " if name == "differences" else ""
                print(f"  {row['endpoint']:<8} {said}{row['model']} on {row['predictors']} ({row['patients']}): "
                      f"{row['metric']} {value} ({row['lower']:.3f} to {row['upper']:.3f}), n {row['n']}")  # fmt: skip


if __name__ == "__main__":
    main()
