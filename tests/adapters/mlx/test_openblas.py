import os
import subprocess
import sys
from pathlib import Path

import pytest

from cortex_adapters.mlx.openblas import is_openblas_mapped, load_openblas

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


@needs_openblas
def test_a_loaded_library_is_seen() -> None:
    assert is_openblas_mapped()


@pytest.mark.parametrize(
    ("file", "is_mapped"),
    [
        ("/usr/lib/x86_64-linux-gnu/openblas-pthread/libopenblasp-r0.3.21.so", True),
        ("/opt/my libs/libopenblas.so.0", True),
        ("/venv/site-packages/numpy.libs/libscipy_openblas64_-32a4b2a6.so", False),
    ],
)
def test_numpys_own_copy_is_not_taken_for_the_systems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, is_mapped: bool
) -> None:
    maps = tmp_path / "maps"
    maps.write_text(f"7f0000000000-7f0000001000 rw-p 0 00:00 0\n7f0000001000-7f0000002000 r-xp 0 08:01 1  {file}\n")
    monkeypatch.setattr("cortex_adapters.mlx.openblas._MAPS", maps)
    assert is_openblas_mapped() is is_mapped


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
