"""What a model's chat template tells without being run."""

import re
from pathlib import Path

from pydantic_core import from_json

from cortex_domain.language_models import Capability

_TEMPLATE = "chat_template.jinja"
_TOKENIZER_CONFIG = "tokenizer_config.json"
_STEERS_REASONING = re.compile(r"(?<![\w.'\"])(enable_thinking|thinking|reasoning_effort)(?![\w'\"])")
"""A variable that says how long the model may think before it answers."""


def capabilities_of_template(directory: Path, /) -> frozenset[Capability]:
    """Tells what the template of a model's directory takes; nothing when there is none that can be understood.

    Raises:
        OSError: The disk cannot be read.
    """
    steers_reasoning = _STEERS_REASONING.search(_read_template(directory)) is not None
    return frozenset({Capability.REASONING_EFFORT}) if steers_reasoning else frozenset()


def _read_template(directory: Path) -> str:
    """Reads the file of its own that newer models have, or else the place in the tokenizer's configuration."""
    for name, read in ((_TEMPLATE, _as_text), (_TOKENIZER_CONFIG, _as_setting)):
        try:
            return read((directory / name).read_bytes())
        except (FileNotFoundError, ValueError):
            continue
    return ""


def _as_text(content: bytes) -> str:
    return content.decode()


def _as_setting(content: bytes) -> str:
    config = from_json(content)
    template = config.get("chat_template") if isinstance(config, dict) else None
    if isinstance(template, list):  # several, by name
        return "\n".join(str(entry.get("template")) for entry in template if isinstance(entry, dict))
    return template if isinstance(template, str) else ""
