"""What the documents say about the code is so."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from cortex_entrypoints.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SETTINGS = (ROOT / "docs" / "settings.md").read_text()
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DOCUMENTS = sorted(
    file.relative_to(ROOT)
    for pattern in ("*.md", "docs/**/*.md", "contracts/*.md", "tests/*.md")
    for file in ROOT.glob(pattern)
)


def test_the_readme_can_be_read_in_one_go() -> None:
    assert len(README.splitlines()) <= 150


def test_the_page_of_settings_names_every_setting() -> None:
    assert _named_settings(SETTINGS) == {name.upper() for name in Settings.model_fields}


def test_the_readme_names_settings_that_exist() -> None:
    table = README.partition("## Settings")[2].partition("\n## ")[0]
    assert (
        {"DEFAULT_MODEL", "HOST", "PORT"} <= _named_settings(table) < {name.upper() for name in Settings.model_fields}
    )


def test_the_page_of_settings_shows_the_defaults() -> None:
    for name in ("host", "port", "default_max_tokens", "default_temperature", "default_top_p", "log_level"):
        assert f"`{Settings.model_fields[name].default}`" in SETTINGS


@pytest.mark.parametrize("code", re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL))
def test_the_code_in_the_readme_is_python(code: str) -> None:
    ast.parse(code)


def test_the_architecture_names_every_import_rule() -> None:
    named = re.findall(r"^\| `([a-z-]+)` \|", ARCHITECTURE, re.MULTILINE)
    assert named == [contract["id"] for contract in PROJECT["tool"]["importlinter"]["contracts"]]


def test_every_file_on_the_way_of_a_request_exists() -> None:
    walk = ARCHITECTURE.partition("## The life of one request")[2].partition("\n## ")[0]
    directory = ROOT
    for name in re.findall(r"`([\w/]+\.py)`", walk):
        directory = (ROOT / name).parent if "/" in name else directory
        assert (directory / Path(name).name).is_file(), name


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_link_between_documents_leads_somewhere(document: Path) -> None:
    text = (ROOT / document).read_text()
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / document.parent / target).exists(), target


def _named_settings(text: str) -> set[str]:
    cells = re.findall(r"^\| (`.*?`) \|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
