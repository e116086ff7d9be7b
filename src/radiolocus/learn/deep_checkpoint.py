"""Networks on disk: arrays and JSON in a zip file, safe to open from a stranger.

The arrays are NumPy's ``.npy`` without objects, the rest is one JSON text; nothing in the file can run. The same
network gives the same bytes.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from radiolocus.errors import FormatError
from radiolocus.store import write_bytes

__all__ = ["read_checkpoint", "write_checkpoint"]

_STATE = "state.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)
# A network has thousands of numbers, not billions: more is no checkpoint of ours.
_LARGEST = 2**30


def write_checkpoint(path: Path, arrays: Mapping[str, npt.NDArray[Any]], state: Mapping[str, Any]) -> None:
    """Write arrays and what goes with them, whole or not at all.

    Parameters
    ----------
    path : Path
    arrays : mapping of str to ndarray
    state : mapping of str to JSON values
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo(_STATE, _EPOCH), json.dumps(state, sort_keys=True))
        for name in sorted(arrays):
            part = io.BytesIO()
            np.lib.format.write_array(part, np.asarray(arrays[name]), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _EPOCH), part.getvalue())
    write_bytes(path, buffer.getvalue())


def read_checkpoint(path: Path) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]] | None:
    """Read a checkpoint; None when there is none.

    Raises
    ------
    FormatError
        The file is no checkpoint: damaged, with objects in its arrays, or larger than any network.
    """
    if not path.exists():
        return None
    arrays = {}
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(info.file_size for info in archive.infolist()) > _LARGEST:
                raise FormatError("more numbers than a network has", where=path.name, allowed="a checkpoint")
            state = json.loads(archive.read(_STATE))
            for name in archive.namelist():
                if name != _STATE:
                    part = io.BytesIO(archive.read(name))
                    arrays[name.removesuffix(".npy")] = np.lib.format.read_array(part, allow_pickle=False)
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(
            f"no checkpoint of a network ({error})", where=path.name, todo="remove it: training begins anew"
        ) from None
    if not isinstance(state, dict):
        raise FormatError(f"a JSON {type(state).__name__}", where=path.name, allowed="an object")
    return arrays, state
