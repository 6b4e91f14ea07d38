"""Names for the tools of MCP servers: `<server>__<tool>`, which no two tools share.

Whatever is not allowed in a name is replaced, and a digest of the original keeps what was replaced apart. A server's
part holds no `__` and does not end with `_`, so the first `__` ends it and servers never take each other's names.
"""

import hashlib
import re

SEPARATOR = "__"
_SERVER_LENGTH = 40
_WHOLE_LENGTH = 128
_DIGEST_LENGTH = 8
_SERVER = re.compile(r"[A-Za-z0-9-]+(_[A-Za-z0-9-]+)*")
_TOOL = re.compile(r"[A-Za-z0-9_-]+")
_FORBIDDEN = re.compile(r"[^A-Za-z0-9-]+")


def server_prefix(server: str, /) -> str:
    """What the names of a server's tools begin with."""
    if len(server) <= _SERVER_LENGTH and _SERVER.fullmatch(server):
        return server + SEPARATOR
    return _replaced(server, _SERVER_LENGTH) + SEPARATOR


def tool_name(prefix: str, tool: str, /) -> str:
    """Names a tool of the server with this prefix."""
    room = _WHOLE_LENGTH - len(prefix)
    if len(tool) <= room and _TOOL.fullmatch(tool):
        return prefix + tool
    return prefix + _replaced(tool, room)


def _replaced(name: str, room: int) -> str:
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_LENGTH]
    kept = _FORBIDDEN.sub("_", name)[: room - _DIGEST_LENGTH - 1].strip("_")
    return f"{kept}_{digest}" if kept else digest
