"""The consensus values of IBSI 1 and the recipe of every data set they belong to.

The table and the phantoms are those of the Image Biomarker Standardisation Initiative (Zwanenburg et al., Radiology
2020;295:328-338; reference manual arXiv:1612.07003). They are not part of this repository: `RADIOLOCUS_REFERENCE` names
the folder that holds ``ibsi/``.
"""

from __future__ import annotations

import csv
import os
from functools import cache
from pathlib import Path

import nibabel
import numpy as np

from radiolocus.feature.families import FAMILIES
from radiolocus.feature.settings import FeatureSettings
from radiolocus.model import Geometry, Mask, Volume

_HERE = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("RADIOLOCUS_REFERENCE", _HERE.parent / "shared" / "reference")) / "ibsi"

_ALL = tuple(FAMILIES)
_FLAT = ("2d_avg", "2d_comb", "2_5d_avg", "2_5d_comb")
_SOLID = ("3d_avg", "3d_comb")

#: Settings of the digital phantom (its intensities are grey levels already) and of configurations A to E.
RECIPES = {
    "digital_phantom": FeatureSettings(_ALL, bin_width=1, aggregations=_FLAT + _SOLID),
    "config_A": FeatureSettings(_ALL, resegment_range=(-500, 400), bin_width=25, aggregations=_FLAT),
    "config_B": FeatureSettings(
        _ALL, resample_mm=(0, 2, 2), resegment_range=(-500, 400), bin_number=32, aggregations=_FLAT
    ),
    "config_C": FeatureSettings(
        _ALL, resample_mm=(2, 2, 2), resegment_range=(-1000, 400), bin_width=25, ivh_bin_width=2.5, aggregations=_SOLID
    ),
    "config_D": FeatureSettings(_ALL, resample_mm=(2, 2, 2), resegment_outliers=3, bin_number=32, aggregations=_SOLID),
    "config_E": FeatureSettings(
        _ALL,
        resample_mm=(2, 2, 2),
        interpolation="cubic",
        resegment_range=(-1000, 400),
        resegment_outliers=3,
        bin_number=32,
        ivh_bin_number=1000,
        aggregations=_SOLID,
    ),
}


@cache
def rows():
    """Return the rows of the reference table; none when it is not here."""
    path = FOLDER / "ibsi1_reference_values.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@cache
def phantom(config):
    """Return image and mask of a configuration."""
    folder = FOLDER / ("ibsi1_digital_phantom" if config == "digital_phantom" else "ibsi1_ct_phantom")
    image, mask = nibabel.load(folder / "phantom.nii.gz"), nibabel.load(folder / "mask.nii.gz")
    array = np.asarray(image.dataobj, dtype=np.float64).T
    spacing = tuple(float(s) for s in np.linalg.norm(image.affine[:3, :3], axis=0)[::-1])
    geometry = Geometry.regular(array.shape, spacing)
    return Volume(array, geometry, "CT", "HU"), Mask(np.asarray(mask.dataobj).T > 0, geometry)


def agrees(value, row):
    """Whether a value agrees with a consensus value: rounded as that was printed, within that row's tolerance."""
    printed = row["consensus_value"]
    digits = max(3, len(printed.split("e")[0].replace(".", "").lstrip("-0")))
    return abs(float(f"{value:.{digits}g}") - float(printed)) <= float(row["tolerance"]) * (1 + 1e-9) + 1e-12
