"""Moves what docstrings say of attributes to where a JSON schema keeps it."""

import re
from typing import Any

_ATTRIBUTES = re.compile(r"\n+Attributes:\n")
_FIELD = re.compile(r"^ {4}(\w+): ((?:.|\n {8})*)", re.MULTILINE)


def move_fields_to_properties(schema: dict[str, Any], /) -> dict[str, Any]:
    """Splits the description of an object at its `Attributes:` and gives each property its part."""
    description, *attributes = _ATTRIBUTES.split(schema.get("description", ""), maxsplit=1)
    if not attributes:
        return schema
    texts = {name: " ".join(text.split()) for name, text in _FIELD.findall(attributes[0])}
    properties = {
        name: {**property_, "description": texts[name]} if name in texts else property_
        for name, property_ in schema["properties"].items()
    }
    return {**schema, "description": description, "properties": properties}
