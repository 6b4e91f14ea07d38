"""Text and tool calls are told apart, however the answer is cut into pieces, and nothing of it is lost."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlx_lm.tool_parsers import mistral, pythonic, qwen3_coder

from cortex_adapters.mlx.call_object_reader import CallObjectReader
from cortex_adapters.mlx.tool_call_reader import ToolCallReader
from cortex_adapters.mlx.tool_syntax import TAGGED, WHOLE_ANSWER, Layout, ToolSyntax, known_syntax
from cortex_adapters.mlx.tool_use import ToolUse
from cortex_domain.events import TextDelta, ToolCallDelta
from cortex_domain.tool_call_rules import ToolCallRules

TOOLS = [{"name": name, "description": "", "parameters": {"type": "object"}} for name in ("look", "listen")]
USE: dict[str, Any] = {
    "definitions": json.dumps(TOOLS),
    "is_forced": False,
    "only": None,
    "is_parallel": True,
    "call_ids": "call_",
}
XML = ToolSyntax(layout=Layout.OTHER, start="<tool_call>", end="</tool_call>", parse=qwen3_coder.parse_tool_call)
PYTHONIC = ToolSyntax(
    layout=Layout.OTHER, start="<|tool_call_start|>", end="<|tool_call_end|>", parse=pythonic.parse_tool_call
)
UNENDED = ToolSyntax(layout=Layout.OTHER, start="[TOOL_CALLS]", parse=mistral.parse_tool_call)
HEADED = ToolSyntax(layout=Layout.HEADED, start="[TOOL_CALLS]")

CUT = "The answer ended within a tool call."
NONE = "What began like a tool call is none."


@dataclass(frozen=True)
class Read:
    """What came of an answer."""

    text: str = ""
    calls: tuple[tuple[str, str], ...] = ()
    fault: str | None = None


def read(pieces: Sequence[str], syntax: ToolSyntax, *, reads_json: bool = True, **use: Any) -> Read:
    reader = ToolCallReader(ToolUse(**{**USE, **use}), syntax, reads_json=reads_json)
    rules, text = ToolCallRules(), ""
    told = [event for piece in pieces if not reader.is_done for event in reader.push(piece)]
    for event in [*told, *([] if reader.is_done else reader.end())]:
        if isinstance(event, TextDelta):
            rules.accept_text()
            text += event.text
        elif isinstance(event, ToolCallDelta):
            rules.accept_delta(event)
        else:
            rules.accept_end(event)
    return Read(text, tuple((call.name, call.arguments) for call in rules.calls), reader.fault)


LOOK = ("look", '{"at": "x"}')
CASES: list[tuple[ToolSyntax, str, Read]] = [
    (TAGGED, "", Read()),
    (TAGGED, " Hello there.\n", Read(" Hello there.\n")),
    (TAGGED, "a < b <tool", Read("a < b <tool")),
    (
        TAGGED,
        'Let me.\n\n<tool_call>\n{"name": "look", "arguments": {"at": "x"}}\n</tool_call>\n',
        Read("Let me.", (LOOK,)),
    ),
    (
        TAGGED,
        '<tool_call>{"arguments":{"at": "x"},"name":"look"}</tool_call>\n<tool_call>{"name":"listen"}</tool_call> So.',
        Read(" So.", (LOOK, ("listen", "{}"))),
    ),
    (TAGGED, '<tool_call>{"name":"look","arguments":null}', Read("", (("look", "{}"),))),
    (TAGGED, '<tool_call>{"name":"look","arguments":"{\\"at\\": \\"x\\"}"}', Read("", (LOOK,))),
    (
        TAGGED,
        '<tool_call>[{"name":"look","arguments":{"at": "x"}}, {"name":"listen"}]</tool_call>',
        Read("", (LOOK, ("listen", "{}"))),
    ),
    (
        TAGGED,
        '<tool_call>{"name":"look","arguments":{"a": "</tool_call>}"}}</tool_call>',
        Read("", (("look", '{"a": "</tool_call>}"}'),)),
    ),
    (
        TAGGED,
        '<tool_call>{"name":"look","arguments":{"a": ',
        Read("", (("look", '{"a": '),), "The answer ended within the call of 'look'."),
    ),
    (TAGGED, 'Oh <tool_call>{"arguments":{"a": ', Read('Oh <tool_call>{"arguments":{"a": ', (), CUT)),
    (TAGGED, "<tool_call>\n", Read("<tool_call>\n", (), CUT)),
    (TAGGED, "<tool_call>{}</tool_call>", Read("<tool_call>{}</tool_call>", (), "A tool call names no tool.")),
    (
        TAGGED,
        '<tool_call>{"name":"look","arguments":{a:1}}</tool_call> after',
        Read("</tool_call> after", (("look", "{a:1}"),), "The arguments of the call of 'look' are not a JSON object."),
    ),
    (
        TAGGED,
        '<tool_call>{"name":"look","arguments":[1]}',
        Read("", (("look", "[1]"),), "The arguments of the call of 'look' are not a JSON object."),
    ),
    (TAGGED, "I write <tool_call>prose</tool_call>.", Read("I write <tool_call>prose</tool_call>.", (), NONE)),
    (TAGGED, 'Sure:\n```json\n{"name": "look", "arguments": {"at": "x"}}\n```\n', Read("Sure:\n", (LOOK,))),
    (TAGGED, '{"name": "look", "arguments": {"at": "x"}}', Read("", (LOOK,))),
    (TAGGED, "```python\nprint({})\n``` ok", Read("```python\nprint({})\n``` ok")),
    (TAGGED, "```", Read("```")),
    *(
        (TAGGED, text, Read(text))
        for text in (
            '```json\n{"name": "Bob", "arguments": {"at": 1}}\n```',
            '```json\n{"name": "look", "age": 3}\n```',
            '```json\n[{"name": "look"}, {"name": "look"}]\n```',
            '```json\n{"name": "look"',
            '{"name": "look", "arguments": {"at": 1}} x',
            '{"name": "look", "arguments": 3}',
            '{"age": 1}',
            "{",
        )
    ),
    (WHOLE_ANSWER, '\n{"name": "look", "parameters": {"at": "x"}}\n', Read("", (LOOK,))),
    (HEADED, 'Hm.[TOOL_CALLS]look[ARGS]{"at": "x"}listen [ARGS] {}', Read("Hm.", (LOOK, ("listen", "{}")))),
    (HEADED, '[TOOL_CALLS]look[ARGS]{"at": "x"}[TOOL_CALLS]listen[ARGS]{}', Read("", (LOOK, ("listen", "{}")))),
    (HEADED, '[TOOL_CALLS] [{"name": "look", "arguments": {"at": "x"}}]', Read("", (LOOK,))),
    (HEADED, "hi [TOOL_CALLS]lo ok then", Read("hi [TOOL_CALLS]lo ok then", (), NONE)),
    (HEADED, "[TOOL_CALLS]look[ARGS]7", Read("[TOOL_CALLS]look[ARGS]7", (), NONE)),
    (HEADED, "[TOOL_CALLS]look[AR", Read("[TOOL_CALLS]look[AR", (), CUT)),
    (HEADED, "[TOOL_CALLS]look[ARGS] ", Read("[TOOL_CALLS]look[ARGS] ", (), CUT)),
    (
        XML,
        "Ok\n<tool_call>\n<function=look>\n<parameter=at>\nx\n</parameter>\n</function>\n</tool_call>",
        Read("Ok", (LOOK,)),
    ),
    (PYTHONIC, "<|tool_call_start|>[look(at='x'), listen()]<|tool_call_end|>", Read("", (LOOK, ("listen", "{}")))),
    (UNENDED, '[TOOL_CALLS]look[ARGS]{"at": "x"}', Read("", (LOOK,))),
]


@pytest.mark.parametrize(("syntax", "answer", "wanted"), CASES, ids=lambda value: str(value)[:40])
def test_an_answer_is_read_however_it_is_cut(syntax: ToolSyntax, answer: str, wanted: Read) -> None:
    assert read([answer], syntax) == wanted
    assert read(list(answer), syntax) == wanted
    for place in range(len(answer)):
        assert read([answer[:place], answer[place:]], syntax) == wanted


@pytest.mark.parametrize("block", ["nonsense", "<function=look", "<function=>\n</function>"])
def test_what_a_parser_cannot_read_is_told_as_text(block: str) -> None:
    answer = f"Ok <tool_call>{block}</tool_call> then"
    told = read(list(answer), XML)
    assert (told.text, told.calls) == (answer, ())
    assert (told.fault or "").startswith("A tool call could not be read: ")


def test_arguments_are_told_as_they_come() -> None:
    reader = ToolCallReader(ToolUse(**USE), TAGGED, reads_json=True)
    pieces = '<tool_call>{"name": "look", "argu', 'ments": {"at":', ' "x', '"}}'
    told = [[getattr(event, "arguments", None) for event in reader.push(piece)] for piece in pieces]
    assert told == [[""], ['{"at":'], [' "x'], ['"}', '{"at": "x"}']]


def test_without_parallel_calls_the_first_is_the_last() -> None:
    answer = '<tool_call>{"name":"look","arguments":{"at": "x"}}</tool_call><tool_call>{"name":"listen"}</tool_call>'
    assert read(list(answer), TAGGED, is_parallel=False) == Read("", (LOOK,))
    answer = "<|tool_call_start|>[look(at='x'), listen()]<|tool_call_end|>"
    assert read([answer], PYTHONIC, is_parallel=False) == Read("", (LOOK,))


def test_a_forced_object_is_told_as_it_comes() -> None:
    answer = '{"name": "look", "arguments": {"at": "x"}}'
    assert read(list(answer), WHOLE_ANSWER, is_forced=True, reads_json=False) == Read("", (LOOK,))
    cut = read([answer[:-4]], WHOLE_ANSWER, is_forced=True, reads_json=False)
    assert cut == Read("", (("look", '{"at": "'),), "The answer ended within the call of 'look'.")


def test_json_that_an_output_asks_for_is_no_call() -> None:
    answer = '{"name": "look", "arguments": {}}'
    assert read(list(answer), TAGGED, reads_json=False) == Read(answer)


def test_ids_of_calls_differ() -> None:
    reader = ToolCallReader(ToolUse(**USE), TAGGED, reads_json=True)
    told = list(reader.push('<tool_call>{"name":"look"}</tool_call><tool_call>{"name":"look"}</tool_call>'))
    assert {event.id for event in told if isinstance(event, ToolCallDelta)} == {"call_00", "call_01"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=4), st.integers(0, 60), st.booleans())
def test_any_arguments_arrive(arguments: dict[str, Any], place: int, is_pretty: bool) -> None:
    text = json.dumps(arguments, indent=2 if is_pretty else None)
    answer = f'{{ "id": 1, "name": "look", "arguments": {text} }}rest'
    reader = CallObjectReader()
    rest = reader.push(answer[:place])
    told = reader.take_arguments()
    rest += answer[place:] if reader.is_complete else reader.push(answer[place:])
    assert (reader.name, reader.arguments, rest) == ("look", text, "rest")
    assert told + reader.take_arguments() == text


def test_syntax_is_that_of_mlx_lms_parser() -> None:
    class Tokenizer:
        """What mlx-lm's wrapper knows of a model."""

        def __init__(self, parser: Any, start: str | None, end: str | None) -> None:
            self.has_tool_calling = start is not None
            self.tool_call_start = start
            self.tool_call_end = end
            self.tool_parser = parser

    assert known_syntax(Tokenizer(None, None, "")) is None
    assert known_syntax(Tokenizer(mistral.parse_tool_call, "[TOOL_CALLS]", "")) == HEADED
    assert known_syntax(Tokenizer(qwen3_coder.parse_tool_call, "<tool_call>", "</tool_call>")) == XML
