"""The example of contracts/README.md is a whole test file that passes, in a project without any configuration."""

import os
import re
import subprocess
import sys
from pathlib import Path

from cortex_contracts.checks import checks_of
from cortex_contracts.model_store import ModelStoreContract

ROOT = Path(__file__).parents[2]


def test_the_example_passes_as_it_stands(tmp_path: Path) -> None:
    readme = (ROOT / "contracts" / "README.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    (tmp_path / "test_my_store.py").write_text(example)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--strict-markers", "test_my_store.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT / 'contracts'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert f"{len(checks_of(ModelStoreContract))} passed" in finished.stdout
