"""Starts a worker, tells its process id, and lives until it is killed.

usage: python parent_of_a_worker.py [MODEL_DIRECTORY]

With a model, the worker generates all the while.
"""

import asyncio
import sys
from pathlib import Path

from cortex_adapters.mlx.engine_host import EngineHost
from cortex_adapters.mlx.process_link import ProcessLink
from cortex_domain.language_models import ModelFiles
from tests.adapters.mlx.engine_jobs import run, submit
from tests.adapters.mlx.tiny_model import TINY_MODEL


async def main(directories: list[str]) -> None:
    link = ProcessLink()
    host = EngineHost(link)
    await host.start()
    for directory in directories:
        await host.load(ModelFiles(model_id=TINY_MODEL, directory=Path(directory), revision=None, size_bytes=0))
        await submit(host, max_tokens=400).accepted
    print(link.pid, flush=True)  # noqa: T201 - the test reads it
    while directories:
        await run(host, max_tokens=400)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
