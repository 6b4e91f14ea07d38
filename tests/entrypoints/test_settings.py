from pathlib import Path

import pytest
from pydantic import ValidationError

from cortex_entrypoints.settings import Settings, SettingsError, load_settings

EXAMPLE = Path(__file__).parents[2] / ".env.example"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def test_without_any_variable_the_server_is_local_and_the_model_is_open() -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.default_model) == ("127.0.0.1", 8000, None)
    assert settings.model_cache_dir == Path.home() / ".cache" / "mlx-models"


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("PORT=1234\nHOST=0.0.0.0\n")
    monkeypatch.setenv("PORT", "4321")
    settings = load_settings()
    assert (settings.host, settings.port) == ("0.0.0.0", 4321)


def test_the_file_may_hold_variables_of_others_and_empty_ones() -> None:
    defaults = load_settings()
    Path(".env").write_text("SOMEBODY_ELSE=1\nPORT=\nDEFAULT_MODEL=\nALLOWED_ORIGINS=\n# a comment\n")
    assert load_settings() == defaults


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_ORIGINS", "http://localhost:3000, https://Chat.Example.org,http://[::1]:3000,")
    monkeypatch.setenv("ALLOWED_HOSTS", "Cortex.local,[::1]")
    settings = load_settings()
    assert settings.allowed_origins == ("http://localhost:3000", "https://chat.example.org", "http://[::1]:3000")
    assert settings.allowed_hosts == ("cortex.local", "[::1]")


def test_tools_are_named_with_commas_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLS_ALLOW", "network, read_file")
    assert load_settings().tools_allow == ("network", "read_file")


def test_home_is_expanded_and_capitals_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_CACHE_DIR", "~/models")
    monkeypatch.setenv("LOG_LEVEL", "debug")
    monkeypatch.setenv("ENVIRONMENT", "Production")
    settings = load_settings()
    assert settings.model_cache_dir == Path.home() / "models"
    assert (settings.log_level, settings.environment) == ("DEBUG", "production")


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("PORT", "70000", "from 0 to 65535"),
        ("PORT", "-1", "from 0 to 65535"),
        ("PORT", "http", "from 0 to 65535"),
        ("PORT", "1_0", "from 0 to 65535"),
        ("LOG_FORMAT", "xml", "text or json"),
        ("HOST", "http://here", "host name"),
        ("DEBUG", "perhaps", "true or false"),
        ("ENVIRONMENT", "staging", "development, production or test"),
        ("ALLOWED_ORIGINS", '["http://localhost:3000"]', "commas"),
        ("ALLOWED_ORIGINS", "http://localhost:3000/", "without a path"),
        ("ALLOWED_ORIGINS", "*", "scheme://host"),
        ("ALLOWED_HOSTS", "localhost:8000", "without scheme and port"),
        ("DEFAULT_MODEL", "../../etc/passwd", "namespace/name"),
        ("KEEP_ALIVE_S", "-1", "at least 0"),
        ("PINNED_MODELS", "../up", "aliases"),
        ("MEMORY_LIMIT_BYTES", "8GB", "whole number of bytes"),
        ("DEFAULT_MAX_TOKENS", "0", "at least 1"),
        ("PREFIX_CACHE_MEMORY_BYTES", "-1", "at least 0"),
        ("PREFIX_CACHE_DISK_BYTES", "-1", "at least 0"),
        ("PREFIX_CACHE_MEMORY_BYTES", "2GB", "whole number of bytes"),
        ("DEFAULT_TEMPERATURE", "2.1", "from 0 to 2"),
        ("DEFAULT_TEMPERATURE", "nan", "from 0 to 2"),
        ("DEFAULT_TOP_P", "0", "above 0"),
        ("ENABLE_AGENTS", "maybe", "true or false"),
        ("TOOLS_ALLOW", "rm -rf", "names of effects or tools"),
        ("LOG_LEVEL", "LOUD", "DEBUG, INFO, WARNING or ERROR"),
        ("SHUTDOWN_GRACE_S", "inf", "seconds"),
    ],
)
def test_a_bad_value_is_one_line_that_names_variable_value_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, allowed: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    message = str(caught.value)
    assert caught.value.variable == variable
    assert message.startswith(f"{variable}=")
    assert value in message
    assert allowed in message
    assert "\n" not in message


def test_a_huge_value_is_shown_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9" * 3000 + "\n")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_text_is_named() -> None:
    Path(".env").write_bytes(b"PORT=\xff\xfe\n")
    with pytest.raises(SettingsError, match=r"\.env cannot be read as UTF-8 text"):
        load_settings()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1


def test_every_setting_says_what_is_allowed() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_example_file_names_every_setting_once_with_its_default() -> None:
    assigned = [line.partition("=")[0] for line in EXAMPLE.read_text().splitlines() if line and line[0] != "#"]
    assert sorted(assigned) == sorted(name.upper() for name in Settings.model_fields)
    defaults = load_settings()
    Path(".env").write_text(EXAMPLE.read_text())
    assert load_settings() == defaults


def test_the_web_has_services_and_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_SEARCH_PROVIDERS", "Brave, searxng")
    monkeypatch.setenv("WEB_FETCH_ALLOWED_HOSTS", "Wiki.internal:8080,[::1]:80,10.0.0.7")
    settings = load_settings()
    assert settings.web_search_providers == ("brave", "searxng")
    assert settings.web_fetch_allowed_hosts == ("wiki.internal:8080", "[::1]:80", "10.0.0.7")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WEB_SEARCH_PROVIDERS", "google"),
        ("SEARXNG_URL", "localhost:8888"),
        ("SEARXNG_URL", "http://"),
        ("SEARXNG_URL", "http://a/?q=1"),
        ("WEB_FETCH_ALLOWED_HOSTS", "http://wiki.internal"),
        ("WEB_FETCH_ALLOWED_HOSTS", "wiki.internal:http"),
        ("WEB_FETCH_ALLOWED_HOSTS", "*"),
    ],
)
def test_services_and_hosts_that_are_none_are_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert caught.value.variable == variable


@pytest.mark.parametrize("variable", ["BRAVE_API_KEY", "TAVILY_API_KEY", "EXA_API_KEY"])
def test_a_key_that_is_not_allowed_is_not_shown(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "hidden key")
    with pytest.raises(SettingsError, match="must be a key without spaces") as caught:
        load_settings()
    assert "hidden" not in f"{caught.value} {caught.value.__cause__}"
