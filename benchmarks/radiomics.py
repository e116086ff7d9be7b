"""Seconds of imaging features beside other extractors: same image, same region, one run, alternating.

    python benchmarks/radiomics.py --repeats 3 > table.md

Every extractor works in a process and an environment of its own, below ``--cache``; an environment that cannot be made
is told with the reason. All have one thread. The first case warms everybody up; after it an extraction is timed
`--repeats` times, the extractors taking turns, and the smallest counts. Those that needed longer than `--patience`
seconds on a case are not asked again there. CPU seconds stand beside the clock, because they mean something on a busy
machine too. Memory is the peak of the whole process during the extraction.

Compared are the classes that all have, on the original image: shape, first-order intensities (and their histogram),
GLCM, GLRLM and GLSZM in three dimensions, NGTDM, and GLDM or NGLDM. Definitions inside a class differ between
extractors; three features say whether they measured the same region. Radiolocus stands there four times: by its own
definitions with one thread; with two (``-threads``: look at the clock); with Moran's I and Geary's C, which PyRadiomics
does not have, as well (``-spatial``); and with PyRadiomics' definitions (``-pyradiomics``). Reading the files is left
out where the extractor takes an image from memory (MIRP and Nyxus are given files).

One case is also measured on filtered images (eight bands of the coiflet 1 wavelet, undecimated, and three Laplacians of
Gaussians), without shape, by PyRadiomics and by Radiolocus with its own definitions and with PyRadiomics'. Below each
table stands the bar that Radiolocus was set, and whether it is met. What is printed is Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813
from scipy import ndimage

from radiolocus.read.imaging import read_pair

HERE = Path(__file__).resolve().parent
SHARED = HERE.parent.parent / "shared"
LOW, HIGH, WIDTH = -1000.0, 400.0, 25.0
SEED = 20261122
#: By a part of the title of a case: how often PyRadiomics' time must hold ours, and whether its memory must hold ours.
BARS = {"configuration C": (40, False), "262k": (100, False), "748k": (150, True), "filtered": (10, False)}
#: Seconds from the start of a process on the first case to its table.
COLD_START_BAR = 2.5
#: Radiolocus with two threads, with what PyRadiomics does not have, with PyRadiomics' definitions; and who is measured
#: on filtered images.
THREADS, SPATIAL, AS_THEM = "radiolocus-threads", "radiolocus-spatial", "radiolocus-pyradiomics"
OURS = (THREADS, SPATIAL, AS_THEM)
OF_FILTERED = ("radiolocus", THREADS, AS_THEM, "pyradiomics")
FILTERED = "IBSI CT phantom, not resampled"
ENVIRONMENT = (
    os.environ
    | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    | {"PYTHONDONTWRITEBYTECODE": ""}  # a start that compiles every module is nobody's
    | {"ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1", "POLARS_MAX_THREADS": "1"}
)


@dataclass(frozen=True)
class Peer:
    """How to make the environment of an extractor: Pythons it may have, and what pip is asked for, call by call."""

    pythons: tuple[str, ...]
    installs: tuple[tuple[str, ...], ...]


PEERS = {
    # The release builds C against the NumPy that is there, and asks for none of its tools.
    "pyradiomics": Peer(
        ("3.9", "3.10", "3.8"),
        (("numpy<2", "setuptools<70", "wheel", "versioneer", "cython"), ("--no-build-isolation", "pyradiomics==3.0.1")),
    ),
    "mirp": Peer(("3.11", "3.12"), (("mirp",),)),
    "nyxus": Peer(("3.11", "3.12", "3.10"), (("nyxus",),)),
    "pictologics": Peer(("3.12", "3.13"), (("pictologics",),)),
}


def find_python(version: str) -> str | None:
    """Return an interpreter of `version` (of the system, or of pyenv) that runs."""
    homes = sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob(f"versions/{version}.*/bin/python"))
    for found in [*map(str, reversed(homes)), shutil.which(f"python{version}")]:
        if found and subprocess.run([found, "-c", "import venv"], capture_output=True).returncode == 0:
            return found
    return None


def install(name: str, peer: Peer, cache: Path) -> tuple[Path | None, str]:
    """Return the Python of the extractor's environment and its version, or None and the reason."""
    home = cache / name
    python, mark = home / "bin" / "python", home / "installed"
    if not mark.exists():
        base = next((p for v in peer.pythons if (p := find_python(v))), None)
        if base is None:
            return None, f"no Python {' or '.join(peer.pythons)}"
        calls = [[base, "-m", "venv", "--clear", str(home)]]
        calls += [[str(python), "-m", "pip", "install", "-q", *packages] for packages in peer.installs]
        for call in calls:
            done = subprocess.run(call, capture_output=True, text=True)
            if done.returncode:
                lines = [line for line in done.stderr.splitlines() if "ERROR" in line] or done.stderr.splitlines()
                return None, (lines or ["pip failed"])[-1][:200]
        mark.touch()
    say = f"import sys, importlib.metadata as m; print(m.version('{name}'), 'Python', sys.version.split()[0])"
    return python, subprocess.run([str(python), "-c", say], capture_output=True, text=True).stdout.strip()


def synthetic(n: int, rough: bool = False) -> tuple[sitk.Image, sitk.Image]:
    """Make a tumour of `n` voxels on a CT grid: uneven ellipsoid, three scales of texture, darker core, fat around it.

    Mean and spread of the intensities are near those of the sarcoma of STS_001 (about 12 grey levels of 25 HU).

    With `rough`, two things that the smooth one lacks. The boundary is uneven down to single voxels, as a threshold or
    a network draws it: 12 to 15 % of the voxels have a face outside (smooth: 7 to 9 %), and loose voxels and holes lie
    near the surface by the thousand, so that meshes and diameters have many vertices. And the region is of mixed
    tissue, fat to calcification, with noise between neighbours: 33 grey levels of 25 HU instead of 12.
    """
    rng = np.random.default_rng(SEED)
    spacing = np.array([3.27, 0.9766, 0.9766])
    radius = np.cbrt(3 * n * spacing.prod() / (4 * np.pi)) * np.array([1.25, 0.9, 1 / 1.125]) / spacing
    shape = (np.ceil(2.6 * radius) + 6).astype(int)

    def noise(mm: float) -> np.ndarray:
        smooth = ndimage.gaussian_filter(rng.standard_normal(shape), mm / spacing)
        return smooth / smooth.std()

    grid = np.indices(shape) - ((shape - 1) / 2)[:, None, None, None]
    distance = np.sqrt(((grid / radius[:, None, None, None]) ** 2).sum(axis=0)) + 0.12 * noise(12)
    if rough:
        # Noise of about two voxels across the surface.
        distance = distance + 2 * 0.9766 / (radius * spacing).mean() * noise(0.5)
    inside = distance <= np.partition(distance.ravel(), n - 1)[n - 1]
    tissue = 40 + 25 * noise(10) + 15 * noise(3) + 12 * noise(0.6) - 35 * np.exp(-((distance / 0.45) ** 2))
    if rough:
        tissue = tissue - 110 * (noise(8) > 1.2) + 250 * np.clip(noise(2) - 2, 0, None) + 40 * noise(0.3)
    image = np.round(np.where(inside, tissue, -90 + 15 * noise(2) + 10 * noise(0.6)))
    return as_images(image, inside, spacing)


def as_images(image: np.ndarray, mask: np.ndarray, spacing: np.ndarray) -> tuple[sitk.Image, sitk.Image]:
    made = sitk.GetImageFromArray(image.astype(np.float32)), sitk.GetImageFromArray(mask.astype(np.uint8))
    for picture in made:
        picture.SetSpacing([float(s) for s in spacing[::-1]])
    return made


def pairs() -> list[tuple[str, float | None, sitk.Image, sitk.Image]]:
    """Return name, voxel size to resample to, image and mask of every case whose data are there."""
    reference = Path(os.environ.get("RADIOLOCUS_REFERENCE", SHARED / "reference"))
    data = Path(os.environ.get("RADIOLOCUS_DATA", SHARED / "data"))
    found: list[tuple[str, float | None, sitk.Image, sitk.Image]] = []
    phantom = reference / "ibsi" / "ibsi1_ct_phantom"
    if phantom.exists():
        image, mask = (sitk.ReadImage(str(phantom / f)) for f in ("phantom.nii.gz", "mask.nii.gz"))
        found.append(("IBSI CT phantom, configuration C (2 mm)", 2.0, image, mask))
        found.append(("IBSI CT phantom, not resampled", None, image, mask))
    sarcoma = data / "sts" / "dicom" / "STS_001" / "CT"
    if sarcoma.exists():
        volume, region = read_pair(sarcoma / "image", sarcoma / "mask", modality="CT")
        found.append(("STS_001 CT", None, *as_images(volume.array, region.array, volume.geometry.spacing)))
    for n in (262_000, 748_000):
        found.append((f"synthetic CT, {n // 1000}k", None, *synthetic(n)))
        found.append((f"synthetic CT, rough surface, mixed tissue, {n // 1000}k", None, *synthetic(n, rough=True)))
    if len(found) < 7:
        print(f"some real images are not there ({reference}, {data}): their cases are left out")
    return found


def write_cases(folder: Path) -> dict[str, dict[str, Any]]:
    """Write every case as uncompressed NIfTI and return what workers are told."""
    cases = {}
    for number, (name, size, image, mask) in enumerate(pairs()):
        paths = [str(folder / f"{number}_{kind}.nii") for kind in ("image", "mask")]
        for picture, path in zip((image, mask), paths, strict=True):
            sitk.WriteImage(picture, path)
        inside = sitk.GetArrayViewFromImage(mask) > 0
        values = sitk.GetArrayViewFromImage(image)[inside]
        kept = values[(values >= LOW) & (values <= HIGH)]
        bins = int((kept.max() - kept.min()) // WIDTH) + 1
        title = f"{name}; {inside.sum():,} voxels in the mask as drawn"
        told = {"image": paths[0], "mask": paths[1], "bin_width": WIDTH, "bins": bins, "low": LOW, "high": HIGH}
        cases[title] = told | {"resample_mm": size, "filtered": False}
        if name == FILTERED:
            cases[f"{title}; filtered: 8 wavelet bands, 3 LoG, and original, no shape"] = cases[title] | {
                "filtered": True
            }
    return cases


def worker_call(name: str, python: str) -> list[str]:
    # Isolated: this folder must not be searched, or PyRadiomics' package is taken for this file.
    return [python, "-I", str(HERE / "radiomics_worker.py"), name]


class Worker:
    """An extractor's process."""

    def __init__(self, name: str, python: str) -> None:
        call = worker_call(name, python)
        pipe, quiet = subprocess.PIPE, subprocess.DEVNULL
        self.process = subprocess.Popen(call, stdin=pipe, stdout=pipe, stderr=quiet, text=True, env=ENVIRONMENT)

    def ask(self, case: dict[str, Any]) -> dict[str, Any]:
        """Have the case measured once and return the answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(case) + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline() or '{"error": "the process ended"}')
        except BrokenPipeError:
            return {"error": "the process ended"}

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()


def compare(case: dict[str, Any], workers: dict[str, Worker], repeats: int, patience: float) -> dict[str, list[Any]]:
    answers: dict[str, list[Any]] = {name: [] for name in workers}
    for _ in range(repeats):
        for name, worker in workers.items():
            past = answers[name]
            if any("error" in a or a["wall"] > patience for a in past):
                continue
            past.append(worker.ask(case))
    return answers


def show(title: str, answers: dict[str, list[Any]]) -> None:
    print(f"\n### {title}\n\nload {os.getloadavg()[0]:.1f}\n")
    columns = ("extractor", "runs", "CPU", "clock", "CPU, ours = 1", "peak memory", "rise", "features")
    print("|", " | ".join((*columns, "volume, mean, joint entropy")), "|")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---|")
    ours = min(a["cpu"] for a in answers["radiolocus"])
    for name, runs in answers.items():
        if "error" in runs[-1]:
            print(f"| {name} | – | – | – | – | – | – | – | {runs[-1]['error']} |")
            continue
        cpu, wall = min(a["cpu"] for a in runs), min(a["wall"] for a in runs)
        peak, rise = max(a["peak_mb"] for a in runs), max(a["rise_mb"] for a in runs)
        check = ", ".join("–" if v is None else f"{v:.6g}" for v in runs[-1]["check"].values())
        print(
            f"| {name} | {len(runs)} | {cpu:.3f} s | {wall:.3f} s | {cpu / ours:.1f} "
            f"| {peak:.0f} MB | {rise:.0f} MB | {runs[-1]['features']} | {check} |",
            flush=True,
        )
    for part, (times, memory) in BARS.items():
        theirs = answers.get("pyradiomics", [{"error": ""}])
        if part in title and "error" not in theirs[-1]:
            ratio = min(a["cpu"] for a in theirs) / ours
            told = [f"one thread each, CPU time: 1/{ratio:.1f}, {verdict(ratio >= times)}"]
            if "error" not in answers[THREADS][-1]:
                ratio = min(a["wall"] for a in theirs) / min(a["wall"] for a in answers[THREADS])
                told.append(f"our two threads against its one, by the clock: 1/{ratio:.1f}, {verdict(ratio >= times)}")
            print(f"\nBar: 1/{times} of PyRadiomics' time; here, {'; '.join(told)}.", end=" ")
            if memory:
                peaks = [max(a["peak_mb"] for a in runs) for runs in (answers["radiolocus"], theirs)]
                print(
                    f"No more memory: {peaks[0]:.0f} MB and {peaks[1]:.0f} MB: {verdict(peaks[0] <= peaks[1])}.", end=""
                )
            print(flush=True)


def verdict(met: bool) -> str:
    return "met" if met else "**not met**"


def machine() -> str:
    """Say what this ran on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = ", ".join(f"{n:.1f}" for n in os.getloadavg())
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {os.cpu_count()} cores ({next(names, platform.machine())}), "
        f"{memory:.0f} GiB; load {load} at the start; Python {platform.python_version()}, "
        f"{platform.system()} {platform.release()}"
    )


def cold_start(case: dict[str, Any], pythons: dict[str, str], repeats: int) -> None:
    """Time whole processes: start, imports, reading, the features of the case; ours also writes its table."""
    print("\n### Whole process on the first case: start, imports, reading, computing (ours: and writing)\n")
    print("| extractor | CPU | clock |\n|---|---:|---:|")
    with tempfile.TemporaryDirectory() as name:
        settings = Path(name) / "settings.toml"
        size = case["resample_mm"]
        families = ["morphology", "intensity", "intensity_histogram", "glcm", "glrlm", "glszm", "ngtdm", "ngldm"]
        grid = f"resample_mm = [{size}, {size}, {size}]\nround_intensity = true\n" if size else ""
        settings.write_text(
            f"families = {json.dumps(families)}\nbin_width = {WIDTH}\nresegment_range = [{LOW}, {HIGH}]\n{grid}"
        )
        command = [pythons["radiolocus"], "-m", "radiolocus", "features", case["image"], case["mask"]]
        command += ["--modality", "CT", "--settings", str(settings), "--out", str(Path(name) / "features.csv")]
        calls = {"radiolocus features": (command, None)}
        line = json.dumps(case) + "\n"
        for peer, python in pythons.items():
            calls[peer] = (worker_call(peer, python), line)
        best: dict[str, tuple[float, float]] = {}
        failed: set[str] = set()
        for _ in range(repeats):
            for label, (call, text) in calls.items():
                if label in failed:
                    continue
                before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
                done = subprocess.run(call, input=text, capture_output=True, text=True, env=ENVIRONMENT)
                wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
                if done.returncode or '"error"' in done.stdout:
                    failed.add(label)
                    print(f"| {label} | – | {(done.stdout + done.stderr).strip()[-200:]} |")
                    continue
                cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                old = best.get(label, (cpu, wall))
                best[label] = min(old[0], cpu), min(old[1], wall)
    for label, (cpu, wall) in best.items():
        print(f"| {label} | {cpu:.2f} s | {wall:.2f} s |", flush=True)
    wall = best["radiolocus features"][1]
    print(f"\nBar: {COLD_START_BAR} s; here {wall:.2f} s by the clock: {verdict(wall < COLD_START_BAR)}.", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    parser.add_argument("--cache", type=Path, default=home / "radiolocus-benchmarks", help="folder of environments")
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--patience", type=float, default=10.0, help="slower ones (seconds) run once on a case")
    parser.add_argument("--cases", type=int, help="only the first so many")
    given = parser.parse_args()
    pythons = {"radiolocus": sys.executable}
    print(f"{machine()}\n")
    for name in given.peers:
        python, told = install(name, PEERS[name], given.cache)
        print(f"- {name} {told}" if python else f"- {name}: could not be installed: {told}", flush=True)
        if python:
            pythons[name] = str(python)
    with tempfile.TemporaryDirectory() as folder:
        cases = write_cases(Path(folder))
        workers = {name: Worker(name, python) for name, python in pythons.items()}
        workers |= {name: Worker(name, sys.executable) for name in OURS}
        for title, case in list(cases.items())[: given.cases]:
            if case is next(iter(cases.values())):
                for worker in workers.values():
                    worker.ask(case)
            # Kernels met for the first time (a library's, by shape or type) are compiled outside the timing.
            for name in ("radiolocus", *OURS, "pictologics"):
                if name in workers:
                    workers[name].ask(case)
            asked = {n: w for n, w in workers.items() if n in OF_FILTERED or not case["filtered"]}
            show(title, compare(case, asked, given.repeats, given.patience))
        for worker in workers.values():
            worker.close()
        cold_start(next(iter(cases.values())), pythons, given.repeats)


if __name__ == "__main__":
    main()
