"""What this machine has for real models to run on, for those who report it."""

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from cortex_adapters.mlx.openblas import is_openblas_mapped, load_openblas
from cortex_adapters.mlx.starter_wheel import STARTER_FILE
from cortex_domain.engine_status import Device


def is_mlx_installed() -> bool:
    """Tells whether real models can run; without MLX only the fake ones do."""
    return find_spec("mlx") is not None and find_spec("mlx_lm") is not None


def computing_device() -> Device:
    """Tells what MLX computes on; imports MLX, which must be installed."""
    from cortex_adapters.mlx.device import current_device  # noqa: PLC0415 - MLX may not be installed

    return current_device()


def is_openblas_missing() -> bool:
    """Tells whether MLX computes on a Linux CPU without OpenBLAS, some twenty times slower than it could."""
    load_openblas()
    return computing_device() is Device.CPU and not is_openblas_mapped()


def starter_wheel_version() -> str | None:
    """Version of the installed wheel that holds the starter model; None when there is none."""
    try:
        return version(STARTER_FILE.project)
    except PackageNotFoundError:
        return None
