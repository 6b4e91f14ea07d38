"""The names that users import: a name that goes, or comes unannounced, shows up here."""

import importlib
import pkgutil

import pytest

import cortex_domain
from cortex_domain import ports, use_cases


@pytest.mark.parametrize("package", [cortex_domain, ports, use_cases], ids=lambda package: package.__name__)
def test_all_lists_sorted_names_that_exist(package: object) -> None:
    names = vars(package)["__all__"]
    assert names == sorted(set(names))
    assert all(hasattr(package, name) for name in names)


def test_each_port_is_exported() -> None:
    for module in pkgutil.iter_modules(ports.__path__, "cortex_domain.ports."):
        defined = [
            value
            for value in vars(importlib.import_module(module.name)).values()
            if isinstance(value, type) and value.__module__ == module.name
        ]
        assert {value.__name__ for value in defined} <= set(ports.__all__)


def test_each_use_case_is_exported_and_named_after_its_file() -> None:
    files = {module.name for module in pkgutil.iter_modules(use_cases.__path__)}
    assert {name.title().replace("_", "") for name in files} == set(use_cases.__all__)


def test_the_front_door() -> None:
    assert set(cortex_domain.__all__) == {
        "AudioPart",
        "CacheMiss",
        "CacheMissReason",
        "Capability",
        "Choice",
        "ChoiceFinished",
        "ChoiceOutput",
        "CortexError",
        "Device",
        "EngineStatus",
        "FinishReason",
        "GenerationEvent",
        "GenerationFinished",
        "GenerationRequest",
        "GenerationResult",
        "GenerationStarted",
        "GenerationTimings",
        "GrammarOutput",
        "GrammarSyntax",
        "ImagePart",
        "JsonSchemaOutput",
        "LoadOptions",
        "LoadedModel",
        "MemoryEstimate",
        "Message",
        "ModelDescriptor",
        "ModelFiles",
        "ModelId",
        "ModelState",
        "OutputConstraint",
        "PrefillProgress",
        "Priority",
        "PullEvent",
        "PullFinished",
        "PullProgress",
        "PullStarted",
        "RegexOutput",
        "ReasoningDelta",
        "ReasoningEffort",
        "ReasoningPart",
        "RequestRefusedError",
        "Residency",
        "ResourceUnavailableError",
        "Role",
        "SamplingParameters",
        "TextDelta",
        "TextPart",
        "TokenLogprob",
        "TokenUsage",
        "ToolCallDelta",
        "ToolCallFinished",
        "ToolCallPart",
        "ToolChoice",
        "ToolChoiceMode",
        "ToolDefinition",
        "ToolResultPart",
        "assistant_message",
        "collect",
        "collect_pull",
        "parse_model_id",
        "system_message",
        "tool_message",
        "user_message",
    }
