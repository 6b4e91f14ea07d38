"""All that an adapter author can implement, one file each."""

from cortex_domain.ports.agent_catalog import AgentCatalog
from cortex_domain.ports.agent_registry import AgentRegistry
from cortex_domain.ports.agent_run_store import AgentRunStore
from cortex_domain.ports.clock import Clock
from cortex_domain.ports.code_executor import CodeExecutor
from cortex_domain.ports.engine_monitor import EngineMonitor
from cortex_domain.ports.generation_suspender import GenerationSuspender
from cortex_domain.ports.model_loader import ModelLoader
from cortex_domain.ports.model_store import ModelStore
from cortex_domain.ports.page_fetcher import PageFetcher
from cortex_domain.ports.prompt_counter import PromptCounter
from cortex_domain.ports.response_store import ResponseStore
from cortex_domain.ports.task_runner import TaskRunner
from cortex_domain.ports.text_generator import TextGenerator
from cortex_domain.ports.tool_provider import ToolProvider
from cortex_domain.ports.web_searcher import WebSearcher
from cortex_domain.ports.workspace import Workspace

__all__ = [
    "AgentCatalog",
    "AgentRegistry",
    "AgentRunStore",
    "Clock",
    "CodeExecutor",
    "EngineMonitor",
    "GenerationSuspender",
    "ModelLoader",
    "ModelStore",
    "PageFetcher",
    "PromptCounter",
    "ResponseStore",
    "TaskRunner",
    "TextGenerator",
    "ToolProvider",
    "WebSearcher",
    "Workspace",
]
