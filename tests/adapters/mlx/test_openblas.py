import os
import subprocess
import sys
from pathlib import Path

import pytest

from cortex_adapters.mlx.openblas import load_openblas

SOURCES = Path(__file__).parents[3] / "src"
MULTIPLY = """
import cortex_adapters.mlx
import mlx.core as mx
mx.eval(mx.ones((64, 64)) @ mx.ones((64, 64)))
"""

needs_openblas = pytest.mark.skipif(load_openblas() is None, reason="no OpenBLAS here: macOS, or not installed")


@needs_openblas
def test_matrix_products_of_mlx_run_in_openblas(tmp_path: Path) -> None:
    """The dynamic linker's own log says whose function MLX was bound to."""
    log = {"LD_DEBUG": "bindings", "LD_DEBUG_OUTPUT": str(tmp_path / "bindings")}
    environment = os.environ | log | {"PYTHONPATH": str(SOURCES)}
    subprocess.run([sys.executable, "-c", MULTIPLY], check=True, env=environment, timeout=120)
    lines = "".join(file.read_text() for file in tmp_path.iterdir()).splitlines()
    bindings = [line for line in lines if "libmlx.so" in line and "`cblas_sgemm'" in line]
    assert bindings
    assert all("libopenblas" in line.partition(" to ")[2] for line in bindings)


def test_importing_the_package_leaves_mlx_alone() -> None:
    check = "import sys, cortex_adapters.mlx; sys.exit('mlx' in sys.modules)"
    subprocess.run(
        [sys.executable, "-c", check], check=True, env=os.environ | {"PYTHONPATH": str(SOURCES)}, timeout=120
    )


def test_a_system_other_than_linux_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert load_openblas() is None


def test_a_machine_without_openblas_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cortex_adapters.mlx.openblas._LIBRARIES", ("libopenblas-of-nowhere.so.0",))
    assert load_openblas() is None
