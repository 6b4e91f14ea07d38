"""Doors into Cortex: the library, the HTTP server and the command line.

`open_cortex`, `Cortex`, `Settings` and `EnginePlacement` are what a program needs that embeds Cortex, `tool` makes its
functions tools, and `run_agent` runs an agent. They are imported on first use, because the command line starts from
this package too and must be quick.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cortex_entrypoints.container import EnginePlacement, open_cortex, tool
    from cortex_entrypoints.cortex import Cortex
    from cortex_entrypoints.embedded_agent_run import run_agent
    from cortex_entrypoints.settings import Settings, SettingsError, load_settings

__all__ = [
    "Cortex",
    "EnginePlacement",
    "Settings",
    "SettingsError",
    "load_settings",
    "open_cortex",
    "run_agent",
    "tool",
]

_HOMES = {
    "Cortex": "cortex_entrypoints.cortex",
    "EnginePlacement": "cortex_entrypoints.container",
    "Settings": "cortex_entrypoints.settings",
    "SettingsError": "cortex_entrypoints.settings",
    "load_settings": "cortex_entrypoints.settings",
    "open_cortex": "cortex_entrypoints.container",
    "run_agent": "cortex_entrypoints.embedded_agent_run",
    "tool": "cortex_entrypoints.container",
}


def __getattr__(name: str) -> object:
    from importlib import import_module  # noqa: PLC0415

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
