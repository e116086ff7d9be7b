"""``radiolocus features --pyradiomics Params.yaml``: features under PyRadiomics' names, with their origin."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import polars as pl

from radiolocus.app.features import PairFeatures, input_hashes
from radiolocus.errors import ConfigError, FormatError, RadiolocusError
from radiolocus.feature.pyradiomics import (
    PyradiomicsParameters,
    extract_pyradiomics,
    read_as_zero,
    read_image,
    read_pyradiomics,
)
from radiolocus.feature.pyradiomics_study import with_label
from radiolocus.model import Problem
from radiolocus.store import versions

__all__ = ["parameters_of", "pyradiomics_of_pair"]


def parameters_of(file: Path, *, settings: Path | None, roi: str | None, modality: str) -> PyradiomicsParameters:
    """Read a parameter file; `roi`, a label number, takes the place of the file's label.

    Raises
    ------
    ConfigError
        The file cannot be honoured, is not there, or stands beside an option that it leaves nothing for.
    """
    for option, given in (("--settings", settings), ("--modality", modality)):
        if given:
            raise ConfigError(
                f"--pyradiomics with {option}",
                allowed="one of them",
                todo="the parameter file says all there is to say",
            )
    if not file.is_file():
        raise ConfigError(f"--pyradiomics {file}: no such file", allowed="a PyRadiomics parameter file (YAML)")
    found = read_pyradiomics(file)
    if roi is None:
        return found
    if not (roi.isascii() and roi.isdigit() and int(roi) > 0):
        raise ConfigError(f"--roi {roi} with --pyradiomics", allowed="a label number above 0")
    return with_label(found, int(roi))


def pyradiomics_of_pair(image: Path, mask: Path, parameters: PyradiomicsParameters) -> PairFeatures:
    """Read an image with a mask as PyRadiomics does, and take the features that `parameters` asks for.

    Parameters
    ----------
    image, mask : Path
        A file each that ITK reads.
    parameters : PyradiomicsParameters

    Returns
    -------
    PairFeatures

    Raises
    ------
    InputError
        The image, the mask, or the two together cannot be used.
    """
    for path in (image, mask):
        if path.is_dir():
            raise FormatError(
                "a folder", where=path.name, allowed="one file", todo="convert the series to NIfTI or NRRD first"
            )
    try:
        volume, drawn = read_image(image), read_image(mask)
        extraction = extract_pyradiomics(volume, drawn, parameters, as_zero=read_as_zero(image, volume))
    except RadiolocusError as error:
        raise error if error.where else error.at(f"{image.name}, {mask.name}") from None
    reasons = {p.item: _reason(p) for p in extraction.problems if p.severity == "no value"}
    notes = tuple(p.got for p in extraction.problems if p.severity == "note")
    rows = [
        {
            "feature": feature,
            "name": feature.split("_")[2],
            "ibsi_id": "",
            "family": feature.split("_")[1],
            "aggregation": "",
            "value": value,
            "unit": "",
            "reason": reasons.get(feature),
        }
        for feature, value in extraction.values.items()
    ]
    types = {"value": pl.Float64(), "reason": pl.String()}
    origin = {
        "image": image.name,
        "mask": mask.name,
        "definitions": "PyRadiomics 3.0.1",
        "settings": asdict(parameters.settings),
        "image_types": {kind.name: asdict(kind.settings) for kind in parameters.image_types},
        "versions": versions(),
        "input_hash": input_hashes(image, mask),
        "diagnostics": extraction.diagnostics,
        "notes": list(notes),
    }
    return PairFeatures(pl.DataFrame(rows, schema_overrides=types), notes, origin)


def _reason(problem: Problem) -> str:
    more = [("allowed", problem.allowed), ("what to do", problem.todo)]
    return "; ".join([problem.got, *(f"{key}: {text}" for key, text in more if text)])
