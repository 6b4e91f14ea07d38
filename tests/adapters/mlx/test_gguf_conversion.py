"""The real conversion of the real starter model, through its store and its process."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx_lm
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlx_lm.tokenizer_utils import TokenizerWrapper
from mlx_lm.tokenizer_utils import load as load_tokenizer

from cortex_adapters.mlx.gguf_conversion import convert
from cortex_adapters.mlx.starter_model import STARTER_MODEL, StarterModelStore
from cortex_adapters.mlx.starter_wheel import STARTER_FILE, find_wheel_file
from cortex_adapters.mlx.weight_format import WeightFormat
from cortex_domain.event_stream import collect_pull
from cortex_domain.events import PullFinished, PullProgress, PullStarted

pytestmark = pytest.mark.real_model

Directories = dict[WeightFormat, Path]
QUESTION = "What is the capital of France?"
# What SmolLM's vocabulary has no bytes for: six control characters and, of the planes, those without characters.
ABSENT = "\x04\x06\x13\x14\x16\x1d"
LAST_PRESENT = 0x3FFFF


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("starter")


@pytest.fixture(scope="module")
async def directories(cache_dir: Path) -> Directories:
    return {weight_format: await pulled(cache_dir, weight_format) for weight_format in WeightFormat}


@pytest.fixture(scope="module")
def tokenizer(directories: Directories) -> TokenizerWrapper:
    return load_tokenizer(directories[WeightFormat.FLOAT32])


async def pulled(cache_dir: Path, weight_format: WeightFormat) -> Path:
    store = StarterModelStore(cache_dir=cache_dir, weight_format=weight_format)
    async with store.pull(STARTER_MODEL) as events:
        await collect_pull(events)
    return Path((await store.locate(STARTER_MODEL)).directory)


def rendered(tokenizer: TokenizerWrapper, messages: list[dict[str, str]]) -> str:
    prompt = tokenizer.apply_chat_template(  # type: ignore[no-untyped-call]
        messages, add_generation_prompt=True, tokenize=False
    )
    assert isinstance(prompt, str)
    return prompt


def read_weights(directory: Path) -> dict[str, mx.array]:
    weights: dict[str, mx.array] = {}
    for file in directory.glob("*.safetensors"):
        loaded = mx.load(file)
        assert isinstance(loaded, dict)
        weights |= loaded
    return weights


def read_config(directory: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((directory / "config.json").read_bytes())
    return config


def test_the_model_answers(directories: Directories) -> None:
    network, tokenizer = mlx_lm.load(str(directories[WeightFormat.FLOAT32]))[:2]
    prompt = rendered(tokenizer, [{"role": "user", "content": QUESTION}])
    assert mlx_lm.generate(network, tokenizer, prompt, max_tokens=12) == "The capital of France is Paris."


@pytest.mark.parametrize("weight_format", WeightFormat)
def test_every_format_goes_on_alike(directories: Directories, weight_format: WeightFormat) -> None:
    network, tokenizer = mlx_lm.load(str(directories[weight_format]))[:2]
    logits = network(mx.array([tokenizer.encode("The capital of France is")]))
    assert tokenizer.decode([int(logits[0, -1].argmax())]) == " Paris"


def test_four_bit_weights_are_those_of_float32(directories: Directories) -> None:
    exact, packed = read_weights(directories[WeightFormat.FLOAT32]), read_weights(directories[WeightFormat.FOUR_BIT])
    quantization = read_config(directories[WeightFormat.FOUR_BIT])["quantization"]
    for name, weight in exact.items():
        module = name.removesuffix(".weight")
        if f"{module}.scales" in packed:
            parameters = quantization.get(
                module, {"group_size": quantization["group_size"], "bits": quantization["bits"]}
            )
            unpacked = mx.dequantize(packed[name], packed[f"{module}.scales"], packed[f"{module}.biases"], **parameters)
            assert mx.array_equal(unpacked, weight), name
        else:
            assert mx.array_equal(packed[name], weight), name


def test_the_configuration_is_the_models_own(directories: Directories) -> None:
    config = read_config(directories[WeightFormat.FLOAT32])
    expected = {"max_position_embeddings": 8192, "rope_theta": 100000.0, "num_hidden_layers": 30, "vocab_size": 49152}
    assert expected.items() <= config.items()
    assert config["rms_norm_eps"] == pytest.approx(1e-5)
    assert (config["num_attention_heads"], config["num_key_value_heads"]) == (9, 3)


async def test_what_the_store_says_of_sizes_is_right(cache_dir: Path, directories: Directories) -> None:
    for weight_format, directory in directories.items():
        files = [file for file in directory.iterdir() if not file.name.startswith(".")]
        size_bytes = sum(file.stat().st_size for file in files)
        store = StarterModelStore(cache_dir=cache_dir, weight_format=weight_format)
        described = await store.describe(STARTER_MODEL)
        assert described.size_bytes == size_bytes
        assert described.memory_bytes is not None
        assert size_bytes <= described.memory_bytes < size_bytes + 1_000_000


@given(text=st.text(st.characters(codec="utf-8", max_codepoint=LAST_PRESENT, exclude_characters=ABSENT)))
def test_text_survives_the_tokenizer(tokenizer: TokenizerWrapper, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


@given(number=st.from_regex(r"[0-9]{1,20}", fullmatch=True))
def test_every_digit_is_a_token(tokenizer: TokenizerWrapper, number: str) -> None:
    assert [tokenizer.decode([token]) for token in tokenizer.encode(number)] == list(number)


def test_words_are_merged(tokenizer: TokenizerWrapper) -> None:
    tokens = [tokenizer.decode([token]) for token in tokenizer.encode("The capital of France isn't London.")]
    assert tokens == ["The", " capital", " of", " France", " isn", "'t", " London", "."]


def test_special_tokens_have_their_roles(tokenizer: TokenizerWrapper) -> None:
    assert tokenizer.encode("<|endoftext|><|im_start|><|im_end|>") == [0, 1, 2]
    assert (tokenizer.bos_token, tokenizer.unk_token) == ("<|im_start|>", "<|endoftext|>")
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|im_end|>")
    assert tokenizer.eos_token_ids == {2}
    assert len(tokenizer.get_vocab()) == 49152


def test_the_chat_template_is_chatml(tokenizer: TokenizerWrapper) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Bye"},
    ]
    prompt = rendered(tokenizer, messages)
    turns = "".join(f"<|im_start|>{message['role']}\n{message['content']}<|im_end|>\n" for message in messages)
    assert prompt == f"{turns}<|im_start|>assistant\n"


async def test_leaving_a_real_pull_leaves_nothing(tmp_path: Path) -> None:
    store = StarterModelStore(cache_dir=tmp_path, weight_format=WeightFormat.FLOAT32)
    async with store.pull(STARTER_MODEL) as events:
        assert isinstance(await anext(events), PullStarted)
        assert isinstance(await anext(events), PullProgress)
        (child,) = conversions()
    assert not child.is_running()
    assert directories_in(tmp_path) == []


def directories_in(cache_dir: Path) -> list[Path]:
    return [path for path in cache_dir.rglob("*") if path.is_dir() and path.name != ".starter"]


def conversions() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [child for child in children if "cortex_adapters.mlx.gguf_conversion" in child.cmdline()]


async def test_a_real_pull_tells_every_file(tmp_path: Path) -> None:
    store = StarterModelStore(cache_dir=tmp_path, weight_format=WeightFormat.FOUR_BIT)
    async with store.pull(STARTER_MODEL) as events:
        seen = [event async for event in events]
    progress = [event for event in seen if isinstance(event, PullProgress)]
    assert len(progress) == 9
    assert isinstance(seen[-1], PullFinished)
    assert progress[-1].completed_bytes == seen[-1].size_bytes


def test_a_directory_that_cannot_be_written_ends_with_its_status(tmp_path: Path) -> None:
    (tmp_path / "model-00001-of-00006.safetensors").mkdir()
    ended = subprocess.run(
        [sys.executable, "-m", "cortex_adapters.mlx.gguf_conversion", starter_file(), tmp_path, "4-bit"],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == os.EX_IOERR
    assert "model-00001-of-00006.safetensors" in ended.stderr


def test_a_file_that_is_no_gguf_is_an_os_error(tmp_path: Path) -> None:
    source = tmp_path / "model.gguf"
    source.write_bytes(b"not one")
    with pytest.raises(OSError, match="cannot read"):
        next(conversion(source, tmp_path))


@pytest.mark.parametrize("key", ["general.architecture", "tokenizer.ggml.model", "tokenizer.ggml.pre"])
def test_what_the_conversion_does_not_know_is_refused(tmp_path: Path, key: str) -> None:
    known = {"general.architecture": "llama", "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "smollm"}
    source = tmp_path / "model.gguf"
    mx.save_gguf(source, {"token_embd.weight": mx.zeros((32, 32))}, {**known, key: "another"})
    with pytest.raises(ValueError, match=f"{key} is 'another'"):
        next(conversion(source, tmp_path))


def conversion(source: Path, target: Path) -> Iterator[int]:
    return convert(source, target, WeightFormat.FLOAT32)


def starter_file() -> Path:
    return find_wheel_file(STARTER_FILE, STARTER_MODEL)
