"""Tests that an adapter of Cortex passes, for us and for everybody else: subclass one class, give it one fixture.

Each port has a module of its name that holds a contract class and the harness that its fixture returns. The tests carry
the ids of `cortex_contracts.requirements`; `cortex_contracts.broken_adapters` shows that each of them can fail.
"""

import pytest

pytest.register_assert_rewrite(
    *(
        f"{__name__}.{port}"
        for port in (
            "agent_run_store",
            "text_generator",
            "prompt_counter",
            "model_loader",
            "model_store",
            "clock",
            "code_executor",
            "engine_monitor",
            "page_fetcher",
            "task_runner",
            "tool_provider",
            "web_searcher",
            "workspace",
        )
    )
)
