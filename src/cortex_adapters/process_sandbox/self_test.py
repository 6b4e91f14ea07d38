"""Looks whether a sandbox holds, before anything else is run in it.

It is not the contract, which is run where Cortex is made; it is for the machine at hand, whose system may be older,
newer or configured otherwise than any that was tried.
"""

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from cortex_domain.code_execution import CodeRequest, CodeResult, CodeStatus
from cortex_domain.errors import CodeExecutorUnavailableError

_PROGRAM: Final = """
import os, socket
found = []
try:
    with open(path) as file:
        found.append('read a file outside: ' + file.read())
except OSError:
    pass
try:
    with open(path, 'w') as file:
        found.append('wrote a file outside')
except OSError:
    pass
try:
    socket.create_connection(('127.0.0.1', port), timeout=1).close()
    found.append('reached a port of this machine')
except OSError:
    pass
try:
    os.kill(process, 0)
    found.append('reached a process of this machine')
except OSError:
    pass
found
"""


async def require_confinement(execute: Callable[[CodeRequest], Awaitable[CodeResult]], process: int, /) -> None:
    """Has code try to get out.

    Args:
        execute: Runs code in the sandbox.
        process: Number of a process that it must not reach.

    Raises:
        CodeExecutorUnavailableError: It got out, or could not be run.
    """
    async with _something_outside() as (path, secret, port):
        result = await execute(CodeRequest(code=_PROGRAM, inputs={"path": str(path), "port": port, "process": process}))
        kept = path.read_text() == secret
    if result.status is not CodeStatus.OK:
        raise CodeExecutorUnavailableError(f"The sandbox does not run code here: {result.error}.")
    if result.value or not kept:
        raise CodeExecutorUnavailableError(f"The sandbox does not hold on this machine: code {result.value}.")


@asynccontextmanager
async def _something_outside() -> AsyncIterator[tuple[Path, str, int]]:
    async def leave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    secret = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(dir=Path.home()) as directory:
        path = Path(directory) / "outside"
        path.write_text(secret)
        async with await asyncio.start_server(leave, "127.0.0.1", 0) as server:
            yield path, secret, server.sockets[0].getsockname()[1]
