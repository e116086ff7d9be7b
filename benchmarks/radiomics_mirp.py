"""Every IBSI feature that MIRP and Radiolocus both take, side by side on real tumours; each disagreement has a cause.

    python benchmarks/radiomics_mirp.py

MIRP works in an environment of its own, below ``--cache``. Five sarcomas on PET and one on CT, resampled linearly to
cubes, with a fixed bin size, all aggregations. Features are matched by their tags. Printed as Markdown: how many agree
within 0.1 %, and those that do not, with the cause that was found for each; the exit code is 1 when one has none.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PATIENTS = ("STS_001", "STS_005", "STS_012", "STS_033", "STS_047")
TOLERANCE = 1e-3
FAMILIES = ("morph", "local_int", "stat", "ih", "ivh", "glcm", "glrlm", "glszm", "gldzm", "ngtdm", "ngldm")
DIRECTED = ["2d_average", "2d_slice_merge", "2.5d_direction_merge", "2.5d_volume_merge"]
DIRECTED += ["3d_average", "3d_volume_merge"]
PLAIN = ["2d", "2.5d", "3d"]
#: Settings that MIRP writes into names, and its words for the aggregations.
WORDS = (
    (r"_fbs_w[\d.]+", ""),
    (r"_d1(_|$)", r"\1"),
    (r"_a0\.0(_|$)", r"\1"),
    ("_2d_s_mrg$", "_2d_comb"),
    (r"_2\.5d_d_mrg$", "_2_5d_avg"),
    (r"_2\.5d_v_mrg$", "_2_5d_comb"),
    ("_3d_v_mrg$", "_3d_comb"),
    (r"_2\.5d$", "_2_5d"),
)
#: Why they disagree, by a pattern of our columns; see the text below the table.
CAUSES = (
    ("morph_(moran_i|geary_c)", "MIRP averages over samples of 100 voxels where there are 1,000 or more"),
    (
        "ivh_(v10|v90|diff_v10_v90)",
        "with bins of fixed size MIRP's range ends a bin after the one of the largest intensity",
    ),
    ("cm_inv_var_.*", "a matrix with pairs of equal levels only: 0 by the formula, left out by MIRP"),
    ("cm_(corr|info_corr1)_.*", "a matrix of one level: not defined and left out, 1 in MIRP"),
)


def mirp(case: dict[str, Any]) -> dict[str, float]:
    """Take MIRP's features; runs in its environment."""
    import logging

    from mirp import extract_features

    logging.disable(logging.WARNING)
    table = extract_features(
        image=case["image"],
        mask=case["mask"],
        image_modality=case["modality"],
        num_cpus=1,
        new_spacing=case["spacing_mm"],
        spline_order=1,
        anti_aliasing=False,
        base_feature_families=list(FAMILIES),
        base_discretisation_method="fixed_bin_size",
        base_discretisation_bin_width=case["bin_width"],
        no_approximation=case["exact"],
        resegmentation_intensity_range=[float("nan") if end is None else end for end in case["range"]],
        glcm_spatial_method=DIRECTED,
        glrlm_spatial_method=DIRECTED,
        **{f"{family}_spatial_method": PLAIN for family in ("glszm", "gldzm", "ngtdm", "ngldm")},
    )[0]
    kinds = "morph|loc|stat|ih|ivh|cm|rlm|szm|dzm|ngt|ngl"
    return {k: float(table[k].iloc[0]) for k in table.columns if re.match(f"({kinds})_", k)}


def ours(case: dict[str, Any]) -> dict[str, float | None]:
    """Take our features."""
    from dataclasses import replace

    from radiolocus.feature.core import AGGREGATIONS
    from radiolocus.feature.extract import FeatureSettings, extract
    from radiolocus.feature.families import FAMILIES as OURS
    from radiolocus.read.imaging import read_pair

    volume, mask = read_pair(case["image"], case["mask"], modality=case["modality"].upper().replace("PET", "PT"))
    size = case["spacing_mm"]
    settings = FeatureSettings(
        families=tuple(OURS),
        aggregations=tuple(AGGREGATIONS),
        resample_mm=(size, size, size),
        resegment_range=tuple(case["range"]),
        bin_width=case["bin_width"],
        ivh_bin_width=case["ivh_width"],
    )
    return extract(replace(volume, unit=case["unit"]), mask, settings).values


def cases(folder: Path) -> dict[str, dict[str, Any]]:
    """Write the tumours as files that both read."""
    import SimpleITK as sitk  # noqa: N813
    from radiomics import SHARED, as_images

    from radiolocus.read.imaging import read_pair

    data = Path(os.environ.get("RADIOLOCUS_DATA", SHARED / "data")) / "sts"
    pet = {"modality": "pet", "spacing_mm": 4.0, "bin_width": 0.5, "range": [0.0, None], "unit": "SUVbw g/mL"}
    pet |= {"exact": True, "ivh_width": 0.1}
    ct = {"modality": "ct", "spacing_mm": 2.0, "bin_width": 25.0, "range": [-1000.0, 400.0], "unit": "HU"}
    ct |= {"exact": False, "ivh_width": None}  # whole numbers of a unit have no bins
    found = {}
    for name in PATIENTS:
        home = data / "nifti" / name
        paths = {"image": str(home / "PET_image.nii.gz"), "mask": str(home / "PET_mask.nii.gz")}
        found[f"{name} PET"] = pet | paths
    series = data / "dicom" / "STS_001" / "CT"
    volume, region = read_pair(series / "image", series / "mask", modality="CT")
    paths = {kind: str(folder / f"{kind}.nii") for kind in ("image", "mask")}
    pictures = as_images(volume.array, region.array, volume.geometry.spacing)
    for picture, path in zip(pictures, paths.values(), strict=True):
        sitk.WriteImage(picture, path)
    found["STS_001 CT"] = ct | paths
    return found


def renamed(values: dict[str, float]) -> dict[str, float]:
    """Give MIRP's features our names of columns."""
    out = {}
    for name, value in values.items():
        for pattern, ours in WORDS:
            name = re.sub(pattern, ours, name)
        out[name] = value
    return out


def apart(a: float, b: float) -> float:
    """Difference relative to the larger of both."""
    return abs(a - b) / max(abs(a), abs(b)) if a != b else 0.0


def compare(name: str, a: dict[str, float | None], b: dict[str, float], found: dict[str, list[Any]]) -> str:
    """Note every disagreement in `found`; returns a row of the table of cases."""
    common = [column for column in a if column in b]
    values = [(column, a[column], b[column]) for column in common]
    undefined = sum(x is None or y != y for _, x, y in values)
    within = 0
    for column, x, y in values:
        if x is None and y != y:
            continue
        gap = float("inf") if x is None or y != y else apart(x, y)
        within += gap <= TOLERANCE
        if gap > TOLERANCE:
            found.setdefault(column, []).append((name, x, y, gap))
    return f"| {name} | {len(common)} | {within} | {undefined} |"


def cause(column: str) -> str:
    """Return the cause that was found for a column, or an empty text."""
    return next((why for pattern, why in CAUSES if re.fullmatch(pattern, column)), "")


def main() -> None:
    """Compare and print."""
    import argparse

    from radiomics import ENVIRONMENT, PEERS, install, machine

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    parser.add_argument("--cache", type=Path, default=home / "radiolocus-benchmarks", help="folder of environments")
    parser.add_argument("--only", default="", help="only tumours whose name contains this, e.g. CT")
    given = parser.parse_args()
    python, told = install("mirp", PEERS["mirp"], given.cache)
    if python is None:
        sys.exit(f"MIRP could not be installed: {told}")
    found: dict[str, list[Any]] = {}
    print(f"{machine()}\n\nMIRP {told}\n")
    print(f"| tumour | features of both | within {TOLERANCE:.1%} | without value in one |\n|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        chosen = {name: case for name, case in cases(Path(folder)).items() if given.only in name}
        for name, case in chosen.items():
            call = [str(python), "-I", __file__, "--worker", json.dumps(case)]
            done = subprocess.run(call, capture_output=True, text=True, env=ENVIRONMENT, check=True)
            print(compare(name, ours(case), renamed(json.loads(done.stdout.splitlines()[-1])), found), flush=True)
    print("\n| feature | tumours | largest difference: tumour, ours, MIRP | cause |\n|---|---:|---|---|")
    for column, rows in found.items():
        name, x, y, gap = max(rows, key=lambda row: row[3])
        value = "none" if x is None else f"{x:.6g}"
        why = cause(column) or "**not found**"
        print(f"| `{column}` | {len(rows)} | {gap:.2%}: {name}, {value}, {y:.6g} | {why} |")
    if any(not cause(column) for column in found):
        sys.exit(1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        print(json.dumps(mirp(json.loads(sys.argv[2]))))
    else:
        main()
