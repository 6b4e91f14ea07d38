"""Which capabilities a store reads from a chat template."""

import json
from pathlib import Path
from typing import Any

import pytest

from cortex_adapters.hugging_face_hub.chat_template import capabilities_of_template
from cortex_domain.language_models import Capability

STEERED = "{% if enable_thinking %}<think>{% endif %}"
PLAIN = "{{ message.thinking }}{{ message['reasoning_effort'] }}{{ m.enable_thinking }}"


@pytest.mark.parametrize(
    ("files", "is_steered"),
    [
        ({}, False),
        ({"chat_template.jinja": STEERED}, True),
        ({"chat_template.jinja": "{{ reasoning_effort }}"}, True),
        ({"chat_template.jinja": "{%- if thinking -%}"}, True),
        ({"chat_template.jinja": PLAIN}, False),
        ({"chat_template.jinja": PLAIN, "tokenizer_config.json": {"chat_template": STEERED}}, False),
        ({"tokenizer_config.json": {"chat_template": STEERED}}, True),
        ({"tokenizer_config.json": {"chat_template": [{"name": "default", "template": STEERED}, "x"]}}, True),
        ({"tokenizer_config.json": {"chat_template": [{"name": "default", "template": None}]}}, False),
        ({"tokenizer_config.json": {"chat_template": 5}}, False),
        ({"tokenizer_config.json": [STEERED]}, False),
        ({"tokenizer_config.json": b"{"}, False),
        ({"chat_template.jinja": b"\xff", "tokenizer_config.json": {"chat_template": STEERED}}, True),
    ],
)
def test_a_template_tells_whether_it_can_be_told_to_think(
    tmp_path: Path, files: dict[str, Any], *, is_steered: bool
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(_encoded(content))
    assert capabilities_of_template(tmp_path) == ({Capability.REASONING_EFFORT} if is_steered else set())


def _encoded(content: Any) -> bytes:
    if isinstance(content, bytes):
        return content
    return (content if isinstance(content, str) else json.dumps(content)).encode()
