"""What this machine has for real models to run on, for those who report it."""

from importlib.metadata import PackageNotFoundError, version

from cortex_adapters.mlx.openblas import is_openblas_mapped
from cortex_adapters.mlx.starter_wheel import STARTER_FILE
from cortex_domain.engine_status import Device


def is_openblas_missing() -> bool:
    """Tells whether MLX, which must be installed, computes on a Linux CPU without OpenBLAS, twenty times slower."""
    from cortex_adapters.mlx.device import current_device  # noqa: PLC0415 - imports MLX

    return current_device() is Device.CPU and not is_openblas_mapped()


def starter_wheel_version() -> str | None:
    """Version of the installed wheel that holds the starter model; None when there is none."""
    try:
        return version(STARTER_FILE.project)
    except PackageNotFoundError:
        return None
