"""The definition in docs/agents.md is one, and names every field that there is."""

import re
import tomllib
from pathlib import Path

from cortex_adapters.agent_files import TomlAgentCatalog
from cortex_entrypoints.http.agent_bodies import AgentBody, write_agent
from tests.adapters.agent_files.parsing import parse

PAGE = (Path(__file__).parents[3] / "docs" / "agents.md").read_text()


async def test_the_documented_definition_is_read(tmp_path: Path) -> None:
    [example] = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "reporter.toml").write_text(example)
    agent = await TomlAgentCatalog(tmp_path, parse=parse).get_agent("reporter")
    written = write_agent(agent)
    assert {name: written[name] for name in ("tools", "budgets", "output", "sub_agents")} == {
        name: tomllib.loads(example)[name] for name in ("tools", "budgets", "output", "sub_agents")
    }


def test_every_field_is_documented() -> None:
    table = PAGE.partition("## A definition")[2]
    assert set(AgentBody.model_fields) - {"name"} <= set(re.findall(r"`(\w+)`", table))
