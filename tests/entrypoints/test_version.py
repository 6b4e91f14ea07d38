from importlib.metadata import PackageNotFoundError

import pytest

from cortex_entrypoints import version


def test_the_version_is_that_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "version", lambda name: f"1.2.3 of {name}")
    assert version.installed_version() == "1.2.3 of cortex-platform"


def test_a_source_tree_that_was_never_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_nothing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(version, "version", find_nothing)
    assert version.installed_version() == "0+source"
