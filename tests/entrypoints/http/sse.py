"""Reads server-sent events as a strict client would."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Frame:
    """One event as it came over the wire."""

    event: str
    sequence: int
    data: dict[str, Any]


def parse_frames(text: str) -> list[Frame]:
    """Parses a whole stream; every frame must be exactly `event`, `id` and one line of `data`."""
    assert text.endswith("\n\n")
    return [_parse_frame(block) for block in text.removesuffix("\n\n").split("\n\n")]


def _parse_frame(block: str) -> Frame:
    event, sequence, data = block.split("\n")
    return Frame(
        event=event.removeprefix("event: "),
        sequence=int(sequence.removeprefix("id: ")),
        data=json.loads(data.removeprefix("data: ")),
    )
