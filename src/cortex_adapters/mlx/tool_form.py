"""How one model is told of tools, and how it writes its calls.

A template that has a place for tools gets them, and messages with calls and results as the Hugging Face convention has
them. For a model whose template has none, tools, calls and results are written into messages of text, in the form of
`TEXT_FORM`.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Final

import jinja2

from cortex_adapters.mlx.call_object_reader import is_json_object
from cortex_adapters.mlx.grammar_compiler import CompiledGrammar
from cortex_adapters.mlx.grammars import Grammar, lark_json
from cortex_adapters.mlx.tool_call_reader import ToolCallReader
from cortex_adapters.mlx.tool_grammar import arguments_schema, tool_grammar
from cortex_adapters.mlx.tool_syntax import TAGGED, WHOLE_ANSWER, Layout, ToolSyntax, known_syntax
from cortex_adapters.mlx.tool_text import TextForm
from cortex_adapters.mlx.tool_use import ToolUse
from cortex_domain.errors import InvalidRequestError
from cortex_domain.messages import Message, Role, ToolCallPart, ToolResultPart

Conversation = list[dict[str, Any]]
WriteMessage = Callable[[Message], dict[str, Any]]
TakeOut = Callable[[str], str]
"""Takes out of a text what would become a control token."""

_PROBE: Final = "probe_9f3c"
_ID_CHARACTERS: Final = 9
"""Mistral's templates take ids of nine letters and digits only."""


class ToolForm:
    """The form of one model; any thread may use it.

    Args:
        tokenizer: The model's, as mlx-lm wraps it.
        special_texts: Texts that are one token of the model's, and never written otherwise.
        text_form: How a model is told of tools whose template has no place for them.
    """

    def __init__(
        self,
        tokenizer: Any,  # noqa: ANN401 - mlx-lm's
        special_texts: Collection[str],
        text_form: TextForm,
    ) -> None:
        self._tokenizer = tokenizer
        self._special_texts = special_texts
        self._text_form = text_form

    @cached_property
    def template_takes_tools(self) -> bool:
        """Whether the template has a place for tools. It runs the template, so let no engine wait for it."""
        tool = {"type": "function", "function": {"name": _PROBE, "description": "", "parameters": {"type": "object"}}}
        return _PROBE in (self._rendered([{"role": "user", "content": "?"}], tools=[tool]) or "")

    @cached_property
    def _writes_arguments_as_text(self) -> bool:
        """Whether the template takes the arguments of a call as JSON text only; most take the object."""
        return self._rendered(_chat_with_call({})) is None and self._rendered(_chat_with_call("{}")) is not None

    def _rendered(self, conversation: Conversation, **arguments: object) -> str | None:
        """Renders a chat; None when the template refuses it."""
        try:
            rendered: str = self._tokenizer.apply_chat_template(
                conversation, tokenize=False, add_generation_prompt=True, **arguments
            )
        except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError):
            return None
        return rendered

    @cached_property
    def syntax(self) -> ToolSyntax:
        """How the model writes calls when it is free to."""
        if not self.template_takes_tools:
            return TAGGED
        return known_syntax(self._tokenizer) or WHOLE_ANSWER

    @property
    def marks(self) -> frozenset[str]:
        """The texts that no message may forge: the marks of calls that the model knows."""
        syntax = known_syntax(self._tokenizer)
        return frozenset(filter(None, (syntax.start, syntax.end))) if syntax else frozenset()

    def compile_grammar(
        self, use: ToolUse, output: Grammar | None, compile_one: Callable[[Grammar], CompiledGrammar]
    ) -> CompiledGrammar | None:
        """Compiles what an answer is held to; None leaves it free.

        Args:
            use: The tools.
            output: What text without calls is held to; None leaves it free.
            compile_one: Compiles a grammar.

        Raises:
            InvalidRequestError: Calls and the output cannot be combined, or the schema of a tool cannot be followed.
        """
        if use.is_forced and not self.template_takes_tools:
            use = replace(use, is_parallel=False)  # one that was never shown tools does not know when it is enough
        syntax = self._syntax_of(use, has_output=output is not None)
        if syntax.layout is Layout.OTHER or (syntax.start is None and not use.is_forced and output is None):
            return None
        grammar = tool_grammar(use, syntax, self._special_texts, output=output)
        try:
            return compile_one(grammar)
        except InvalidRequestError:
            _require_sound_schemas(use, compile_one)
            raise

    def reader(self, use: ToolUse, *, has_output: bool) -> ToolCallReader:
        """Makes what reads the calls of one answer."""
        is_free = not use.is_forced and not has_output
        return ToolCallReader(use, self._syntax_of(use, has_output=has_output), reads_json=is_free)

    def _syntax_of(self, use: ToolUse, *, has_output: bool) -> ToolSyntax:
        """Tells how calls are written in one answer."""
        if use.is_forced:
            return self.syntax.when_forced
        # Beside an output calls need marks of their own, that a grammar knows.
        has_marks = self.syntax.start is not None and self.syntax.layout is not Layout.OTHER
        return TAGGED if has_output and not has_marks else self.syntax

    def conversation(
        self, messages: Sequence[Message], use: ToolUse | None, *, write: WriteMessage, take_out: TakeOut
    ) -> tuple[Conversation, Sequence[Mapping[str, Any]]]:
        """Writes a chat as its template takes it, and the tools that go with it; none where it takes none.

        Args:
            messages: The chat.
            use: The tools; None when there are none.
            write: Writes what a message has besides calls and results.
            take_out: Takes out of a text what would become a control token.
        """
        tools = [] if use is None else [_without_control(tool, take_out) for tool in use.tools]
        if self.template_takes_tools:
            offered = [{"type": "function", "function": tool} for tool in tools]
            written = _with_tool_messages(messages, write, take_out)
            return (_with_arguments_as_text(written) if self._writes_arguments_as_text else written), offered
        return self._text_form.conversation(messages, tools, write=write, take_out=take_out), []


def _with_tool_messages(messages: Sequence[Message], write: WriteMessage, take_out: TakeOut) -> Conversation:
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    conversation: Conversation = []
    for message in messages:
        for result in message.tool_results:
            conversation.append(_written_result(result, names[result.call_id], take_out))
        if message.tool_calls:
            calls = [_written_call(call, take_out) for call in message.tool_calls]
            conversation.append({**write(message), "tool_calls": calls})
        elif message.role is not Role.TOOL:
            conversation.append(write(message))
    return conversation


def _with_arguments_as_text(conversation: Conversation) -> Conversation:
    for message in conversation:
        for call in message.get("tool_calls", ()):
            call["function"]["arguments"] = json.dumps(call["function"]["arguments"], ensure_ascii=False)
    return conversation


def _chat_with_call(arguments: object) -> Conversation:
    """Writes a chat with a call, to find out how a template takes it."""
    call = {"id": "0" * _ID_CHARACTERS, "type": "function", "function": {"name": _PROBE, "arguments": arguments}}
    return [
        {"role": "user", "content": "?"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "name": _PROBE, "content": "!"},
    ]


def _written_result(result: ToolResultPart, name: str, take_out: TakeOut) -> dict[str, Any]:
    return {
        "role": Role.TOOL.value,
        "tool_call_id": _short_id(result.call_id),
        "name": take_out(name),
        "content": take_out(result.text),
    }


def _written_call(call: ToolCallPart, take_out: TakeOut) -> dict[str, Any]:
    # Templates go through the arguments or write them as JSON; what is none, because a model erred, is kept as text.
    arguments = json.loads(call.arguments) if is_json_object(call.arguments) else {"": call.arguments}
    function = {"name": take_out(call.name), "arguments": _without_control(arguments, take_out)}
    return {"id": _short_id(call.id), "type": "function", "function": function}


def _require_sound_schemas(use: ToolUse, compile_one: Callable[[Grammar], CompiledGrammar]) -> None:
    """Finds the tool whose schema cannot be followed."""
    for number, tool in enumerate(use.tools):
        try:
            compile_one(Grammar(text=f"start: {lark_json(arguments_schema(tool))}", parameter="tools"))
        except InvalidRequestError as error:
            raise InvalidRequestError(
                f"The parameters of the tool {tool['name']!r} cannot be followed. {error.message}",
                parameter=f"tools.{number}",
            ) from error


def _without_control(value: Any, take_out: TakeOut) -> Any:  # noqa: ANN401 - any JSON
    """Takes control tokens out of all texts of a JSON value."""
    if isinstance(value, str):
        return take_out(value)
    if isinstance(value, list):
        return [_without_control(item, take_out) for item in value]
    if isinstance(value, dict):
        return {take_out(key): _without_control(item, take_out) for key, item in value.items()}
    return value


def _short_id(call_id: str) -> str:
    return hashlib.sha256(call_id.encode()).hexdigest()[:_ID_CHARACTERS]
