"""The program inside the sandbox: bounds itself, runs the code, and says what came of it.

It is given to the interpreter as text and imports the standard library only. What it says is no more to be trusted than
the code: both share a process. What confines them is outside.

It reads lines of JSON from its standard input and writes some to the descriptor that its first argument names: it says
`{"ready": true}`, reads what to run, says `{"call": …}` and reads the answer as often as the code calls a function, and
says `{"end": …}`.
"""

import ast
import contextlib
import json
import math
import os
import resource
import sys
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

_CODE = "<code>"
_DEEPEST = 64
_MOST_FRAMES = 20
_LONGEST_MESSAGE = 2000
_LONGEST_LINE = 200
_LONGEST_NUMBER_BITS = 14_000  # about what Python writes in decimal without being asked to

_Frame = tuple[int, str | None, str]


def main() -> None:
    """Runs one request, and ends the process."""
    channel = _Channel()
    channel.say({"ready": True})
    request = channel.hear()
    max_bytes = request["output_bytes"]
    functions = {name: channel.function(name, max_bytes) for name in request["functions"]}
    names = {"__name__": "__main__", **request["inputs"], **functions}
    _bound(request["limits"])
    end = _end(request["code"], names, max_bytes)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BaseException):  # the code may have put anything in its place
            stream.flush()
    channel.say({"end": end})
    os._exit(0)  # whatever threads the code started


class _Channel:
    """Speaks with the one who started this program, and hides that from the code as well as it goes."""

    def __init__(self) -> None:
        self._incoming = os.fdopen(os.dup(0), "rb")
        self._outgoing = int(sys.argv[1])
        self._turn = threading.Lock()
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)

    def say(self, message: object) -> None:
        rest = memoryview(json.dumps(message).encode() + b"\n")
        while rest:
            rest = rest[os.write(self._outgoing, rest) :]

    def hear(self) -> dict[str, Any]:
        heard: dict[str, Any] = json.loads(self._incoming.readline())
        return heard

    def function(self, name: str, max_bytes: int) -> Callable[..., object]:
        """Makes what the code calls."""

        def call(*args: object, **kwargs: object) -> object:
            message = {"call": name, "args": _sayable(list(args), max_bytes), "kwargs": _sayable(kwargs, max_bytes)}
            with self._turn:
                self.say(message)
                answer = self.hear()
            if "error" in answer:
                raise RuntimeError(answer["error"])
            return answer["value"]

        call.__name__ = name
        return call


def _sayable(arguments: object, max_bytes: int) -> object:
    try:
        return _Copy(max_bytes).copy(arguments, depth=0)
    except _NotJsonError:
        raise RuntimeError("Give it what JSON can say: numbers, text, lists and dicts.") from None
    except _TooLongError:
        raise RuntimeError("These arguments are too long.") from None


def _bound(limits: dict[str, int]) -> None:
    for name, value in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        if (name, sys.platform) != ("AS", "darwin"):  # where every process has far more of it than it uses
            most = resource.getrlimit(kind)[1]
            least = value if most == resource.RLIM_INFINITY else min(value, most)
            resource.setrlimit(kind, (least, least))


def _end(code: str, names: dict[str, Any], max_bytes: int) -> dict[str, object]:
    try:
        return _told(_run(code, names), max_bytes)
    except SystemExit as error:
        return {"status": "ok"} if error.code in (None, 0) else _failed("error", error, code)
    except MemoryError as error:
        names.clear()
        return _failed("memory_exceeded", error, code)
    except BaseException as error:  # noqa: BLE001 - code may raise anything
        return _failed("error", error, code)


def _run(code: str, names: dict[str, Any]) -> object:
    tree = ast.parse(code, _CODE)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, _CODE, "exec"), names)  # noqa: S102 - this is what it is for
    return eval(compile(ast.Expression(last.value), _CODE, "eval"), names) if isinstance(last, ast.Expr) else None  # noqa: S307


def _told(value: object, max_bytes: int) -> dict[str, object]:
    try:
        return {"status": "ok", "value": _Copy(max_bytes).copy(value, depth=0)}
    except _TooLongError:
        return {"status": "output_exceeded", "error": ("ValueError", "The value is too long to be told.", ())}
    except _NotJsonError:
        text = repr(value).encode("utf-8", "replace")[:max_bytes].decode("utf-8", "ignore")
        return {"status": "ok", "value": text, "is_value_repr": True}


def _failed(status: str, error: BaseException, code: str) -> dict[str, object]:
    places = _places(error.__traceback__)
    message = str(error)
    if isinstance(error, SyntaxError) and error.filename == _CODE:
        places.append((error.lineno or 1, "<module>"))
        message = error.msg
    frames = [_frame(line, function, code.splitlines()) for line, function in places[-_MOST_FRAMES:]]
    return {"status": status, "error": (type(error).__name__, message[:_LONGEST_MESSAGE], frames)}


def _places(traceback: TracebackType | None) -> list[tuple[int, str]]:
    """Finds where an exception passed the code, and leaves out what is around it."""
    places = []
    while traceback is not None:
        place = traceback.tb_frame.f_code
        if place.co_filename == _CODE:
            places.append((traceback.tb_lineno, place.co_name))
        traceback = traceback.tb_next
    return places


def _frame(line: int, function: str, lines: Sequence[str]) -> _Frame:
    source = lines[line - 1].strip()[:_LONGEST_LINE] if line <= len(lines) else ""
    return line, None if function == "<module>" else function, source


class _TooLongError(Exception):
    """The value would take more room than allowed."""


class _NotJsonError(Exception):
    """JSON cannot say the value."""


class _Copy:
    """Copies a value as JSON says it, and measures it on the way: it may hold one text a million times."""

    def __init__(self, room: int) -> None:
        self._room = room

    def copy(self, value: object, *, depth: int) -> object:
        if depth > _DEEPEST:
            raise _NotJsonError
        match value:
            case dict():
                self._use(2)
                return {self._key(key): self.copy(item, depth=depth + 1) for key, item in value.items()}
            case list() | tuple():
                self._use(2)
                return [self.copy(item, depth=depth + 1) for item in value]
            case _:
                return self._leaf(value)

    def _key(self, key: object) -> str:
        if not isinstance(key, str):
            raise _NotJsonError
        return self._text(key)

    def _leaf(self, value: object) -> object:
        match value:
            case str():
                return self._text(value)
            case None | bool():
                self._use(4)
            case int():
                self._use(1 + value.bit_length() // 3)
                if value.bit_length() > _LONGEST_NUMBER_BITS:
                    raise _TooLongError
            case float() if math.isfinite(value):
                self._use(8)
            case _:
                raise _NotJsonError
        return value

    def _text(self, text: str) -> str:
        self._use(len(text))
        encoded = text.encode("utf-8", "replace")
        self._use(2 + len(encoded) - len(text))
        return encoded.decode()

    def _use(self, size: int) -> None:
        self._room -= size
        if self._room < 0:
            raise _TooLongError


if __name__ == "__main__":
    main()
