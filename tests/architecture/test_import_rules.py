"""The import rules of pyproject.toml hold, and each of them can be broken."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
LINT_IMPORTS = Path(sys.executable).parent / "lint-imports"
RULES = {
    "hexagon",
    "domain-layers",
    "domain-is-pure",
    "adapters-independent",
    "one-composition-root",
    "mlx-in-one-place",
    "mcp-in-two-places",
    "no-cycles",
}


def broken_rules(project: Path) -> set[str]:
    """Runs import-linter on a project and returns the ids of the rules that it breaks."""
    finished = subprocess.run(
        [LINT_IMPORTS, "--no-cache"],
        cwd=project,
        env={"PYTHONPATH": f"{project / 'src'}:{project / 'contracts'}", "COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=False,
    )
    verdicts = dict(re.findall(r"^([a-z-]+): .* (KEPT|BROKEN)", finished.stdout, flags=re.MULTILINE))
    assert verdicts.keys() == RULES, finished.stdout + finished.stderr
    broken = {rule for rule, verdict in verdicts.items() if verdict == "BROKEN"}
    assert finished.returncode == bool(broken)
    return broken


@pytest.fixture
def copy_of_project(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for folder in ("src", "contracts"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_all_rules_are_kept() -> None:
    assert broken_rules(ROOT) == set()


@pytest.mark.parametrize(
    ("file", "line", "broken"),
    [
        ("src/cortex_domain/messages.py", "import cortex_contracts", {"hexagon"}),
        ("src/cortex_adapters/fake/clock.py", "import cortex_entrypoints", {"hexagon", "adapters-independent"}),
        ("src/cortex_adapters/fake/clock.py", "import cortex_contracts", {"hexagon"}),
        (
            "src/cortex_domain/ports/clock.py",
            "import cortex_domain.use_cases.load_model",
            {"domain-layers", "no-cycles"},
        ),
        ("src/cortex_domain/stray.py", '"""A module that no layer names."""', {"domain-layers"}),
        ("src/cortex_domain/messages.py", "import asyncio", {"domain-is-pure"}),
        ("src/cortex_domain/messages.py", "import pydantic", {"domain-is-pure"}),
        ("src/cortex_adapters/fake/clock.py", "import cortex_adapters.system.clock", {"adapters-independent"}),
        ("src/cortex_entrypoints/settings.py", "import cortex_adapters.system.clock", {"one-composition-root"}),
        (
            "src/cortex_entrypoints/built_in_tools/web.py",
            "import cortex_adapters.system.clock",
            {"one-composition-root"},
        ),
        (
            "contracts/cortex_contracts/clock.py",
            "import cortex_adapters.system.clock",
            {"hexagon", "one-composition-root"},
        ),
        ("src/cortex_adapters/fake/clock.py", "import mlx.core", {"mlx-in-one-place"}),
        ("src/cortex_adapters/fake/clock.py", "import mlx_lm", {"mlx-in-one-place"}),
        ("src/cortex_adapters/fake/clock.py", "import mcp", {"mcp-in-two-places"}),
        ("src/cortex_adapters/fake/model_loader.py", "import cortex_adapters.fake.engine_monitor", {"no-cycles"}),
    ],
)
def test_each_rule_catches_its_violation(copy_of_project: Path, file: str, line: str, broken: set[str]) -> None:
    with (copy_of_project / file).open("a") as module:
        module.write(f"\n{line}\n")
    assert broken_rules(copy_of_project) == broken


def test_every_rule_has_a_violation_above() -> None:
    marks = test_each_rule_catches_its_violation.pytestmark  # type: ignore[attr-defined]
    assert set().union(*(broken for _, _, broken in marks[0].args[1])) == RULES


def test_the_domain_imports_the_standard_library_only() -> None:
    graph = grimp.build_graph("cortex_domain", include_external_packages=True, cache_dir=None)
    imported = {module.partition(".")[0] for module in graph.modules} - {"cortex_domain"}
    assert imported
    assert imported <= sys.stdlib_module_names
