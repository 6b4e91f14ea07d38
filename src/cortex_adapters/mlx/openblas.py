"""Gives MLX a fast BLAS on a Linux CPU.

MLX's CPU wheels are linked with the reference BLAS, which multiplies float32 matrices some twenty times slower than
OpenBLAS does. The dynamic linker looks a symbol up in the process's global scope before it looks in the libraries that
MLX brought, so an OpenBLAS that is in that scope when MLX is loaded takes the place of the slow one. `LD_PRELOAD`
works by the same rule, but would have to be set before the process starts.
"""

import ctypes
import sys
from pathlib import Path

_LIBRARIES = ("libopenblasp.so.0", "libopenblas.so.0")
"""Fedora's name of the build with threads, and the name that most distributions give to their default build."""

_MAPS = Path("/proc/self/maps")


def load_openblas() -> str | None:
    """Puts the system's OpenBLAS, if there is one, in front of the BLAS of MLX; call it before MLX is imported.

    Returns:
        Name of the library that was loaded; None when there is none, or nothing to replace (macOS has its own).
    """
    if not sys.platform.startswith("linux"):
        return None
    return next((name for name in _LIBRARIES if _load(name)), None)


def is_openblas_mapped() -> bool:
    """Tells whether this Linux process has the system's OpenBLAS in memory.

    numpy's private copy of OpenBLAS has another name, and MLX does not use it.
    """
    return _MAPS.exists() and "/libopenblas" in _MAPS.read_text()


def _load(name: str) -> bool:
    try:
        ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
    except OSError:
        return False
    return True
