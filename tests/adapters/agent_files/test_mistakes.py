"""A file that is wrong says what and where, and loses its own agent only."""

import logging
from pathlib import Path

import pytest

from cortex_adapters.agent_files import JsonAgentRegistry, TomlAgentCatalog
from cortex_adapters.agent_files.agent_file import MAX_FILE_BYTES, MAX_FILES
from cortex_adapters.combined import CombinedAgentRegistry
from cortex_adapters.in_memory import InMemoryAgentRegistry
from cortex_domain.agents import AgentDefinition
from cortex_domain.errors import AgentNotFoundError, AgentReadOnlyError, InvalidAgentError, StorageError
from cortex_entrypoints.http.agent_bodies import write_agent
from tests.adapters.agent_files.parsing import parse

MISTAKES = {
    "tools = 5": "tools: Input should be a valid list",
    "tool = []": "There is no field 'tool'. Remove it",
    'policy.effects.flies = "allow"': "policy.effects.flies: ",
    'policy.tools.read_file = "maybe"': "policy.tools.read_file: ",
    "budgets.steps = 0": "budgets.steps: ",
    "budgets.steps = 2020-01-01": "budgets.steps: ",
    'sub_agents = ["Not a name"]': "sub_agents.0: ",
    'output = {type = "json_schema", schema = 5}': "output.schema: ",
    'name = "other"': "name: it is 'other', and must be that of the file",
    'instructions = "no end': "it is not TOML: ",
    f'instructions = "{"a" * 100_001}"': "instructions: ",
    f"# {'a' * MAX_FILE_BYTES}": f"it has more than {MAX_FILE_BYTES} bytes",
    "x = " + "[" * 5_000: "it is not TOML: ",
}


@pytest.mark.parametrize(("content", "said"), MISTAKES.items(), ids=[said[:30] for said in MISTAKES.values()])
async def test_a_mistake_is_told_with_file_and_field(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(content)
    (tmp_path / "fine.toml").write_text('description = "untouched"')
    catalog = TomlAgentCatalog(tmp_path, parse=parse)
    with pytest.raises(InvalidAgentError) as caught:
        await catalog.get_agent("mine")
    assert caught.value.message.startswith(f"The agent 'mine' cannot be used. {tmp_path}/mine.toml: ")
    assert said in caught.value.reason
    assert [agent.name for agent in await catalog.list_agents()] == ["fine"]


async def test_bytes_that_are_no_text_are_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"\xff")
    with pytest.raises(InvalidAgentError, match="it is not TOML"):
        await TomlAgentCatalog(tmp_path, parse=parse).get_agent("mine")


async def test_a_mistake_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "mine.toml").write_text("tools = 5")
    (tmp_path / "No Name.toml").write_text("")
    catalog = TomlAgentCatalog(tmp_path, parse=parse)
    with caplog.at_level(logging.WARNING):
        await catalog.list_agents()
        await catalog.list_agents()
    assert len(caplog.records) == 2
    assert "a file is named like its agent" in caplog.text


async def test_files_are_read_anew(tmp_path: Path) -> None:
    catalog = TomlAgentCatalog(tmp_path / "later", parse=parse)
    assert await catalog.list_agents() == []
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "mine.toml").write_text('model = "starter"')
    assert (await catalog.get_agent("mine")).model == "starter"


async def test_too_many_files_are_refused(tmp_path: Path) -> None:
    for number in range(MAX_FILES + 1):
        (tmp_path / f"agent-{number}.toml").touch()
    with pytest.raises(StorageError, match="more than 1000"):
        await TomlAgentCatalog(tmp_path, parse=parse).list_agents()


async def test_a_directory_that_is_a_file_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    registry = JsonAgentRegistry(tmp_path / "file", parse=parse, write=write_agent)
    with pytest.raises(StorageError):
        await registry.put_agent(AgentDefinition(name="mine"))
    with pytest.raises(StorageError):
        await registry.delete_agent("mine")


async def test_json_that_is_no_object_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text("[]")
    registry = JsonAgentRegistry(tmp_path, parse=parse, write=write_agent)
    with pytest.raises(InvalidAgentError, match="it is not JSON: not an object"):
        await registry.get_agent("mine")
    await registry.delete_agent("mine")
    assert await registry.list_agents() == []


async def test_what_was_put_is_readable_by_its_user_only(tmp_path: Path) -> None:
    registry = JsonAgentRegistry(tmp_path / "agents", parse=parse, write=write_agent)
    await registry.put_agent(AgentDefinition(name="mine"))
    assert [(file.name, file.stat().st_mode & 0o777) for file in (tmp_path / "agents").iterdir()] == [
        ("mine.json", 0o600)
    ]


async def test_a_file_that_is_wrong_lets_nobody_take_its_name(tmp_path: Path) -> None:
    (tmp_path / "one.toml").write_text("tools = 5")
    built_in = InMemoryAgentRegistry([AgentDefinition(name="one"), AgentDefinition(name="two")])
    combined = CombinedAgentRegistry([TomlAgentCatalog(tmp_path, parse=parse), built_in], InMemoryAgentRegistry())
    assert [agent.name for agent in await combined.list_agents()] == ["two"]
    with pytest.raises(InvalidAgentError):
        await combined.get_agent("one")
    for name in ("one", "two"):
        with pytest.raises(AgentReadOnlyError):
            await combined.put_agent(AgentDefinition(name=name))
        with pytest.raises(AgentReadOnlyError):
            await combined.delete_agent(name)
    with pytest.raises(AgentNotFoundError):
        await combined.delete_agent("three")
