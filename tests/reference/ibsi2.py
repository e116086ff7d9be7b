"""The filter tests of IBSI 2, phase 1: settings, phantoms and reference response maps.

Depeursinge et al., arXiv:2006.05470, chapter on benchmarks; Whybra et al., Radiology 2024;310:e231319. The table does
not hold the settings of the Riesz tests. Those of 9.a, 9.b.1 and 10.b.1 stand here and are borne out by the map or the
range of values; 9.b.2, 10.a and 10.b.2 have neither, and follow their neighbours (alignment: 1 mm).
The maps and phantoms are not part of this repository.
"""

from __future__ import annotations

import csv
import os
from functools import cache
from pathlib import Path

import nibabel
import numpy as np

from radiolocus.image.filters import (
    GaborFilter,
    LawsFilter,
    LogFilter,
    MeanFilter,
    RieszLogFilter,
    RieszSimoncelliFilter,
    SimoncelliFilter,
    WaveletFilter,
)
from radiolocus.model import Geometry, Volume

_HERE = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("RADIOLOCUS_REFERENCE", _HERE.parent / "shared" / "reference")) / "ibsi"

_RIESZ = {
    "9.a": ("impulse", RieszLogFilter(sigma_mm=3, order=(1, 0, 0), boundary="zero")),
    "9.b.1": ("sphere", RieszLogFilter(sigma_mm=3, order=(0, 2, 0), boundary="zero")),
    "9.b.2": ("sphere", RieszLogFilter(sigma_mm=3, order=(0, 2, 0), align_sigma_mm=1, boundary="zero")),
    "10.a": ("impulse", RieszSimoncelliFilter(level=1, order=(1, 0, 0), boundary="zero")),
    "10.b.1": ("pattern_1", RieszSimoncelliFilter(level=1, order=(0, 2, 0), boundary="nearest")),
    "10.b.2": ("pattern_1", RieszSimoncelliFilter(level=1, order=(0, 2, 0), align_sigma_mm=1, boundary="nearest")),
}
_PREFIX = {
    "mean": "mean_filter",
    "laplacian_of_gaussian": "laplacian_of_gaussian",
    "laws": "laws",
    "gabor": "gabor",
    "separable_wavelet": "separable_wavelet",
    "nonseparable_wavelet": "nonseparable_wavelet",
}
_KINDS = {
    "mean": MeanFilter,
    "laplacian_of_gaussian": LogFilter,
    "laws": LawsFilter,
    "gabor": GaborFilter,
    "separable_wavelet": WaveletFilter,
    "nonseparable_wavelet": SimoncelliFilter,
}
_KEYS = {
    "kernel_size": ("size", int),
    "sigma": ("sigma_mm", float),
    "kernel_truncate": ("truncate", float),
    "kernel": ("kernel", str),
    "compute_energy": ("energy", lambda v: v == "True"),
    "rotation_invariance": ("rotation_invariant", lambda v: v == "True"),
    "pooling_method": ("pooling", lambda v: {"mean": "average"}.get(v, v)),
    "delta": ("delta", int),
    "gamma": ("gamma", float),
    "lambda": ("lambda_mm", float),
    "theta": ("theta_deg", float),
    "theta_step": ("theta_step_deg", float),
    "response": ("response", str),
    "families": ("wavelet", str),
    "set": ("band", str),
    "decomposition_level": ("level", int),
}


@cache
def rows():
    """Return the rows of the table of tests; none when it is not here."""
    path = FOLDER / "ibsi2_phase1_tests.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def recipe(row):
    """Return (phantom, options) of a row."""
    if row["test_id"] in _RIESZ:
        return _RIESZ[row["test_id"]]
    return row["phantom"], _options(row, row["parameters_mm"])


@cache
def settings():
    """Return the rows of the table of settings of the second phase; none when it is not here."""
    path = FOLDER / "ibsi2_phase2_filters.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def filters(row):
    """Return the options of the filters of a row of :func:`settings`: one or none."""
    return () if row["filter"] == "none" else (_options(row, row["parameters"]),)


@cache
def values():
    """Return {(filter_id, feature): (value, tolerance)} of the second phase.

    Whybra et al., Radiology 2024;310:e231319, and the reference values that the initiative published with it. The
    quartile coefficient of dispersion of 8.B has none.
    """
    with (Path(__file__).parent / "ibsi2_features.csv").open(encoding="utf-8", newline="") as lines:
        return {
            (r["filter_id"], r["feature"]): (float(r["value"]), float(r["tolerance"])) for r in csv.DictReader(lines)
        }


def _options(row, parameters):
    told = {}
    for entry in parameters.split("; "):
        name, text = entry.split("=")
        key, read = _KEYS[name.removeprefix(_PREFIX[row["filter"]] + "_")]
        told[key] = read(text)
    if row["filter"] == "nonseparable_wavelet":
        assert told.pop("wavelet") == "simoncelli"
    return _KINDS[row["filter"]](**told, dimension=row["dimension"].lower(), boundary=row["boundary"])


@cache
def phantom(name):
    """Return a digital phantom as a volume."""
    image = nibabel.load(FOLDER / "ibsi2_digital_phantom" / f"{name}.nii.gz")
    array = np.asarray(image.dataobj, dtype=np.float64).T
    return Volume(array, Geometry.regular(array.shape, tuple(float(s) for s in image.header.get_zooms()[::-1])))


def response_map(row):
    """Return the reference map of a row, or None when it is not here."""
    path = FOLDER / "ibsi2_response_maps" / f"{row['reference_map']}.gz"
    return np.asarray(nibabel.load(path).dataobj, dtype=np.float64).T if path.exists() else None
