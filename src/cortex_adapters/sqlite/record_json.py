"""Events of agent runs as JSON and back: the dataclasses are the form, told apart by `type`."""

from typing import Annotated, Final

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from cortex_domain.agent_run_events import AgentRunEvent
from cortex_domain.errors import StorageError

_EVENTS: Final[TypeAdapter[AgentRunEvent]] = TypeAdapter(
    Annotated[AgentRunEvent, Field(discriminator="type")],
    config=ConfigDict(ser_json_bytes="base64", val_json_bytes="base64", ser_json_inf_nan="constants"),
)


def encode_event(event: AgentRunEvent, /) -> bytes:
    """Writes an event as JSON; the mappings of domain values are read-only ones, which pydantic does not know."""
    return _EVENTS.dump_json(event, fallback=dict, warnings=False)


def decode_event(text: bytes, /) -> AgentRunEvent:
    """Reads an event.

    Raises:
        StorageError: It is none that this version of Cortex knows.
    """
    try:
        return _EVENTS.validate_json(text)
    except ValidationError as error:
        raise StorageError(f"The log of an agent run holds what this version cannot read: {error}") from error
