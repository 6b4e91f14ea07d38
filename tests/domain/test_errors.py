import inspect
from collections.abc import Iterator

import pytest

from cortex_domain import errors
from cortex_domain.errors import (
    AgentNotFoundError,
    AgentReadOnlyError,
    AgentRunBusyError,
    AgentRunConflictError,
    AgentRunNotFoundError,
    ApprovalNotPendingError,
    ContextWindowExceededError,
    ContractViolationError,
    CortexError,
    GeneratorBusyError,
    InsufficientMemoryError,
    InsufficientStorageError,
    InvalidAgentError,
    InvalidModelError,
    InvalidRequestError,
    InvalidToolArgumentsError,
    LoadOptionRefusedError,
    MemoryExceededError,
    MemoryPressureError,
    ModelAccessDeniedError,
    ModelDownloadError,
    ModelInUseError,
    ModelLoadedOtherwiseError,
    ModelNotDownloadedError,
    ModelNotFoundError,
    ModelNotLoadedError,
    RequestRefusedError,
    ResourceUnavailableError,
    ShuttingDownError,
    ToolDeniedError,
    ToolFailedError,
    ToolNotFoundError,
    UnavailableReason,
    UnsupportedCapabilityError,
)


def all_errors() -> Iterator[type[CortexError]]:
    """The domain's own: doors add theirs, which are subclasses too once they are imported."""
    for value in vars(errors).values():
        if isinstance(value, type) and issubclass(value, CortexError) and value is not CortexError:
            yield value


def test_the_tree_at_the_top_of_the_file_is_complete() -> None:
    drawing = inspect.getdoc(errors)
    assert drawing is not None
    for error in all_errors():
        line = next(line for line in drawing.splitlines() if error.__name__ in line)
        is_child = line.startswith(("│", "    "))
        assert is_child == (error.__base__ is not CortexError)


def test_codes_are_unique() -> None:
    codes = [error.code for error in all_errors()]
    assert len(codes) == len(set(codes))
    assert all(code.islower() and code.isidentifier() for code in codes)


def test_each_error_says_who_can_act() -> None:
    families = (RequestRefusedError, ResourceUnavailableError, ToolFailedError, ContractViolationError)
    assert all(issubclass(error, families) for error in all_errors())


@pytest.mark.parametrize(
    ("error", "facts", "said"),
    [
        (InvalidRequestError("No.", parameter="stop"), {"parameter": "stop"}, "No."),
        (
            UnsupportedCapabilityError(capability="seed", model_id="a/b", parameter="seed"),
            {"capability": "seed", "model_id": "a/b", "parameter": "seed"},
            "does not support 'seed'",
        ),
        (
            ContextWindowExceededError(prompt_tokens=9, max_tokens=None, context_window=8),
            {"prompt_tokens": 9, "max_tokens": None, "context_window": 8},
            "9 tokens, but the context window holds 8",
        ),
        (
            ContextWindowExceededError(prompt_tokens=5, max_tokens=4, context_window=8),
            {"prompt_tokens": 5, "max_tokens": 4, "context_window": 8},
            "max_tokens asks for 4 more",
        ),
        (
            MemoryExceededError(model_id="a/b", required_bytes=3, available_bytes=2),
            {"model_id": "a/b", "required_bytes": 3, "available_bytes": 2},
            "take 3 bytes of memory, and there are 2 beside 'a/b'",
        ),
        (
            MemoryPressureError(model_id="a/b", required_bytes=3, available_bytes=2),
            {"required_bytes": 3, "available_bytes": 2, "reason": "memory_pressure", "retry_after_s": 5},
            "take 3 bytes of memory, and 2 are free",
        ),
        (ModelNotFoundError(model_id="a/b"), {"model_id": "a/b", "nearest": ()}, "List the models"),
        (
            ModelNotFoundError(model_id="a/b", nearest=["a/c", "a/d"]),
            {"model_id": "a/b", "nearest": ("a/c", "a/d")},
            "Did you mean a/c, a/d?",
        ),
        (
            ModelLoadedOtherwiseError(model_id="a/b", options=["lora_weights"]),
            {"model_id": "a/b", "options": ("lora_weights",)},
            "loaded with another lora_weights. Unload it first",
        ),
        (
            LoadOptionRefusedError(model_id="a/b", parameter="lora_weights", reason="they are cursed"),
            {"model_id": "a/b", "parameter": "lora_weights", "reason": "they are cursed"},
            "cannot be loaded with this lora_weights: they are cursed.",
        ),
        (ToolNotFoundError(name="dig"), {"name": "dig"}, "There is no tool 'dig'"),
        (ToolDeniedError(name="dig"), {"name": "dig"}, "denies the use of the tool 'dig'"),
        (InvalidToolArgumentsError("Say how deep.", name="dig"), {"name": "dig"}, "Say how deep."),
        (AgentNotFoundError(name="mole"), {"name": "mole"}, "There is no agent 'mole'"),
        (AgentReadOnlyError(name="mole"), {"name": "mole"}, "'mole' is built in or comes from a file"),
        (
            InvalidAgentError(name="mole", source="agents/mole.toml", reason="tools: no"),
            {"name": "mole", "source": "agents/mole.toml", "reason": "tools: no"},
            "agents/mole.toml: tools: no.",
        ),
        (AgentRunNotFoundError(run_id="run_1"), {"run_id": "run_1"}, "There is no agent run 'run_1'"),
        (AgentRunConflictError(run_id="run_1"), {"run_id": "run_1"}, "'run_1' went on meanwhile"),
        (AgentRunBusyError(run_id="run_1"), {"run_id": "run_1"}, "'run_1' is being worked on"),
        (
            ApprovalNotPendingError(run_id="run_1", call_id="call_2"),
            {"run_id": "run_1", "call_id": "call_2"},
            "The call 'call_2' of the agent run 'run_1' waits for no decision",
        ),
        (
            ToolFailedError("Too hard.", reason="rock", is_transient=True),
            {"reason": "rock", "is_transient": True},
            "Too hard.",
        ),
        (ModelNotDownloadedError(model_id="a/b"), {"model_id": "a/b"}, "Pull it first"),
        (ModelAccessDeniedError(model_id="a/b"), {"model_id": "a/b"}, "HF_TOKEN"),
        (ModelInUseError(model_id="a/b"), {"model_id": "a/b"}, "Unload it first"),
        (InvalidModelError(model_id="a/b", reason="it is torn"), {"reason": "it is torn"}, "it is torn."),
        (GeneratorBusyError("Later.", retry_after_s=2), {"retry_after_s": 2, "reason": "queue_full"}, "Later."),
        (GeneratorBusyError("Full.", reason=UnavailableReason.MEMORY_PRESSURE), {"reason": "memory_pressure"}, "Full."),
        (ShuttingDownError("Bye."), {"reason": "draining"}, "Bye."),
        (ModelNotLoadedError(model_id="a/b"), {"model_id": "a/b", "retry_after_s": 1}, "Load it"),
        (
            InsufficientMemoryError(model_id="a/b", required_bytes=3, available_bytes=2),
            {"model_id": "a/b", "required_bytes": 3, "available_bytes": 2, "reason": "memory_pressure"},
            "needs about 3 bytes",
        ),
        (
            InsufficientStorageError(model_id="a/b", required_bytes=3, available_bytes=2),
            {"model_id": "a/b", "required_bytes": 3, "available_bytes": 2, "retry_after_s": None},
            "needs 3 bytes",
        ),
        (
            ModelDownloadError("It broke off.", model_id="a/b", retry_after_s=5),
            {"model_id": "a/b", "retry_after_s": 5},
            "It broke off.",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, CortexError) else "",
)
def test_facts_are_attributes_and_the_message_helps(error: CortexError, facts: dict[str, object], said: str) -> None:
    assert {name: getattr(error, name) for name in facts} == facts
    assert said in error.message == str(error)
