"""Tells models of tools whose templates have no place for them, in messages of text.

The form is that which Hermes and Qwen are trained on, so that a model that has seen any tools has seen these:

- the first message of the system, or one of its own, ends with the tools, one JSON object a line between `<tools>` and
  `</tools>`, and says how to call one;
- a call of the assistant is `<tool_call>`, a line with the JSON object of name and arguments, `</tool_call>`;
- what tools return is said by the user, between `<tool_response>` and `</tool_response>`, as a JSON string.

A model's directory may have words of its own for it, in `tool_form.json`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from cortex_adapters.mlx.call_object_reader import is_json_object
from cortex_domain.messages import Message, Role, ToolCallPart

_TOOLS: Final = "{tools}"
_INSTRUCTION: Final = """\
You may use tools. These are the tools:
<tools>
{tools}
</tools>
To use one, answer with nothing but its name and arguments, like this:
<tool_call>
{"name": "name_of_the_tool", "arguments": {"argument": "value"}}
</tool_call>
If you need no tool, answer with text as usual."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextForm:
    """What is written into messages.

    Attributes:
        instruction: What the system says of tools; `{tools}` stands for them.
        opening: What the system says before that when the chat begins with no message of the system.
    """

    instruction: str = _INSTRUCTION
    opening: str = "You are a helpful assistant."

    def conversation(
        self,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]],
        *,
        write: Callable[[Message], dict[str, Any]],
        take_out: Callable[[str], str],
    ) -> list[dict[str, Any]]:
        """Writes a chat.

        Args:
            messages: The chat.
            tools: What is offered, each with name, description and parameters; none is told of when it is empty.
            write: Writes what a message has besides calls and results.
            take_out: Takes out of a text what would become a control token.
        """
        written = [_message(message, write, take_out) for message in messages]
        if not tools:
            return written
        instruction = self.instruction.replace(_TOOLS, "\n".join(map(_json, tools)))
        if messages[0].role is Role.SYSTEM:
            return [{**written[0], "content": f"{written[0]['content']}\n\n{instruction}"}, *written[1:]]
        return [{"role": Role.SYSTEM.value, "content": f"{self.opening}\n\n{instruction}"}, *written]


def text_form_in(directory: Path, /) -> TextForm:
    """Reads the form that a model's directory has in `tool_form.json`, or returns the usual one.

    Raises:
        ValueError: What is in that file is no form.
    """
    path = directory / "tool_form.json"
    if not path.exists():
        return TextForm()
    facts = json.loads(path.read_text(encoding="utf-8"))
    known = {field.name for field in fields(TextForm)}
    if not isinstance(facts, dict) or not facts.keys() <= known or not all(isinstance(v, str) for v in facts.values()):
        raise ValueError("tool_form.json is no object with an instruction and an opening")
    return TextForm(**facts)


def _message(
    message: Message, write: Callable[[Message], dict[str, Any]], take_out: Callable[[str], str]
) -> dict[str, Any]:
    if message.role is Role.TOOL:
        content = "\n".join(_result(take_out(result.text)) for result in message.tool_results)
        return {"role": Role.USER.value, "content": content}
    written = write(message)
    if message.tool_calls:
        calls = [_call(call, take_out) for call in message.tool_calls]
        written["content"] = "\n".join([*filter(None, [written["content"]]), *calls])
    return written


def _call(call: ToolCallPart, take_out: Callable[[str], str]) -> str:
    arguments = json.loads(call.arguments) if is_json_object(call.arguments) else call.arguments
    return f"<tool_call>\n{take_out(_json({'name': call.name, 'arguments': arguments}))}\n</tool_call>"


def _result(text: str) -> str:
    # An escape that JSON knows, so that no result can end its own response.
    return f"<tool_response>\n{_json(text).replace('</', '<' + chr(92) + '/')}\n</tool_response>"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
