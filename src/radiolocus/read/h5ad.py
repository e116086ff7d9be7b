"""Expression matrices of AnnData: ``.h5ad``, read as HDF5; nothing in the file is ever executed.

Format: https://anndata.readthedocs.io/en/stable/fileformat-prose.html.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from radiolocus.errors import ConfigError, FormatError, TableError
from radiolocus.model import Array, Problem
from radiolocus.read.expression import Expression
from radiolocus.registry import suggest

__all__ = ["read_h5ad"]


def read_h5ad(
    path: Path, *, layer: str | None = None, sample_column: str | None = None, gene_column: str | None = None
) -> Expression:
    """Read the matrix of an AnnData file: observations are samples, variables are genes.

    Parameters
    ----------
    path : Path
    layer : str, optional
        Layer; ``X`` by default.
    sample_column, gene_column : str, optional
        Column of ``obs`` that names the samples and of ``var`` that names the genes; their indices by default.

    Returns
    -------
    Expression
        Genes may stand in several columns under the same name.

    Raises
    ------
    ConfigError
        ``h5py`` is not installed.
    FormatError
        A file that is no HDF5, or holds no such matrix.
    TableError
        An unknown layer or column, a name that is missing, a value that is infinite.
    """
    try:
        h5py = import_module("h5py")
    except ModuleNotFoundError:
        raise ConfigError("h5py is not installed", where=path.name, todo='pip install "radiolocus[h5ad]"') from None
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise FormatError(
            f"a file that cannot be read as HDF5 ({error})", where=path.name, allowed="an AnnData file (.h5ad)"
        ) from None
    with file:
        for part in ("obs", "var"):
            if part not in file:
                raise FormatError(f"no '{part}'", where=path.name, allowed="an AnnData file (.h5ad)")
        place = "X" if layer is None else f"layers/{layer}"
        if place not in file:
            layers = list(file["layers"]) if "layers" in file else []
            raise TableError(
                f"no {place}", where=path.name, allowed=", ".join(layers) or "X", todo=suggest(layer or "", layers)
            )
        samples = _names(file["obs"], sample_column, "obs", path.name)
        genes = _names(file["var"], gene_column, "var", path.name)
        values = _matrix(file[place], f"{path.name}, {place}")
    if values.shape != (len(samples), len(genes)):
        raise FormatError(
            f"a matrix of {values.shape[0]} × {values.shape[1]}",
            where=f"{path.name}, {place}",
            allowed=f"{len(samples)} observations × {len(genes)} variables",
        )
    if np.isinf(values).any():
        raise TableError("an infinite value", where=f"{path.name}, {place}", allowed="finite numbers, or NaN")
    return Expression(genes, samples, np.ascontiguousarray(values.T), _notes(values, path.name))


def _notes(values: Array, where: str) -> tuple[Problem, ...]:
    missing = int(np.isnan(values).sum())
    if not missing:
        return ()
    return (Problem("molecular", f"{missing} cells without a value", "note", where=where, count=missing),)


def _names(frame: Any, column: str | None, part: str, where: str) -> tuple[str, ...]:
    key = column or str(frame.attrs.get("_index", "_index"))
    if key not in frame:
        known = [str(name) for name in frame]
        raise TableError(
            f"no column '{key}'", where=f"{where}, {part}", allowed=", ".join(known[:20]), todo=suggest(key, known)
        )
    entry = frame[key]
    if "categories" in entry:
        words, codes = _text(entry["categories"]), np.asarray(entry["codes"])
        found = [words[code] if code >= 0 else "" for code in codes]
    else:
        found = _text(entry)
    if not all(found):
        raise TableError("a name that is missing", where=f"{where}, {part}/{key}", allowed="a name in every row")
    return tuple(found)


def _text(entry: Any) -> list[str]:
    values = entry["values"] if hasattr(entry, "keys") else entry
    return [v.decode("utf-8") if isinstance(v, bytes) else str(v) for v in np.asarray(values).tolist()]


def _matrix(entry: Any, where: str) -> Array:
    if not hasattr(entry, "keys"):
        return np.asarray(entry, dtype=np.float64)
    kinds = {"csr_matrix": sparse.csr_array, "csc_matrix": sparse.csc_array}
    kind = str(entry.attrs.get("encoding-type", entry.attrs.get("h5sparse_format", "")))
    if not kind.endswith("_matrix"):
        kind += "_matrix"
    if kind not in kinds:
        raise FormatError(f"encoding '{kind}'", where=where, allowed="a dense array, csr_matrix, csc_matrix")
    shape = tuple(int(n) for n in entry.attrs.get("shape", entry.attrs.get("h5sparse_shape")))
    parts = tuple(np.asarray(entry[name]) for name in ("data", "indices", "indptr"))
    return np.asarray(kinds[kind](parts, shape=shape, dtype=np.float64).toarray())
