"""The MLX adapters keep the contracts of their ports, on the real starter model, on a thread and in a process."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from mlx_lm.tokenizer_utils import load as load_tokenizer

from cortex_contracts.engine_monitor import EngineMonitorContract
from cortex_contracts.model_loader import ModelLoaderContract, ModelLoaderHarness
from cortex_contracts.text_generator import TextGeneratorContract, TextGeneratorHarness
from cortex_domain.language_models import LoadOptions, ModelFiles, ModelId
from cortex_domain.ports import ModelLoader, TextGenerator
from cortex_entrypoints.container import CortexContainer
from tests.adapters.mlx.lora_files import write_lora_weights
from tests.adapters.mlx.scripted_model import write_scripted_model
from tests.adapters.mlx.tiny_model import write_oversized_model

pytestmark = pytest.mark.real_model


@pytest.fixture
async def harness(
    placed_starter_container: CortexContainer, starter_files: ModelFiles, tmp_path: Path
) -> ModelLoaderHarness:
    adapters = placed_starter_container.adapters
    loader: ModelLoader = adapters.model_loader()
    await loader.load(starter_files)
    (tmp_path / "thinker").mkdir()
    thinking_files = write_scripted_model(
        tmp_path / "thinker",
        ModelId("tests/thinker"),
        script=":<think>hm</think>yes<|end|>",
        marks=("<think>", "</think>"),
        chat_template="a:{% if enable_thinking %}<think>{% else %}<think></think>{% endif %}",
    )
    await loader.load(thinking_files)
    tokenizer = load_tokenizer(Path(starter_files.directory))
    shutil.copy(Path(starter_files.directory) / "config.json", tmp_path)
    return ModelLoaderHarness(
        generator=adapters.text_generator(),
        loader=loader,
        monitor=adapters.engine_monitor(),
        files=starter_files,
        thinking_files=thinking_files,
        encode=lambda text: tokenizer.encode(text, add_special_tokens=False),
        other_files=replace(starter_files, model_id=ModelId("tests/another-starter")),
        invalid_files=_files("tests/no-model", tmp_path),
        oversized_files=_files("tests/oversized", write_oversized_model(tmp_path / "oversized")),
        options=LoadOptions(
            lora_weights=write_lora_weights(tmp_path / "lora", starter_files, strength=0.01),
            kv_cache_bits=8,
            draft_model=starter_files,
        ),
    )


def _files(name: str, directory: Path) -> ModelFiles:
    return ModelFiles(model_id=ModelId(name), directory=directory, revision=None, size_bytes=1)


class TestMlxTextGenerator(TextGeneratorContract):
    pass


class TestMlxModelLoader(ModelLoaderContract):
    pass


class TestMlxEngineMonitor(EngineMonitorContract):
    pass


async def test_the_adapter_declares_what_it_honours(harness: TextGeneratorHarness) -> None:
    generator: TextGenerator = harness.generator
    assert {capability.value for capability in generator.capabilities} == {
        "seed",
        "top_k",
        "min_p",
        "repetition_penalty",
        "presence_penalty",
        "frequency_penalty",
        "logit_bias",
        "choices",
        "json_schema_output",
        "regex_output",
        "lark_output",
        "gbnf_output",
        "choice_output",
        "tools",
        "reasoning_effort",
        "logprobs",
        "raw_prompt",
        "echo",
    }
