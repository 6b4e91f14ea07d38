"""An MCP server in 80 lines of standard library, which starts in milliseconds and misbehaves as its argument says."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

_MODE = sys.argv[1] if len(sys.argv) > 1 else "well"
_LOCK = threading.Lock()
_CANCELLED: set[Any] = set()
_TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


def write(said: str) -> None:
    sys.stdout.write(said)
    sys.stdout.flush()


def say(**message: Any) -> None:
    with _LOCK:
        write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")


def tools() -> list[dict[str, Any]]:
    echo = {"name": "echo", "description": "Says it again.", "inputSchema": _TEXT}
    match _MODE:
        case "many-tools":
            return [{**echo, "name": f"echo{number}"} for number in range(10_000)]
        case "nonsense":
            bad: list[dict[str, Any]] = [{"minProperties": "a"}, {"properties": {"a": {"type": "nothing"}}}, _deep(90)]
            bad += [{"properties": {"a": {"$ref": "http://127.0.0.1:9/schema"}}}, {"enum": ["x" * 65_000]}]
            return [
                echo,
                echo,
                *({"name": f"bad{at}", "inputSchema": {"type": "object", **each}} for at, each in enumerate(bad)),
            ]
        case "no-schema":
            return [echo, {"name": "bad", "inputSchema": {"type": "array"}}]
        case "new-tools":
            return [echo, *([{**echo, "name": "late"}] if _CANCELLED else [])]
        case _:
            rest = ("environment", "slow", "fail", "exit", "huge", "invalid", "spawn", "flood")
            return [echo, *({"name": name, "inputSchema": {"type": "object"}} for name in rest)]


def _deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": said}], **more}


def use(request: int, name: str, arguments: dict[str, Any], meta: dict[str, Any]) -> None:
    match name:
        case "environment":
            say(id=request, result=text(json.dumps(dict(os.environ))))
        case "slow":
            work_slowly(request, arguments.get("path"), meta.get("progressToken"))
        case "fail":
            say(id=request, result=text("It is broken.", isError=True))
        case "exit":
            sys.stderr.write("no paper\n")
            os._exit(3)
        case "huge":
            say(id=request, result=text("x" * 100_000_000))
        case "invalid":
            say(id=request, result={"content": "none"})
        case "spawn":
            child = subprocess.Popen(["sleep", "600"], start_new_session=True)
            say(id=request, result=text(str(child.pid)))
        case "flood":
            while True:
                say(method="notifications/tools/list_changed")
        case _:
            say(id=request, result=text(arguments["text"]))


def work_slowly(request: int, path: str | None, token: Any) -> None:
    """Reports, and appends to a file as long as it works, until it is cancelled."""
    say(method="notifications/progress", params={"progressToken": token, "progress": 1, "total": 4, "message": "one"})
    while request not in _CANCELLED:
        if path:
            with Path(path).open("a") as file:
                file.write(".")
        time.sleep(0.02)


def heed(message: dict[str, Any]) -> None:
    method, request = message.get("method"), message.get("id")
    params = message.get("params") or {}
    if method == "initialize":
        result = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {"listChanged": True}}}
        say(id=request, result={**result, "serverInfo": {"name": "raw", "version": "1"}})
    elif method == "tools/list" and _MODE == "endless":
        page = [{"name": f"t{time.monotonic_ns()}", "inputSchema": {"type": "object"}}]
        say(id=request, result={"tools": page, "nextCursor": "more"})
    elif method == "tools/list":
        say(id=request, result={"tools": tools()})
        if _MODE == "deaf":
            time.sleep(600)
    elif method == "tools/call":
        assert isinstance(request, int)
        arguments = (request, params["name"], params.get("arguments") or {}, params.get("_meta") or {})
        threading.Thread(target=use, args=arguments, daemon=True).start()
        if _MODE == "new-tools":
            _CANCELLED.add("changed")
            say(method="notifications/tools/list_changed")
    elif method == "notifications/cancelled":
        _CANCELLED.add(params["requestId"])
    elif request is not None:
        say(id=request, error={"code": -32601, "message": "Method not found"})


def repeat(said: str) -> None:
    while True:
        write(said)


def complain() -> None:
    while True:
        sys.stderr.write("No good will come of this. " * 1_000 + "\n")


def main() -> None:
    match _MODE:
        case "exits":
            sys.exit("no such database")
        case "silent":
            time.sleep(600)
        case "garbage":
            write("Listening …\n" * 3)
        case "garbage-only":
            repeat("Listening …\n")
        case "endless-line":
            repeat("x" * 65536)
        case "noisy":
            threading.Thread(target=complain, daemon=True).start()
        case "stubborn":
            import signal

            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            threading.Thread(target=time.sleep, args=(600,)).start()
        case _:
            pass
    for line in sys.stdin:
        heed(json.loads(line))


main()
