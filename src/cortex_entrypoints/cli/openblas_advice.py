"""What a person on a slow machine is told."""

import sys

from cortex_entrypoints.container.installation import is_openblas_missing

INSTALL_OPENBLAS = "sudo apt-get install libopenblas0-pthread   (Fedora: sudo dnf install openblas-threads)"


def lacks_openblas() -> bool:
    """Tells whether MLX is in use and about twenty times slower than it could be; fake models do not use it."""
    return "mlx.core" in sys.modules and is_openblas_missing()
