"""Tells text from tool calls in an answer as it comes.

What may become the beginning of a call is held back until that is known, and no longer. A call that is not what it
should be is not lost: what was not told as a call is told as text.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

from cortex_adapters.mlx.call_object_reader import CallObjectReader, call_in, is_json_object
from cortex_adapters.mlx.parsed_calls import parsed_calls
from cortex_adapters.mlx.told_calls import ToldCalls
from cortex_adapters.mlx.tool_syntax import Layout, ToolSyntax
from cortex_adapters.mlx.tool_use import ToolUse
from cortex_domain.events import TextDelta, ToolCallDelta, ToolCallFinished

CallEvents = Iterator[TextDelta | ToolCallDelta | ToolCallFinished]

_FENCE: Final = "```"
_FENCED_OBJECT: Final = re.compile(r"```\w*\s*(\{.*\})\s*```", re.DOTALL)
_MAY_BE_FENCED: Final = re.compile(r"```\w*\s*(\{.*)?", re.DOTALL)
_MEMBERS: Final = ('"name"', '"arguments"', '"parameters"')
_NAME: Final = re.compile(r"[\w.-]+")
_MAY_BE_HEADER: Final = re.compile(r"[\w.-]*\s*(\[\w*\]?)?\s*")
_CUT: Final = "The answer ended within a tool call."
_BETWEEN_OBJECTS: Final = " \t\r\n,[]"


class ToolCallReader:
    """Reads one answer.

    Attributes:
        fault: What is wrong with a call; None when nothing is.

    Args:
        use: The tools.
        syntax: How the model writes calls.
        reads_json: Whether a JSON object that is exactly one call, in a fence or as the whole answer, is one too.
    """

    def __init__(self, use: ToolUse, syntax: ToolSyntax, *, reads_json: bool) -> None:
        self.fault: str | None = None
        self._use = use
        self._syntax = syntax
        self._reads_json = reads_json
        self._marks = [mark for mark in (syntax.start, _FENCE if reads_json else None) if mark]
        self._calls = ToldCalls(use.call_ids)
        self._pending = ""
        self._untold = ""
        self._object = CallObjectReader()
        self._state: Callable[[bool], CallEvents] = self._read_beginning

    @property
    def has_whole_calls(self) -> bool:
        """Whether there are calls, and all of them are whole."""
        return self._calls.whole > 0 and self._calls.open_name is None

    @property
    def is_done(self) -> bool:
        """Whether the answer has all the calls that it may have."""
        return self.has_whole_calls and not self._use.is_parallel

    def push(self, text: str, /) -> CallEvents:
        """Takes the next text of the answer."""
        self._pending += text
        yield from self._advance(is_last=False)

    def end(self) -> CallEvents:
        """Takes the end of the answer."""
        yield from self._advance(is_last=True)
        if self._calls.open_name is not None and self.fault is None:
            self.fault = f"The answer ended within the call of {self._calls.open_name!r}."

    def _advance(self, *, is_last: bool) -> CallEvents:
        """Goes from state to state until one wants more text than there is."""
        while True:
            before = self._state, len(self._pending)
            yield from self._state(is_last)
            if self.is_done or before == (self._state, len(self._pending)):
                return

    def _read_beginning(self, is_last: bool) -> CallEvents:
        """Nothing but white space has come."""
        begun = self._pending.lstrip()
        if begun.startswith("{") and self._syntax.start is None and self._use.is_forced:
            self._pending = begun
            self._begin_object(CallObjectReader())
        elif begun.startswith("{") and self._reads_json:
            self._state = self._read_whole_answer
        elif begun or is_last:
            self._state = self._read_text
        yield from ()

    def _read_whole_answer(self, is_last: bool) -> CallEvents:
        """The answer began with a brace: it is a call only if it is nothing else."""
        if not is_last and _may_be_call(self._pending.lstrip()):
            return
        calls = self._call_in(self._pending) if is_last else []
        self._pending = "" if calls else self._pending
        self._state = self._read_text
        yield from calls

    def _read_text(self, is_last: bool) -> CallEvents:
        found = [(place, mark) for mark in self._marks if (place := self._pending.find(mark)) >= 0]
        if found:
            place, mark = min(found)
            text, self._pending = self._pending[:place], self._pending[place:]
            self._state = self._read_fence if mark == _FENCE else self._read_mark
            said = text if mark == _FENCE else text.rstrip()
            self._untold = text[len(said) :]
            yield from self._say(said)
        else:
            text = self._pending if is_last else self._settled()
            self._pending = self._pending[len(text) :]
            yield from self._say(text)

    def _read_fence(self, is_last: bool) -> CallEvents:
        closing = self._pending.find(_FENCE, len(_FENCE))
        if closing < 0 and not is_last and _MAY_BE_FENCED.fullmatch(self._pending):
            return
        block = self._pending[: closing + len(_FENCE)] if closing >= 0 else self._pending
        self._pending = self._pending[len(block) :]
        self._state = self._read_text
        found = _FENCED_OBJECT.fullmatch(block)
        calls = self._call_in(found[1]) if found else []
        yield from calls or self._say(block)

    def _read_mark(self, _is_last: bool) -> CallEvents:
        """The text that begins calls has come whole."""
        assert self._syntax.start is not None
        self._untold += self._syntax.start
        self._pending = self._pending[len(self._syntax.start) :]
        self._state = self._read_block if self._syntax.layout is Layout.OTHER else self._read_between
        yield from ()

    def _read_block(self, is_last: bool) -> CallEvents:
        """What only a parser reads, and only as a whole."""
        assert self._syntax.parse is not None
        place = self._pending.find(self._syntax.end) if self._syntax.end else -1
        if place < 0 and not is_last:
            return
        block = self._pending if place < 0 else self._pending[:place]
        self._pending = self._pending[len(block) + len(self._syntax.end) :]
        try:
            calls = parsed_calls(self._syntax.parse, block, self._use.tools)
            for name, arguments in calls if self._use.is_parallel else calls[:1]:
                yield from self._calls.tell(name, arguments)
            self._untold, self._state = "", self._read_text
        except ValueError as error:
            self._untold += block + (self._syntax.end if place >= 0 else "")
            yield from self._give_up(f"A tool call could not be read: {error}.")

    def _read_between(self, is_last: bool) -> CallEvents:
        """A call may begin, or the calls may end."""
        begun = self._pending.lstrip(_BETWEEN_OBJECTS)
        end = self._syntax.end
        if begun.startswith("{"):
            self._pending = begun
            self._begin_object(CallObjectReader())
        elif self._syntax.start and self._pending.lstrip().startswith(self._syntax.start):
            self._pending = self._pending.lstrip()
            self._untold, self._state = "", self._read_mark
        elif end and begun.startswith(end):
            self._pending = begun[len(end) :]
            self._untold, self._state = "", self._read_text
        elif not is_last and (self._syntax.start or "").startswith(self._pending.lstrip()):
            return
        elif begun and self._syntax.layout is Layout.HEADED:
            yield from self._read_header(begun, is_last)
        elif is_last or (begun and not end.startswith(begun)):
            yield from self._leave_block("What began like a tool call is none." if begun else _CUT)

    def _read_header(self, begun: str, is_last: bool) -> CallEvents:
        name, mark, rest = begun.partition(self._syntax.header_end)
        if mark and not rest.strip() and not is_last:
            return
        if _NAME.fullmatch(name.strip()) and rest.lstrip().startswith("{"):
            self._pending = rest.lstrip()
            yield self._calls.begin(name.strip())
            self._begin_object(CallObjectReader(name.strip()))
        elif is_last or mark or not _MAY_BE_HEADER.fullmatch(begun):
            yield from self._leave_block(_CUT if is_last else "What began like a tool call is none.")

    def _leave_block(self, fault: str) -> CallEvents:
        """No call stands where one could."""
        if self._untold:
            yield from self._give_up(fault)
        else:
            self._pending = self._pending.lstrip(_BETWEEN_OBJECTS)
            self._state = self._read_text

    def _begin_object(self, reader: CallObjectReader) -> None:
        self._object = reader
        self._state = self._read_object

    def _read_object(self, is_last: bool) -> CallEvents:
        text, self._pending = self._pending, ""
        rest = self._object.push(text)
        if self._calls.open_name is None:
            self._untold += text[: len(text) - len(rest)]
            if not self._object.name:
                if self._object.is_complete or is_last:
                    self._pending = rest
                    yield from self._give_up("A tool call names no tool." if self._object.is_complete else _CUT)
                return
            yield self._calls.begin(self._object.name)
        self._untold = ""
        yield from self._calls.go_on(self._object.take_arguments())
        if self._object.is_complete:
            self._pending = rest
            yield from self._end_object()

    def _end_object(self) -> CallEvents:
        if is_json_object(self._object.arguments):
            self._state = self._read_between if self._syntax.start else self._read_text
            yield self._calls.finish()
        else:
            yield from self._give_up(f"The arguments of the call of {self._calls.open_name!r} are not a JSON object.")

    def _call_in(self, text: str) -> list[ToolCallDelta | ToolCallFinished]:
        """Tells a text that is exactly one call of a tool; nothing when it is anything else."""
        call = call_in(text)
        if call is None or call[0] not in {tool["name"] for tool in self._use.callable_tools}:
            return []
        return list(self._calls.tell(*call))

    def _give_up(self, fault: str) -> CallEvents:
        """Tells the rest of the answer as text."""
        self.fault = fault
        self._state = self._read_rest
        text, self._untold = self._untold, ""
        yield from self._say(text)

    def _read_rest(self, _is_last: bool) -> CallEvents:
        text, self._pending = self._pending, ""
        yield from self._say(text)

    def _settled(self) -> str:
        """The pending text up to what may become a mark, with the white space before it."""
        most = max(map(_opening_of(self._pending), self._marks), default=0)
        return self._pending[: len(self._pending) - most].rstrip()

    def _say(self, text: str) -> CallEvents:
        if text and not (self._calls.whole and text.isspace()):
            yield TextDelta(text=text)


def _may_be_call(text: str) -> bool:
    """Tells whether a text that begins with a brace may go on as a call."""
    begun = text[1:].lstrip()
    return any(begun.startswith(member) or member.startswith(begun) for member in _MEMBERS)


def _opening_of(text: str) -> Callable[[str], int]:
    """Returns what tells how much of a mark the end of this text may be."""

    def overlap(mark: str) -> int:
        longest = min(len(text), len(mark) - 1)
        return next((length for length in range(longest, 0, -1) if text.endswith(mark[:length])), 0)

    return overlap
