"""Writes ``src/radiolocus/kernels/signatures.json``: the compiled loops of each part of a study, and their types.

Run ``PYTHONPATH=tests python tests/reference/signatures.py`` after a loop, or what it is called with, has changed (with
the names of parts: only those). Each part runs in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import SimpleITK as sitk  # noqa: N813
from numba import types
from numba.core.dispatcher import Dispatcher

import dicom_factory as factory
from flow.small_study import GENETICS, MOLECULAR, OUTCOME, RESPONSE, SmallStudy
from radiolocus.associate.binary import BinaryOptions
from radiolocus.associate.genomewide import gwas as gwas_scan
from radiolocus.associate.gwas import GwasOptions
from radiolocus.associate.mixed import MixedOptions
from radiolocus.config import load_study
from radiolocus.feature.core import AGGREGATIONS
from radiolocus.feature.extract import FeatureSettings, extract
from radiolocus.feature.families import FAMILIES
from radiolocus.feature.maps import MAPPABLE, feature_map
from radiolocus.feature.pyradiomics import extract_pyradiomics, read_pyradiomics
from radiolocus.genome.qc import GenotypeOptions
from radiolocus.image.filters import FILTERS
from radiolocus.kernels import ahead
from radiolocus.model import Geometry, Mask, Volume
from radiolocus.pipeline import run_study
from radiolocus.pipeline import study as pipeline
from radiolocus.read.imaging import read_pair
from radiolocus.read.plink import PlinkSource, write_plink

FILE = Path(ahead.__file__).parent / "signatures.json"
REGION = '[[imaging.images.regions]]\nname = "ring"\nkind = "ring"\ndistance_mm = 3.0\n'
PERTURB = "[imaging.perturb]\ntranslation = [0.25, 0.75]\nnoise = 1\nvolume = [-0.1, 0.1]\ncontour = 1\n"


def region(shape: tuple[int, int, int] = (9, 14, 15), dtype: type = np.float64) -> tuple[Volume, Mask]:
    """Make an uneven ball of noise."""
    rng = np.random.default_rng(5)
    z, y, x = np.indices(shape)
    radius = np.sqrt(sum(((g - n // 2) / max(1, 0.4 * n)) ** 2 for g, n in zip((z, y, x), shape, strict=True)))
    mask = radius + 0.1 * rng.standard_normal(shape) < 1
    image = rng.normal(40, 30, shape).astype(dtype)
    geometry = Geometry.regular(shape, (3.0, 1.5, 1.5))
    return Volume(image, geometry, "CT", "HU"), Mask(mask, geometry)


def imaging(folder: Path) -> None:
    """Take all features of regions of many kinds, as files and as arrays."""
    everything = {"families": tuple(FAMILIES), "aggregations": tuple(AGGREGATIONS)}
    for bins in ({"bin_width": 25.0}, {"bin_number": 200}, {"bin_number": 1000}, {"bin_number": 60000}):
        extract(*region(), FeatureSettings(**everything, **bins))
    for shape in ((1, 20, 21), (3, 3, 3), (40, 41, 42)):
        extract(*region(shape, np.float32), FeatureSettings(**everything, bin_number=8))
    grid = {"resample_mm": (2.0, 2.0, 2.0), "resegment_range": (-100.0, 200.0), "resegment_outliers": 3.0}
    filters = tuple({"filter": name} for name in FILTERS)
    extract(*region(), FeatureSettings(**everything, **grid, round_intensity=True, bin_width=25.0, filters=filters))
    extract(*region(), FeatureSettings(("intensity", "glcm"), **grid, round_intensity=True, bin_width=25.0))
    study(folder, PERTURB, REGION)
    theirs(folder)
    drawn(folder)


def theirs(folder: Path) -> None:
    """Take PyRadiomics' features, also of local binary patterns."""
    (folder / "params.yaml").write_text(
        "setting: {binWidth: 20}\nimageType: {Original: {}, Wavelet: {}, LBP2D: {}}\n"
        "featureClass: {shape: , firstorder: , glcm: , glrlm: , glszm: , ngtdm: , gldm: }\n"
    )
    volume, mask = region()
    pair = [sitk.GetImageFromArray(a) for a in (volume.array, mask.array.astype(np.uint8))]
    extract_pyradiomics(*pair, read_pyradiomics(folder / "params.yaml"))


def drawn(folder: Path) -> None:
    """Read contours of an RTSTRUCT, drawn as squares on three slices."""
    affine = factory.write_series(folder / "ct", np.zeros((6, 16, 18), np.int16))
    square = np.array([(4, 4), (4, 11), (10, 11), (10, 4)]) + 0.3
    contours = [(factory.to_world(affine, np.column_stack([np.full(4, k), square])), None) for k in (1, 2, 3)]
    factory.write_rtstruct(folder / "rs.dcm", {"GTV": contours})
    read_pair(folder / "ct", folder / "rs.dcm", roi="GTV")


def maps(folder: Path) -> None:
    """Map every feature that can be mapped."""
    for dtype in (np.float32, np.float64):
        feature_map(*region(dtype=dtype), FeatureSettings(bin_number=8), MAPPABLE, radius_voxels=1)


def study(folder: Path, *sections: str) -> None:
    """Run a small study that has some sections."""
    root = folder / f"study{len(list(folder.iterdir()))}"
    root.mkdir()
    small = SmallStudy(root)
    small.text += "".join(sections)
    run_study(load_study(small.file()), folder / f"out-{root.name}")


def genetics(folder: Path) -> None:
    """Scan with each precision and rule for missing genotypes, with and without principal components."""
    for dtype, missing, components in (("float64", "mean", 2), ("float32", "drop", 0), ("float64", "drop", 0)):
        more = f'scan_dtype = "{dtype}"\nmissing = "{missing}"\nprincipal_components = {components}\n'
        study(folder, GENETICS, more)


def scan(folder: Path, samples: int, how: dict, **more: object) -> None:
    """Scan a genome of 40 variants for three phenotypes, one of which some people lack; everything is kept."""
    rng = np.random.default_rng(samples)
    dosage = rng.choice(np.array([0, 1, 2, np.nan], dtype=np.float32), size=(40, samples), p=[0.3, 0.4, 0.28, 0.02])
    names = [f"s{i}" for i in range(samples)]
    places = {"chromosome": ["1"] * 20 + ["2"] * 20, "variant_id": [f"v{i}" for i in range(40)]}
    places |= {"base_pair_location": list(range(1, 41)), "effect_allele": ["A"] * 40, "other_allele": ["C"] * 40}
    root = folder / f"scan{len(list(folder.iterdir()))}"
    root.mkdir()
    write_plink(root / "g", dosage, pl.DataFrame(places), names)
    values = rng.normal(size=(samples, 3))
    if "binary" in more:
        values = (values > 0.3).astype(float)
    else:
        values[:, 1] += 9 * np.nan_to_num(dosage[3])  # a test so strong that it is computed again
    values[: samples // 9, 2] = np.nan
    phenotypes = pl.DataFrame({"subject": names} | {f"y{i}": values[:, i] for i in range(3)}).fill_nan(None)
    covariates = pl.DataFrame({"subject": names, "age": rng.normal(size=samples), "site": rng.normal(size=samples)})
    options = GenotypeOptions(min_maf=0, min_call_rate=0, scan_dtype="float32", **how)
    gwas_scan(PlinkSource(root / "g"), phenotypes, covariates, root / "out", options=options, keep=ALL, **more)


def gwas(folder: Path) -> None:
    """Scan with each rule for missing genotypes: whole bytes of a bed, and a broken byte."""
    for missing in ("mean", "drop"):
        for samples in (80, 81):
            scan(folder, samples, {"missing": missing})


def gwas_binary(folder: Path) -> None:
    """Scan binary phenotypes by each test."""
    for test in ("spa", "firth", "wald"):
        for missing in ("mean", "drop"):
            scan(folder, 80, {"missing": missing}, binary=BinaryOptions(test, 1.0))


def gwas_mixed(folder: Path) -> None:
    """Scan with each model of relatedness."""
    for model in ("lmm", "lmm-exact", "ridge"):
        scan(folder, 80, {}, mixed=MixedOptions(model, ridge_block=10, folds=2))


def link(folder: Path) -> None:
    """Link by each test."""
    study(folder, MOLECULAR)
    study(folder, MOLECULAR, 'binary_test = "rank"\ncontinuous_test = "rank"\n')


def outcome(folder: Path) -> None:
    """Predict a time and a class, by models with loops of their own too."""
    study(folder, OUTCOME)
    study(folder, OUTCOME, 'models = ["survival_forest", "forest", "sparse_group_lasso", "cox"]\npermutations = 0\n')
    study(folder, OUTCOME, 'ties = "breslow"\npenalty_rule = "1se"\n')


def response(folder: Path) -> None:
    """Call the response."""
    study(folder, RESPONSE)


ALL = GwasOptions(p_value=1.0)
STEPS = (imaging, maps, genetics, gwas, gwas_binary, gwas_mixed, link, outcome, response)
EXERCISES = {f.__name__.replace("_", "-"): f for f in STEPS}


def record(part: str) -> tuple[dict[str, dict[str, list[str]]], list[str]]:
    """Run a part; return the loops that it calls, with the types of every first call, and those compiled for it."""
    pipeline.needed = lambda parts: None  # nothing is compiled but what is called
    found: dict[str, dict[str, list[str]]] = {}
    fresh: list[str] = []
    compiled = Dispatcher._compile_for_args

    def noted(loop: Dispatcher, *values: object, **named: object) -> object:
        before, misses = set(loop.signatures), loop.stats.cache_misses.total()
        entry = compiled(loop, *values, **named)
        fresh.extend([loop.py_func.__name__] * (loop.stats.cache_misses.total() - misses))
        if loop.py_func.__module__.startswith(f"{ahead._PACKAGE}."):
            module = found.setdefault(loop.py_func.__module__.rpartition(".")[2], {})
            new = [f"({', '.join(map(told, types))},)" for types in loop.signatures if types not in before]
            module.setdefault(loop.py_func.__name__, []).extend(new)
        return entry

    Dispatcher._compile_for_args = noted  # what Python calls, and not what loops call among each other
    with tempfile.TemporaryDirectory() as name:
        EXERCISES[part](Path(name))
    if part != "genetics" and not part.startswith("gwas"):
        found.pop("genotype", None)  # the files of the small study are written with it
    if part.startswith("gwas"):
        found["genotype"].pop("encode_bed", None)  # the files are written with it
    return {module: {n: sorted(s) for n, s in sorted(loops.items())} for module, loops in sorted(found.items())}, fresh


def told(kind: object) -> str:
    """Write a numba type so that numba reads it."""
    if isinstance(kind, types.Array):
        return f"Array({told(kind.dtype)}, {kind.ndim}, '{kind.layout}'{'' if kind.mutable else ', True'})"
    if isinstance(kind, types.BaseTuple):
        return f"Tuple(({', '.join(told(t) for t in kind)},))"
    if isinstance(kind, types.Boolean):
        return "boolean"
    assert isinstance(kind, types.Number), kind
    return str(kind)


def without(loops: dict, part: str, imaging: dict) -> dict:
    """Leave out the modules of imaging, unless the part is imaging."""
    return {module: known for module, known in loops.items() if part == "imaging" or module not in imaging}


def main(*chosen: str) -> None:
    """Record some parts, or all."""
    parts = json.loads(FILE.read_text()) if chosen else {}
    for part in chosen or EXERCISES:
        call = [sys.executable, __file__, "--record", part]
        parts[part] = json.loads(subprocess.run(call, check=True, stdout=subprocess.PIPE).stdout)["called"]
        print(part, "recorded", flush=True)
    # The small study has images, which count as imaging in whatever part they were measured.
    ordered = {
        part: parts[part] if part == "maps" else without(parts[part], part, parts["imaging"]) for part in EXERCISES
    }
    FILE.write_text(json.dumps(ordered, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--record"]:
        print(json.dumps(dict(zip(("called", "compiled"), record(sys.argv[2]), strict=True))))
    else:
        main(*sys.argv[1:])
