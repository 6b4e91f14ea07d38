"""Writes the OpenAPI description: `python -m cortex_entrypoints.write_openapi contracts/api/openapi.json`."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from quart import Quart

from cortex_entrypoints.container import build_container
from cortex_entrypoints.http.app import create_app
from cortex_entrypoints.settings import Settings


def main() -> None:
    """Writes the file that the command line names."""
    settings = Settings(default_model="fake/echo", enable_agents=True)
    app = create_app(build_container(settings).cortex(), settings)
    Path(sys.argv[1]).write_text(asyncio.run(openapi_text(app)), encoding="utf-8")


async def openapi_text(app: Quart) -> str:
    """Renders the description of an app, the same for the same routes."""
    async with app.app_context():
        description: dict[str, Any] = app.extensions["QUART_SCHEMA"].openapi_provider.schema()
    return json.dumps(description, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    main()
