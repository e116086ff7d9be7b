"""Images per second of a cohort, through the study file: 51 PET of soft-tissue sarcomas, all families.

    python benchmarks/radiomics_cohort.py

A study file with nothing but images is run by ``radiolocus run``, in a folder of its own each time, with one and with
two workers; loops are compiled before. The clock of the stage of features stands in its manifest; CPU seconds are those
of the whole process and its workers. Memory is the peak of the largest worker. Printed as Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from radiomics import ENVIRONMENT, SHARED, machine

from radiolocus.feature.core import AGGREGATIONS
from radiolocus.feature.families import FAMILIES

STUDY = """
[cohort]
name = "STS"
id = "Patient ID"
subjects = {{ path = "INFOclinical_STS.xlsx", sheet = "Clinical Information" }}
[imaging]
families = {families}
[imaging.settings]
bin_width = 0.5
resegment_range = [0.0, inf]
{more}
[[imaging.images]]
name = "PET"
modality = "PT"
unit = "SUVbw g/mL"
image = "nifti/{{subject}}/PET_image.nii.gz"
mask = "nifti/{{subject}}/PET_mask.nii.gz"
"""
#: What is measured besides the default (3-D, averaged over directions).
VARIANTS = {
    "all families": "",
    "all families, resampled to 2 mm": "resample_mm = [2.0, 2.0, 2.0]",
    "all families, all aggregations": f"aggregations = {json.dumps(list(AGGREGATIONS))}",
}


class Watch(threading.Thread):
    """Notes the peak memory of a process and of each of its children until it ends."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        super().__init__(daemon=True)
        self.process = process
        self.peaks: dict[int, float] = {}

    def run(self) -> None:
        """Look every 50 ms."""
        while self.process.poll() is None:
            for pid in (self.process.pid, *children(self.process.pid)):
                if (peak := peak_mb(pid)) is not None:
                    self.peaks[pid] = max(peak, self.peaks.get(pid, 0.0))
            time.sleep(0.05)


def children(pid: int) -> list[int]:
    try:
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def peak_mb(pid: int) -> float | None:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((float(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), None)


def measure(folder: Path, study: Path, root: Path, jobs: int) -> str:
    """Run the study once; returns the cells of a row."""
    out = folder / "out"
    call = [sys.executable, "-m", "radiolocus", "run", str(study), "--out", str(out), "--root", str(root)]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen([*call, "--jobs", str(jobs), "--fresh"], env=ENVIRONMENT, stdout=subprocess.DEVNULL)
    watch = Watch(process)
    watch.start()
    if process.wait() != 0:
        sys.exit("the study did not run")
    watch.join()
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    found = json.loads((out / "features" / "manifest.json").read_text())
    images, seconds = found["tables"]["features/features"]["rows"], found["wall_time_s"]
    workers = [peak for pid, peak in watch.peaks.items() if pid != process.pid]
    memory = f"{max(workers):.0f} MB" if workers else "–"
    return (
        f"| {jobs} | {images} | {images / seconds:.1f} | {seconds:.1f} s | {wall:.1f} s | {cpu:.1f} s "
        f"| {memory} | {watch.peaks[process.pid]:.0f} MB |"
    )


def main() -> None:
    """Run every variant with one and with two workers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", type=int, default=len(VARIANTS), help="only the first so many")
    given = parser.parse_args()
    root = Path(os.environ.get("RADIOLOCUS_DATA", SHARED / "data")) / "sts"
    if not root.exists():
        sys.exit(f"the sarcomas are not there ({root})")
    print(f"{machine()}\n")
    print(
        "| measured | workers | images | images/s | stage | whole process | CPU | peak of a worker | of the process |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    subprocess.run([sys.executable, "-m", "radiolocus", "compile", "imaging"], env=ENVIRONMENT, check=True, stdout=2)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for title, more in list(VARIANTS.items())[: given.variants]:
            study = folder / "study.toml"
            study.write_text(STUDY.format(families=json.dumps(list(FAMILIES)), more=more))
            for jobs in (1, 2):
                print(f"| {title} {measure(folder, study, root, jobs)}", flush=True)


if __name__ == "__main__":
    main()
