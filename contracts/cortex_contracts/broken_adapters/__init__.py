"""Adapters that are wrong on purpose, each in one way: proof that every requirement can fail.

Each wraps the adapter of a harness that is right and spoils one thing. A test runs the whole contract against each and
asserts that exactly the requirement it breaks is reported.
"""

from cortex_contracts.broken_adapters.agent_catalog import BROKEN_AGENT_CATALOGS
from cortex_contracts.broken_adapters.agent_registry import BROKEN_AGENT_REGISTRIES
from cortex_contracts.broken_adapters.agent_run_store import BROKEN_AGENT_RUN_STORES
from cortex_contracts.broken_adapters.breakage import Breakage
from cortex_contracts.broken_adapters.clock import BROKEN_CLOCKS
from cortex_contracts.broken_adapters.code_executor import BROKEN_CODE_EXECUTORS
from cortex_contracts.broken_adapters.engine_monitor import BROKEN_ENGINE_MONITORS
from cortex_contracts.broken_adapters.generation_suspender import BROKEN_GENERATION_SUSPENDERS
from cortex_contracts.broken_adapters.model_loader import BROKEN_MODEL_LOADERS
from cortex_contracts.broken_adapters.model_store import BROKEN_MODEL_STORES
from cortex_contracts.broken_adapters.page_fetcher import BROKEN_PAGE_FETCHERS
from cortex_contracts.broken_adapters.prompt_counter import BROKEN_PROMPT_COUNTERS
from cortex_contracts.broken_adapters.response_store import BROKEN_RESPONSE_STORES
from cortex_contracts.broken_adapters.task_runner import BROKEN_TASK_RUNNERS
from cortex_contracts.broken_adapters.text_generator import BROKEN_TEXT_GENERATORS
from cortex_contracts.broken_adapters.tool_provider import BROKEN_TOOL_PROVIDERS
from cortex_contracts.broken_adapters.web_searcher import BROKEN_WEB_SEARCHERS
from cortex_contracts.broken_adapters.workspace import BROKEN_WORKSPACES

__all__ = [
    "BROKEN_AGENT_CATALOGS",
    "BROKEN_AGENT_REGISTRIES",
    "BROKEN_AGENT_RUN_STORES",
    "BROKEN_CLOCKS",
    "BROKEN_CODE_EXECUTORS",
    "BROKEN_ENGINE_MONITORS",
    "BROKEN_GENERATION_SUSPENDERS",
    "BROKEN_MODEL_LOADERS",
    "BROKEN_MODEL_STORES",
    "BROKEN_PAGE_FETCHERS",
    "BROKEN_PROMPT_COUNTERS",
    "BROKEN_RESPONSE_STORES",
    "BROKEN_TASK_RUNNERS",
    "BROKEN_TEXT_GENERATORS",
    "BROKEN_TOOL_PROVIDERS",
    "BROKEN_WEB_SEARCHERS",
    "BROKEN_WORKSPACES",
    "Breakage",
]
