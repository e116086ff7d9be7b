"""PyTorch, an optional package, and what makes its numbers come out the same twice."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from radiolocus.errors import ConfigError

__all__ = ["check_torch", "device_of", "pytorch", "reproducible"]


def check_torch(where: str = "deep") -> None:
    """Refuse to go on without PyTorch.

    Raises
    ------
    ConfigError
    """
    if importlib.util.find_spec("torch") is None:
        raise ConfigError(
            "the package torch is not installed", where=where, todo='pip install "radiolocus[deep]", or leave it out'
        )


def pytorch() -> Any:
    """Return the package, which nothing else imports: by its name, so that types hold with and without it.

    Raises
    ------
    ConfigError
        It is not installed.
    """
    check_torch()
    return import_module("torch")


def device_of(wanted: str) -> Any:
    """Where networks are computed.

    Parameters
    ----------
    wanted : {"auto", "cpu", "cuda"}
        ``auto`` takes a graphics processor when there is one.

    Raises
    ------
    ConfigError
        A graphics processor is asked for and there is none.
    """
    torch = pytorch()
    there = bool(torch.cuda.is_available())
    if wanted == "cuda" and not there:
        raise ConfigError(
            "device = cuda, and PyTorch sees no such device", where="deep", allowed="auto, cpu", todo="use auto"
        )
    return torch.device("cuda" if there and wanted != "cpu" else "cpu")


@contextmanager
def reproducible() -> Iterator[None]:
    """Compute with one thread and deterministic algorithms within the context, and leave the settings as they were.

    Sums over several threads depend on how many there are. Nothing in here draws from PyTorch's generators: every
    random number comes from NumPy, and is the same on every device.
    """
    torch = pytorch()
    # cuBLAS is deterministic only with a workspace of fixed size, which it reads when it starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    benchmark = torch.backends.cudnn.benchmark
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)
        torch.backends.cudnn.benchmark = benchmark
