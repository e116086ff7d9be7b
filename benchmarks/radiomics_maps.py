"""Voxels a second of feature maps beside PyRadiomics' voxel-based extraction: same image, same region, one run.

    python benchmarks/radiomics_maps.py --repeats 3

PyRadiomics works in the environment that ``radiomics.py`` makes for it below ``--cache``. Grey levels are the whole
intensities, so that both have the same, and the features are those of one definition, so that both map the same
number; the largest relative difference over all voxels and features stands beside the times. Both are warm; of each
the smallest time counts. CPU seconds stand beside the clock, because ours uses every core and the machine may be busy.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813
from radiomics import ENVIRONMENT, PEERS, install
from scipy import ndimage

from radiolocus.feature.maps import feature_map
from radiolocus.feature.pyradiomics_names import SAME
from radiolocus.feature.settings import FeatureSettings
from radiolocus.model import Geometry, Mask, Volume

FAMILY = {"glcm": "glcm", "glrlm": "glrlm", "glszm": "glszm", "gldm": "ngldm", "ngtdm": "ngtdm"}
SUFFIX = {"glcm": "_3d_avg", "glrlm": "_3d_avg"}

_THEIRS = """
import json, logging, sys, time
import numpy, SimpleITK, radiomics
from radiomics.featureextractor import RadiomicsFeatureExtractor
radiomics.logger.setLevel(logging.CRITICAL)
image, mask, out, order = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
settings = {"binWidth": 1, "kernelRadius": order["radius"], "maskedKernel": True, "initValue": float("nan")}
extractor = RadiomicsFeatureExtractor(**settings)
extractor.disableAllFeatures()
extractor.enableFeaturesByName(**order["features"])
best = None
for _ in range(order["repeats"]):
    wall, cpu = time.perf_counter(), time.process_time()
    found = extractor.execute(image, mask, voxelBased=True)
    took = time.perf_counter() - wall, time.process_time() - cpu
    best = min(best or took, took)
maps = {k: SimpleITK.GetArrayFromImage(v) for k, v in found.items() if isinstance(v, SimpleITK.Image)}
numpy.savez(out, **maps)
print(json.dumps(best))
"""


def scene(radius: int, levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Make a ball of smooth noise of `levels` grey levels, of which the lowest is 1."""
    size = 2 * radius + 5
    noise = ndimage.gaussian_filter(np.random.default_rng(20261122).normal(size=(size, size, size)), 1.0)
    z, y, x = np.indices(noise.shape) - size // 2
    ball = z**2 + y**2 + x**2 <= radius**2
    edges = np.quantile(noise[ball], np.linspace(0, 1, levels + 1)[1:-1])
    return np.digitize(noise, edges).astype(np.int16) + 1, ball


def ours(image: np.ndarray, ball: np.ndarray, columns: list[str], radius: int) -> tuple[dict, tuple[float, float]]:
    """Map `columns`; return the maps on the box of the ball, and seconds by the clock and of the processor."""
    grid = Geometry.regular(image.shape)
    settings = FeatureSettings(bin_width=1.0, resegment_range=(1, None))
    wall, cpu = time.perf_counter(), time.process_time()
    maps = feature_map(
        Volume(image.astype(np.float64), grid), Mask(ball, grid), settings, columns, radius_voxels=radius
    )
    return maps, (time.perf_counter() - wall, time.process_time() - cpu)


def compare(python: Path, folder: Path, given: argparse.Namespace) -> None:
    """Print a row a class."""
    image, ball = scene(given.ball, given.levels)
    for name, array in (("image", image), ("mask", ball.astype(np.uint8))):
        sitk.WriteImage(sitk.GetImageFromArray(array), str(folder / f"{name}.nrrd"))
    n = int(ball.sum())
    print(f"\n{n} voxels, {2 * given.radius + 1}³ window, {given.levels} grey levels; load {os.getloadavg()[0]:.1f}\n")
    print(
        "| class | maps | PyRadiomics clock / CPU s | ours clock / CPU s | ratio clock / CPU | voxels/s | difference |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|")
    for theirs, same in SAME.items():
        columns = [tag + SUFFIX.get(theirs, "_3d") for tag in same.values()]
        order = {"features": {theirs: list(same)}, "radius": given.radius, "repeats": given.repeats}
        call = [str(python), "-W", "ignore", "-c", _THEIRS]
        call += [str(folder / "image.nrrd"), str(folder / "mask.nrrd"), str(folder / "maps.npz"), json.dumps(order)]
        done = subprocess.run(call, capture_output=True, text=True, check=True, env=ENVIRONMENT)
        their_time = json.loads(done.stdout.splitlines()[-1])
        ours(image, ball, columns, given.radius)
        found = [ours(image, ball, columns, given.radius) for _ in range(given.repeats)]
        our_time = min(time for _, time in found)
        their_maps, apart = np.load(folder / "maps.npz"), 0.0
        lone = 0
        for name, column in zip(same, columns, strict=True):
            mine, other = found[0][0][column].array, their_maps[f"original_{theirs}_{name}"]
            # Theirs lie on the box of the region and as much around it as the window reaches.
            around = (other.shape[0] - mine.shape[0]) // 2
            other = other[tuple(slice(around, around + size) for size in mine.shape)]
            both = ~np.isnan(mine) & ~np.isnan(other)
            lone += int(np.count_nonzero(np.isnan(mine) != np.isnan(other)))
            scale = np.maximum(np.abs(other[both]), 1e-6)
            apart = max(apart, float(np.max(np.abs(mine[both] - other[both]) / scale)))
        times = f"{their_time[0]:.1f} / {their_time[1]:.1f} | {our_time[0]:.3f} / {our_time[1]:.3f}"
        ratio = f"{their_time[0] / our_time[0]:.0f} / {their_time[1] / our_time[1]:.0f}"
        print(
            f"| {FAMILY[theirs]} | {len(columns)} | {times} | {ratio} | {n / our_time[0]:.0f} | {apart:.1e} ({lone}) |",
            flush=True,
        )


def main() -> None:
    """Install PyRadiomics where it is not, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "radiolocus-peers")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--radius", type=int, default=1, help="of the window, in voxels")
    parser.add_argument("--ball", type=int, default=9, help="radius of the region in voxels")
    parser.add_argument("--levels", type=int, default=32)
    given = parser.parse_args()
    python, told = install("pyradiomics", PEERS["pyradiomics"], given.cache)
    print(f"pyradiomics: {told}")
    if python:
        with tempfile.TemporaryDirectory() as folder:
            compare(python, Path(folder), given)


if __name__ == "__main__":
    main()
