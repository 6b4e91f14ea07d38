"""The fields of a file as the server reads them."""

from collections.abc import Mapping
from typing import Any

from cortex_domain.agents import AgentDefinition
from cortex_entrypoints.http.agent_bodies import AgentBody
from cortex_entrypoints.http.json_parsing import validate_body


def parse(fields: Mapping[str, Any]) -> AgentDefinition:
    return validate_body(dict(fields), AgentBody).to_domain()
