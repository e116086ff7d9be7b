"""One extractor in a process of its own: answers each line on standard input with seconds and memory of one extraction.

Started by ``radiomics.py`` with the Python of the extractor's own environment, so nothing here but the standard library
is imported before the extractor is known. A line in is a case as JSON, a line out is what it took::

    {"image": path, "mask": path, "bin_width": 25.0, "bins": 20, "low": -1000.0, "high": 400.0, "resample_mm": 2.0,
     "filtered": false}
    {"wall": seconds, "cpu": seconds, "peak_mb": MB, "rise_mb": MB, "features": count, "check": {...}}
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

FAMILIES = ("morphology", "intensity", "intensity_histogram", "glcm", "glrlm", "glszm", "ngtdm", "ngldm")

CLASSES = ("shape", "firstorder", "glcm", "glrlm", "glszm", "ngtdm", "gldm")
#: In the order of the names, x first.
BANDS = ("LLL", "LLH", "LHL", "LHH", "HLL", "HLH", "HHL", "HHH")
SIGMAS_MM = (1.0, 2.0, 3.0)

Run = Callable[[], dict]
Prepare = Callable[[dict], Run]


def radiolocus(*, threads: int = 1, spatial: bool = False) -> Prepare:
    """Ours; `spatial` for Moran's I and Geary's C as well, which PyRadiomics does not have."""
    from radiolocus.feature.extract import FeatureSettings, extract
    from radiolocus.read.imaging import read_pair

    def prepare(case: dict) -> Run:
        volume, mask = read_pair(case["image"], case["mask"], modality="CT")
        size = case["resample_mm"]
        filters: list = []
        if case["filtered"]:
            filters += [{"filter": "wavelet", "band": band, "rotation_invariant": False} for band in BANDS]
            filters += [{"filter": "log", "sigma_mm": sigma} for sigma in SIGMAS_MM]
        settings = FeatureSettings(
            families=FAMILIES[1:] if filters else FAMILIES,
            filters=tuple(filters),
            bin_width=case["bin_width"],
            resegment_range=(case["low"], case["high"]),
            resample_mm=(size, size, size) if size else None,
            round_intensity=bool(size),
            skip=() if spatial or filters else ("morph_moran_i", "morph_geary_c"),
        )

        def run() -> dict:
            values = extract(volume, mask, settings, threads=threads).values
            return told(values, "morph_volume", "stat_mean", "cm_joint_entr_3d_avg")

        return run

    return prepare


def radiolocus_as_pyradiomics() -> Prepare:
    import tempfile

    import SimpleITK as sitk  # noqa: N813

    from radiolocus.feature.pyradiomics import extract_pyradiomics, read_pyradiomics

    def prepare(case: dict) -> Run:
        size = case["resample_mm"]
        setting = {"binWidth": case["bin_width"], "resegmentRange": [case["low"], case["high"]]}
        setting |= {"interpolator": "sitkLinear", "resampledPixelSpacing": [size] * 3 if size else None}
        kinds: dict = {"Original": {}}
        if case["filtered"]:
            kinds |= {"Wavelet": {}, "LoG": {"sigma": list(SIGMAS_MM)}}
        wanted = dict.fromkeys(CLASSES[1:] if case["filtered"] else CLASSES)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "parameters.yaml"  # JSON is YAML
            file.write_text(json.dumps({"setting": setting, "imageType": kinds, "featureClass": wanted}))
            parameters = read_pyradiomics(file)
        image, mask = sitk.ReadImage(case["image"]), sitk.ReadImage(case["mask"])

        def run() -> dict:
            values = extract_pyradiomics(image, mask, parameters).values
            names = ("shape_MeshVolume", "firstorder_Mean", "glcm_JointEntropy")
            return told(values, *(f"original_{n}" for n in names))

        return run

    return prepare


def pyradiomics() -> Prepare:
    import logging

    import SimpleITK as sitk  # noqa: N813
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    logging.getLogger("radiomics").setLevel(logging.ERROR)

    def prepare(case: dict) -> Run:
        size = case["resample_mm"]
        extractor = RadiomicsFeatureExtractor(
            binWidth=case["bin_width"],
            resegmentRange=[case["low"], case["high"]],
            resampledPixelSpacing=[size] * 3 if size else None,
            interpolator="sitkLinear",
        )
        extractor.disableAllFeatures()
        for name in CLASSES[1:] if case["filtered"] else CLASSES:
            extractor.enableFeatureClassByName(name)
        if case["filtered"]:
            extractor.enableImageTypes(Original={}, Wavelet={}, LoG={"sigma": list(SIGMAS_MM)})
        image, mask = sitk.ReadImage(case["image"]), sitk.ReadImage(case["mask"])

        def run() -> dict:
            values = {k: v for k, v in extractor.execute(image, mask).items() if not k.startswith("diagnostics_")}
            names = ("shape_MeshVolume", "firstorder_Mean", "glcm_JointEntropy")
            return told(values, *(f"original_{n}" for n in names))

        return run

    return prepare


def mirp() -> Prepare:
    import logging

    from mirp import extract_features

    logging.disable(logging.WARNING)

    def prepare(case: dict) -> Run:
        more = {"new_spacing": case["resample_mm"]} if case["resample_mm"] else {}

        def run() -> dict:
            table = extract_features(
                image=case["image"],
                mask=case["mask"],
                image_modality="ct",
                num_cpus=1,
                base_feature_families=["morph", "stat", "ih", "glcm", "glrlm", "glszm", "ngtdm", "ngldm"],
                base_discretisation_method="fixed_bin_size",
                base_discretisation_bin_width=case["bin_width"],
                resegmentation_intensity_range=[case["low"], case["high"]],
                spline_order=1,
                anti_aliasing=False,
                glcm_spatial_method="3d_average",
                glrlm_spatial_method="3d_average",
                glszm_spatial_method="3d",
                ngtdm_spatial_method="3d",
                ngldm_spatial_method="3d",
                **more,
            )[0]
            values = {k: table[k].iloc[0] for k in table.columns if re.match("(morph|stat|ih|cm|rlm|szm|ngt|ngl)_", k)}
            return told(values, "morph_volume", "stat_mean", "cm_joint_entr")

        return run

    return prepare


def nyxus() -> Prepare:
    from nyxus import Nyxus3D

    groups = ("ALL_INTENSITY", "ALL_MORPHOLOGY", "GLCM", "GLRLM", "GLSZM", "NGTDM", "GLDM", "NGLDM")

    def prepare(case: dict) -> Run:
        if case["resample_mm"]:
            raise RuntimeError("does not resample")
        # It takes a number of bins instead of a width: as many as the width makes.
        extractor = Nyxus3D([f"*3D_{g}*" for g in groups], coarse_gray_depth=case["bins"], n_feature_calc_threads=1)

        def run() -> dict:
            table = extractor.featurize_files([case["image"]], [case["mask"]], True)
            values = {k: table[k].iloc[0] for k in table.columns if k.startswith("3")}
            return told(values, "3MESH_VOLUME", "3MEAN", "3GLCM_JE_AVE")

        return run

    return prepare


def pictologics() -> Prepare:
    os.environ["PICTOLOGICS_NUM_THREADS"] = "1"
    # Compiles every kernel at import otherwise; here what a case needs is compiled in its warm-up.
    os.environ["PICTOLOGICS_DISABLE_WARMUP"] = "1"
    from pictologics import RadiomicsPipeline, load_image

    def prepare(case: dict) -> Run:
        size, ends = case["resample_mm"], {"range_min": case["low"], "range_max": case["high"]}
        steps: list = []
        grid = {"new_spacing": (size, size, size), "interpolation": "linear"}
        if size:
            steps += [
                {"step": "resample", "params": grid | {"mask_interpolation": "linear"}},
                {"step": "round_intensities", "params": {}},
            ]
        families = {
            "families": ["morphology", "intensity", "histogram", "glcm", "glrlm", "glszm", "ngtdm", "ngldm"],
            "include_spatial_intensity": True,
            "include_local_intensity": False,
        }
        levels = {"method": "FBS", "bin_width": case["bin_width"], "min_val": case["low"]}
        steps += [
            {"step": "resegment", "params": ends},
            {"step": "discretise", "params": levels},
            {"step": "extract_features", "params": families},
        ]
        pipeline = RadiomicsPipeline(load_standard=False)
        pipeline.add_config("case", steps)
        image, mask = load_image(case["image"]), load_image(case["mask"])

        def run() -> dict:
            values = dict(pipeline.run(image, mask, config_names=["case"])["case"])
            volume, mean, entropy = "volume_RNU0", "mean_intensity_Q4LE", "joint_entropy_TU9B"
            return told(values, volume, mean, entropy)

        return run

    return prepare


def told(values: dict, volume: str, mean: str, entropy: str) -> dict:
    """Return how many features there are, and three (some add their settings to a name) that tell what was measured."""
    check: dict = {}
    for label, start in (("volume", volume), ("mean", mean), ("joint entropy", entropy)):
        check[label] = next(
            (float(value) for name, value in values.items() if f"{name}_".startswith(f"{start}_")), None
        )
    return {"features": len(values), "check": check}


def status(key: str) -> float:
    """MB of this process under `key` in the kernel's words."""
    with open("/proc/self/status") as lines:  # noqa: PTH123
        return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(key))


def measured(run: Run) -> dict:
    before = status("VmRSS")
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts afresh
    wall, cpu = time.perf_counter(), time.process_time()
    found = run()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = status("VmHWM")
    return {"wall": wall, "cpu": cpu, "peak_mb": peak, "rise_mb": peak - before, **found}


EXTRACTORS: dict[str, Callable[[], Prepare]] = {
    "radiolocus": radiolocus,
    "radiolocus-threads": partial(radiolocus, threads=2),
    "radiolocus-spatial": partial(radiolocus, spatial=True),
    "radiolocus-pyradiomics": radiolocus_as_pyradiomics,
    "pyradiomics": pyradiomics,
    "mirp": mirp,
    "nyxus": nyxus,
    "pictologics": pictologics,
}


def main() -> None:
    # Extractors print what they like; answers go out on a channel of their own.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    prepare: Any = None
    prepared: dict[str, Run] = {}
    for line in sys.stdin:
        try:
            if prepare is None:
                prepare = EXTRACTORS[sys.argv[1]]()
            if line not in prepared:
                prepared.clear()
                prepared[line] = prepare(json.loads(line))
            answer = measured(prepared[line])
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
