"""A packed KV cache takes the memory that it promises and is otherwise a KV cache like any other."""

import asyncio
import copy
import random
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest
from mlx_lm.models.cache import BatchKVCache, KVCache, QuantizedKVCache

from cortex_adapters.mlx.batch_generation import LeanBatchGenerator
from cortex_adapters.mlx.batch_sampling import RowSampler
from cortex_adapters.mlx.engine_host import EngineHost
from cortex_adapters.mlx.model_loading import LanguageModel, load_language_model
from cortex_adapters.mlx.packed_kv_cache import BatchPackedKVCache, KvPacking, PackedKVCache
from cortex_adapters.mlx.prompt_rendering import render_prompt
from cortex_domain.errors import LoadOptionRefusedError
from cortex_domain.generation import SamplingParameters
from cortex_domain.language_models import LoadOptions, ModelFiles
from cortex_domain.messages import user_message
from tests.adapters.mlx.engine_jobs import run
from tests.adapters.mlx.tiny_model import TINY_CONTEXT_WINDOW, write_tiny_model

BITS = pytest.mark.parametrize("bits", [8, 4])
GREEDY = SamplingParameters(temperature=0)


@pytest.fixture(scope="module")
def wide_files(tmp_path_factory: pytest.TempPathFactory) -> ModelFiles:
    """The tiny model with heads of 32 numbers: one group."""
    return write_tiny_model(tmp_path_factory.mktemp("wide"), hidden_size=64)


def _numbers(*shape: int, seed: int, dtype: mx.Dtype = mx.float32) -> mx.array:
    return mx.random.normal(shape, key=mx.random.key(seed)).astype(dtype)


@BITS
@pytest.mark.parametrize("dtype", [mx.float32, mx.float16, mx.bfloat16], ids=str)
@pytest.mark.parametrize("size", [32, 64, 96, 128])
def test_numbers_come_back_as_mlx_quantises_them(bits: int, dtype: mx.Dtype, size: int) -> None:
    numbers = _numbers(2, 3, 5, size, seed=1, dtype=dtype)
    packing = KvPacking(bits=bits)
    words = packing.pack(numbers)
    unpacked = packing.unpack(words, like=numbers)
    group_size = 64 if size % 64 == 0 else 32
    assert unpacked.dtype == dtype
    assert mx.array_equal(
        unpacked, mx.dequantize(*mx.quantize(numbers, group_size, bits), group_size=group_size, bits=bits)
    )
    assert words.nbytes * 8 == numbers.size * (bits + 2 * 8 * dtype.size / group_size)


@BITS
def test_rows_that_join_leave_and_are_padded_keep_their_numbers(bits: int) -> None:
    """Does the same to mlx-lm's batched cache, which is given numbers that are exact in few bits."""
    packed: Any = PackedKVCache.merge([PackedKVCache(KvPacking(bits=bits)) for _ in range(3)])
    plain: Any = _plain_batch(3)
    late_packed: Any = PackedKVCache.merge([PackedKVCache(KvPacking(bits=bits))])
    late_plain: Any = _plain_batch(1)

    def feed(caches: tuple[Any, Any], rows: int, tokens: int, seed: int) -> None:
        keys, values = (_few_bits(rows, tokens, bits=bits, seed=seed + part) for part in (0, 1))
        ours, theirs = (cache.update_and_fetch(keys, values) for cache in caches)
        assert all(mx.allclose(one, other, atol=1e-5) for one, other in zip(ours, theirs, strict=True))

    for cache in (packed, plain):
        cache.prepare(lengths=[4, 2, 5], right_padding=[1, 3, 0])
    feed((packed, plain), 3, 5, seed=1)
    for cache in (packed, plain):
        cache.finalize()
    feed((packed, plain), 3, 1, seed=2)
    feed((late_packed, late_plain), 1, 300, seed=3)
    packed.extend(late_packed)
    plain.extend(late_plain)
    packed = copy.deepcopy(packed)
    feed((packed, plain), 4, 1, seed=4)
    for cache in (packed, plain):
        cache.filter([0, 2])
    feed((packed, plain), 2, 2, seed=5)
    assert packed.trim(1) == plain.trim(1) == 1
    feed((packed, plain), 2, 1, seed=6)
    again: Any = PackedKVCache.merge([packed.extract(1), packed.extract(0)])
    assert isinstance(again, BatchPackedKVCache)
    feed((again, BatchKVCache.merge([plain.extract(1), plain.extract(0)])), 2, 1, seed=7)  # type: ignore[no-untyped-call]


def _plain_batch(rows: int) -> Any:
    return KVCache.merge([KVCache() for _ in range(rows)])  # type: ignore[no-untyped-call]


def _few_bits(rows: int, tokens: int, *, bits: int, seed: int) -> mx.array:
    """Numbers that quantising does not change: whole steps between a group's least and greatest."""
    steps: mx.array = mx.random.randint(0, 2**bits, (rows, 2, tokens, 32), key=mx.random.key(seed)).astype(mx.float32)
    steps[..., 0], steps[..., 1] = 0, 2**bits - 1
    return steps


def _answers(model: LanguageModel, prompts: list[list[int]], *, rows: int, tokens: int) -> list[list[int]]:
    generator = LeanBatchGenerator(model, rows=64)
    generator.read_at_most(rows=rows, tokens=tokens)
    uids = [
        generator.insert_row(prompt, max_tokens=5 + len(prompt), sampler=RowSampler(GREEDY), logits_processors=[])
        for prompt in prompts
    ]
    answers: dict[int, list[int]] = {uid: [] for uid in uids}
    while generator.decoding_rows or generator.prompt_rows:
        for response in generator.next()[1]:  # type: ignore[no-untyped-call]
            answers[response.uid].append(response.token)
    generator.close()  # type: ignore[no-untyped-call]
    return [answers[uid] for uid in uids]


@BITS
def test_answers_do_not_depend_on_the_batch_or_on_how_prompts_are_cut(wide_files: ModelFiles, bits: int) -> None:
    model = load_language_model(wide_files, LoadOptions(kv_cache_bits=bits))
    numbers = random.Random(7)
    prompts = [[numbers.randrange(256) for _ in range(length)] for length in (3, 40, 1, 17, 90, 8)]
    alone = [_answers(model, [prompt], rows=1, tokens=512)[0] for prompt in prompts]
    for rows, tokens in ((64, 512), (2, 16), (4, 8)):
        assert _answers(model, prompts, rows=rows, tokens=tokens) == alone


async def test_jobs_that_run_together_say_what_they_say_alone(host: EngineHost, wide_files: ModelFiles) -> None:
    await host.load(wide_files, LoadOptions(kv_cache_bits=8))
    texts = ["abcdefghij" * (length // 10) for length in (10, 200, 30, 90)]
    alone = [await run(host, text) for text in texts]
    together = await asyncio.gather(*(run(host, text) for text in texts))
    assert [result.text for result in together] == [result.text for result in alone]


@pytest.mark.parametrize(("bits", "share"), [(8, 10 / 32), (4, 6 / 32)])
def test_a_token_takes_the_memory_that_was_promised(wide_files: ModelFiles, bits: int, share: float) -> None:
    """A group of 32 numbers has a scale and a bias of 32 bits: two bits a number."""
    assert _bytes_of(load_language_model(wide_files, LoadOptions(kv_cache_bits=bits))) == share * _bytes_of(
        load_language_model(wide_files)
    )


@BITS
@pytest.mark.parametrize("hidden_size", [64, 128])
def test_what_is_estimated_is_what_is_measured(tmp_path: Path, bits: int, hidden_size: int) -> None:
    files = write_tiny_model(tmp_path, hidden_size=hidden_size)
    model = load_language_model(files, LoadOptions(kv_cache_bits=bits))
    assert model.memory.kv_cache == model.estimate.kv_cache
    assert model.memory.kv_cache != load_language_model(files).memory.kv_cache


def _bytes_of(model: LanguageModel) -> int:
    generator = LeanBatchGenerator(model, rows=4)
    for length in (300, 20):
        generator.insert_row([7] * length, max_tokens=9, sampler=RowSampler(GREEDY), logits_processors=[])
    while generator.prompt_rows:
        generator.next()  # type: ignore[no-untyped-call]
    held_bytes: int = generator.prompt_cache_nbytes
    generator.close()  # type: ignore[no-untyped-call]
    return held_bytes


def test_eight_bits_hardly_change_the_logits(wide_files: ModelFiles) -> None:
    tokens = mx.array([[number * 7 % 256 for number in range(200)]])
    model = load_language_model(wide_files, LoadOptions(kv_cache_bits=8))
    packed = model.network(tokens, cache=model.make_row_caches())
    plain = model.network(tokens)
    assert (mx.abs(packed - plain).max() < 0.02 * mx.abs(plain).max()).item()
    assert not mx.array_equal(packed, plain)


@BITS
def test_attention_sees_what_it_sees_in_mlx_lms_quantised_cache(wide_files: ModelFiles, bits: int) -> None:
    model = load_language_model(wide_files, LoadOptions(kv_cache_bits=bits))
    ours = model.make_row_caches()
    theirs = [QuantizedKVCache(group_size=32, bits=bits) for _ in ours]
    for piece in ([5, 80, 7, 200, 12, 90], [33], [8, 9]):
        expected = model.network(mx.array([piece]), cache=theirs)
        assert mx.allclose(model.network(mx.array([piece]), cache=ours), expected, atol=1e-4)


@pytest.mark.real_model
def test_eight_bits_leave_the_answers_of_the_starter_model(starter_files: ModelFiles) -> None:
    answers = []
    for options in (LoadOptions(), LoadOptions(kv_cache_bits=8)):
        model = load_language_model(starter_files, options)
        prompts = [
            list(render_prompt(model.tokenizer, [user_message(text)], context_window=999))
            for text in ("Say hello.", "Capital of France?")
        ]
        answers.append(_answers(model, prompts, rows=2, tokens=64))
    assert answers[0] == answers[1]


def _sliding(directory: Path) -> ModelFiles:
    layer_types = ["sliding_attention", "full_attention"]
    return write_tiny_model(directory, hidden_size=64, layer_types=layer_types, sliding_window=TINY_CONTEXT_WINDOW // 2)


@pytest.mark.parametrize(
    ("write", "reason"),
    [(write_tiny_model, "heads have 16 numbers, which is no multiple of 32"), (_sliding, "RotatingKVCache")],
)
async def test_a_model_whose_cache_cannot_be_packed_is_refused(
    host: EngineHost, tmp_path: Path, write: Any, reason: str
) -> None:
    files = write(tmp_path)
    with pytest.raises(LoadOptionRefusedError, match=reason) as refusal:
        await host.load(files, LoadOptions(kv_cache_bits=8))
    assert refusal.value.parameter == "kv_cache_bits"
    assert not host.models
    await host.load(files)
