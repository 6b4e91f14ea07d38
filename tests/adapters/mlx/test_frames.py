"""Frames carry every message between a host and its engine, unchanged, and make nothing but those messages."""

import asyncio
import os
import queue
from dataclasses import fields, is_dataclass, replace
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, get_args

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cortex_adapters import mlx
from cortex_adapters.mlx import engine_messages, process_link, worker
from cortex_adapters.mlx.device import MemoryUse
from cortex_adapters.mlx.engine_messages import (
    CallFailed,
    CancelJob,
    Command,
    EngineReady,
    EngineStepped,
    JobAccepted,
    LoadModel,
    ModelLoaded,
    ModelUnloaded,
    Report,
    StopEngine,
    SubmitJob,
    UnloadModel,
)
from cortex_adapters.mlx.frames import HEADER, decode_body, encode_frame
from cortex_adapters.mlx.grammars import Grammar
from cortex_adapters.mlx.jobs import Job, JobId, JobProgress, JobStep
from cortex_adapters.mlx.prefix_cache_use import PrefixCacheUse
from cortex_adapters.mlx.tool_use import ToolUse
from cortex_adapters.mlx.worker_log import WorkerLogged
from cortex_domain import errors, generation, language_models, messages, output_constraints, tools
from cortex_domain.errors import CortexError
from cortex_domain.events import (
    GenerationFinished,
    PrefillProgress,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallFinished,
)
from cortex_domain.generation import (
    MAX_SEED,
    CacheMiss,
    CacheMissReason,
    FinishReason,
    GenerationTimings,
    Priority,
    ReasoningEffort,
    SamplingParameters,
    TokenUsage,
)
from cortex_domain.language_models import Capability, LoadedModel, LoadOptions, MemoryEstimate, ModelFiles, ModelId
from cortex_domain.messages import Message, ReasoningPart, Role, TextPart, ToolCallPart, ToolResultPart
from cortex_domain.token_logprobs import TokenLogprob

MODEL = ModelId("a/b")
ERRORS = [
    CortexError("something"),
    errors.RequestRefusedError("no"),
    errors.InvalidRequestError("no", parameter="messages"),
    errors.InvalidRequestError("no"),
    errors.UnsupportedCapabilityError(capability="seed", model_id=MODEL, parameter="seed"),
    errors.UnsupportedCapabilityError(capability=Capability.SEED, model_id=MODEL, parameter="seed"),
    errors.ContextWindowExceededError(prompt_tokens=5, max_tokens=None, context_window=4),
    errors.ContextWindowExceededError(prompt_tokens=5, max_tokens=2**70, context_window=4),
    errors.GenerationNotFoundError(generation_id="gen_1"),
    errors.MemoryExceededError(model_id=MODEL, required_bytes=2**40, available_bytes=1),
    errors.MemoryPressureError(model_id=MODEL, required_bytes=2**40, available_bytes=1),
    errors.ModelNotFoundError(model_id=MODEL, nearest=("a/c", "a/d")),
    errors.ModelNotDownloadedError(model_id=MODEL),
    errors.ModelLoadedOtherwiseError(model_id=MODEL, options=["lora_weights"]),
    errors.LoadOptionRefusedError(model_id=MODEL, parameter="lora_weights", reason="they are for another model"),
    errors.InvalidModelError(model_id=MODEL, reason="half of it is missing"),
    errors.ResourceUnavailableError("later", retry_after_s=2.5),
    errors.GeneratorBusyError("later", retry_after_s=1),
    errors.GeneratorBusyError("later", reason=errors.UnavailableReason.MEMORY_PRESSURE),
    errors.GeneratorFailedError("it failed"),
    errors.DeadlineExceededError(),
    errors.ModelNotLoadedError(model_id=MODEL),
    errors.ShuttingDownError("bye"),
    errors.InsufficientMemoryError(model_id=MODEL, required_bytes=2**40, available_bytes=1),
    errors.InsufficientStorageError(model_id=MODEL, required_bytes=2**40, available_bytes=1),
    errors.ModelDownloadError("no network", model_id=MODEL, retry_after_s=None),
    errors.StorageError("disk"),
    errors.ContractViolationError("bug"),
]


def _carried(message: Command | Report | WorkerLogged) -> Any:
    frame = encode_frame(message)
    [length] = HEADER.unpack(frame[: HEADER.size])
    body = frame[HEADER.size :]
    assert length == len(body)
    return decode_body(body)


def _errors_that_an_engine_knows() -> set[type[CortexError]]:
    """Those that its modules name, and the domain's own rules that it applies."""
    own = [import_module(f"{mlx.__name__}.{module.name}") for module in iter_modules(mlx.__path__)]
    rules = [generation, language_models, messages, output_constraints, tools]
    named = [value for module in (*own, *rules) for value in vars(module).values()]
    return {value for value in named if isinstance(value, type) and issubclass(value, CortexError)}


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TOKENS = st.lists(st.integers(0, 2**31), max_size=10).map(tuple)
NUMBERS = st.integers(0, 2**40)
SECONDS = st.floats(0, 1e9)
PATHS = st.sampled_from([Path("/models/one"), Path("relative/ünïcode"), Path(os.fsdecode(b"/models/\xff\xfe"))])
SAMPLINGS = st.builds(
    SamplingParameters,
    temperature=st.floats(0, 2),
    top_p=st.floats(0, 1, exclude_min=True),
    top_k=st.none() | st.integers(1, 2**80),
    min_p=st.floats(0, 1),
    seed=st.none() | st.integers(0, MAX_SEED),
    repetition_penalty=st.floats(0, 2, exclude_min=True),
    presence_penalty=st.floats(-2, 2),
    frequency_penalty=st.floats(-2, 2),
    logit_bias=st.dictionaries(st.integers(0, 2**80), st.floats(-100, 100), max_size=5),
)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
TEXT_PARTS = st.builds(TextPart, text=TEXTS)
REASONING_PARTS = st.builds(ReasoningPart, text=TEXTS)
TOOL_CALLS = st.builds(ToolCallPart, id=NAMES, name=NAMES, arguments=TEXTS)
TOOL_RESULTS = st.builds(ToolResultPart, call_id=NAMES, text=TEXTS, is_error=st.booleans())


def _messages(role: Role, parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Message]:
    return st.builds(Message, role=st.just(role), parts=st.lists(parts, min_size=1, max_size=3).map(tuple))


MESSAGES = (
    _messages(Role.SYSTEM, TEXT_PARTS)
    | _messages(Role.USER, TEXT_PARTS)
    | _messages(Role.ASSISTANT, TEXT_PARTS | REASONING_PARTS | TOOL_CALLS)
    | _messages(Role.TOOL, TOOL_RESULTS)
)
ALTERNATIVES = st.builds(
    TokenLogprob,
    token_id=NUMBERS,
    text=TEXTS,
    bytes=st.lists(st.integers(0, 255), max_size=4).map(tuple),
    logprob=st.floats(-9999, 0),
)
LOGPROBS = st.lists(
    st.builds(replace, ALTERNATIVES, top=st.lists(ALTERNATIVES, max_size=3).map(tuple)), max_size=3
).map(tuple)
TOOL_USES = st.builds(
    ToolUse,
    definitions=TEXTS,
    is_forced=st.booleans(),
    only=st.none() | NAMES,
    is_parallel=st.booleans(),
    call_ids=NAMES,
)
JOBS = st.builds(
    Job,
    id=NUMBERS.map(JobId),
    model_id=TEXTS.map(ModelId),
    messages=st.lists(MESSAGES, max_size=3).map(tuple),
    sampling=SAMPLINGS,
    max_tokens=st.none() | st.integers(1, 2**80),
    default_max_tokens=NUMBERS,
    stop=st.lists(st.text(min_size=1, max_size=5), max_size=3).map(tuple),
    owner=TEXTS,
    accepted_s=SECONDS,
    priority=st.sampled_from(Priority),
    deadline_s=st.none() | SECONDS,
    copies=st.lists(NUMBERS.map(JobId), max_size=3).map(tuple),
    tools=st.none() | TOOL_USES,
    grammar=st.none()
    | st.builds(Grammar, text=TEXTS, is_gbnf=st.booleans(), parameter=TEXTS, trigger=st.none() | TEXTS),
    reasoning_effort=st.none() | st.sampled_from(ReasoningEffort),
    prompt=st.none() | TEXTS | TOKENS,
    logprobs=st.none() | st.integers(0, 20),
    echo=st.booleans(),
)
PROGRESSES = st.builds(
    JobProgress,
    prompt=TOKENS,
    answer=TOKENS,
    first_token_s=st.none() | SECONDS,
    untold=LOGPROBS,
    has_echoed=st.booleans(),
)
FILES = st.builds(
    ModelFiles, model_id=TEXTS.map(ModelId), directory=PATHS, revision=st.none() | TEXTS, size_bytes=NUMBERS
)
OPTIONS = st.builds(
    LoadOptions,
    lora_weights=st.none() | PATHS,
    kv_cache_bits=st.sampled_from([None, 8, 4]),
    draft_model=st.none() | FILES,
)
COMMANDS = (
    st.builds(LoadModel, call_id=NUMBERS, files=FILES, options=st.none() | OPTIONS)
    | st.builds(UnloadModel, call_id=NUMBERS, model_id=TEXTS.map(ModelId))
    | st.builds(SubmitJob, job=JOBS, progress=st.none() | PROGRESSES)
    | st.builds(CancelJob, job_id=NUMBERS.map(JobId))
    | st.just(StopEngine())
)
MEMORY_USES = st.builds(MemoryUse, active_bytes=NUMBERS, peak_bytes=NUMBERS)
PREFIX_CACHE_USES = st.builds(
    PrefixCacheUse,
    memory_bytes=NUMBERS,
    disk_bytes=NUMBERS,
    prompt_tokens=NUMBERS,
    cached_prompt_tokens=NUMBERS,
    evictions=NUMBERS,
)
CACHE_MISSES = st.builds(
    CacheMiss,
    reason=st.sampled_from(CacheMissReason),
    message_index=st.none() | NUMBERS,
    token_position=NUMBERS,
)
ESTIMATES = st.builds(
    MemoryEstimate,
    weights_bytes=NUMBERS,
    kv_cache_bytes_per_token=st.none() | NUMBERS,
    full_window_bytes=st.none() | NUMBERS,
)
LOADED_MODELS = st.builds(
    LoadedModel,
    id=TEXTS.map(ModelId),
    memory_bytes=NUMBERS,
    context_window=NUMBERS,
    kv_cache_bytes_per_token=st.none() | NUMBERS,
    memory_estimate=st.none() | ESTIMATES,
    options=OPTIONS,
)
EVENTS = (
    st.builds(PrefillProgress, processed_tokens=NUMBERS, total_tokens=NUMBERS)
    | st.builds(TextDelta, text=TEXTS, logprobs=LOGPROBS)
    | st.builds(ReasoningDelta, text=TEXTS)
    | st.builds(ToolCallDelta, choice=NUMBERS, index=NUMBERS, id=NAMES, name=NAMES, arguments=TEXTS)
    | st.builds(ToolCallFinished, choice=NUMBERS, index=NUMBERS, id=NAMES, name=NAMES, arguments=TEXTS)
    | st.builds(
        GenerationFinished,
        finish_reason=st.sampled_from(FinishReason),
        usage=st.builds(
            TokenUsage,
            prompt_tokens=NUMBERS,
            cached_prompt_tokens=NUMBERS,
            cache_miss=st.none() | CACHE_MISSES,
            completion_tokens=NUMBERS,
            reasoning_tokens=NUMBERS,
        ),
        timings=st.builds(
            GenerationTimings,
            queue_ms=SECONDS,
            prefill_ms=SECONDS,
            time_to_first_token_ms=SECONDS,
            tokens_per_second=SECONDS,
        ),
        detail=st.none() | TEXTS,
    )
)
STEPS = st.builds(
    JobStep,
    job_id=NUMBERS.map(JobId),
    tokens=TOKENS,
    outputs=st.lists(EVENTS, max_size=3).map(tuple),
    untold=LOGPROBS,
)
REPORTS = (
    st.just(EngineReady())
    | st.builds(ModelLoaded, call_id=NUMBERS, model=LOADED_MODELS, memory_use=MEMORY_USES)
    | st.builds(ModelUnloaded, call_id=NUMBERS, memory_use=MEMORY_USES, prefix_cache_use=PREFIX_CACHE_USES)
    | st.builds(JobAccepted, job_id=NUMBERS.map(JobId), prompt=TOKENS)
    | st.builds(
        EngineStepped,
        steps=st.lists(STEPS, max_size=4).map(tuple),
        memory_use=MEMORY_USES,
        prefix_cache_use=PREFIX_CACHE_USES,
    )
)


RECORDS = st.builds(WorkerLogged, level=NUMBERS, logger=TEXTS, message=TEXTS, error=st.none() | TEXTS)


@settings(deadline=None)
@given(COMMANDS | REPORTS | RECORDS)
def test_a_message_arrives_as_it_was_sent(message: Command | Report | WorkerLogged) -> None:
    arrived = _carried(message)
    assert arrived == message
    assert type(arrived) is type(message)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_arrives_with_its_class_its_message_and_its_facts(error: CortexError) -> None:
    failed = _carried(CallFailed(call_id=1, error=error, memory_use=MemoryUse()))
    stepped = _carried(EngineStepped(steps=(JobStep(job_id=JobId(1), outputs=(error,)),), memory_use=MemoryUse()))
    for arrived in (failed.error, stepped.steps[0].outputs[0]):
        assert type(arrived) is type(error)
        assert str(arrived) == str(error)
        assert vars(arrived) == vars(error)
    assert stepped.steps[0].is_last


def test_no_class_of_message_or_error_is_left_out() -> None:
    assert _errors_that_an_engine_knows() <= {type(error) for error in ERRORS}
    messages = {value for value in vars(engine_messages).values() if is_dataclass(value) and hasattr(value, "type")}
    assert messages == {*get_args(Command), *get_args(Report)}
    assert all(fields(message)[0].name == "type" for message in messages)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        encode_frame(StopEngine())[HEADER.size : -1],
        encode_frame(StopEngine())[HEADER.size :] + b"\x00",
        msgpack.packb({"$": "Popen", "args": ["true"]}),
        msgpack.packb({"$": "CancelJob", "nonsense": 1}),
        msgpack.packb({"$": "Role", "value": "king"}),
        msgpack.packb({"$": "GeneratorFailedError"}),
        msgpack.packb({"$": "Path"}),
        msgpack.packb({"$": ["CancelJob"]}),
    ],
)
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the class is the promise
        decode_body(body)


def test_what_is_no_plain_value_is_not_sent() -> None:
    with pytest.raises(TypeError, match="cannot be sent"):
        encode_frame(CancelJob(job_id=object()))  # type: ignore[arg-type]


MESSAGES_IN_A_ROW: list[Command] = [
    CancelJob(job_id=JobId(1)),
    LoadModel(call_id=2, files=ModelFiles(model_id=MODEL, directory=Path("x" * 3000), revision=None, size_bytes=1)),
    StopEngine(),
]


@pytest.mark.parametrize("piece_bytes", [1, 3, 1000, 10_000])
async def test_the_host_understands_frames_that_come_in_pieces(piece_bytes: int) -> None:
    frames = b"".join(map(encode_frame, MESSAGES_IN_A_ROW))
    reader, arrived = asyncio.StreamReader(), list[Any]()
    passing_on = asyncio.ensure_future(process_link._pass_on(reader, arrived.append))
    for begin in range(0, len(frames), piece_bytes):
        reader.feed_data(frames[begin : begin + piece_bytes])
        await asyncio.sleep(0)
    reader.feed_eof()
    with pytest.raises(asyncio.IncompleteReadError):
        await passing_on
    assert arrived == MESSAGES_IN_A_ROW


@pytest.mark.parametrize("piece_bytes", [1, 3, 1000, 10_000])
def test_the_worker_understands_frames_that_come_in_pieces(piece_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    source, sink = os.pipe()
    os.write(sink, b"".join(map(encode_frame, MESSAGES_IN_A_ROW)))
    os.close(sink)
    read = os.read
    monkeypatch.setattr(os, "read", lambda source, size: read(source, min(size, piece_bytes)))
    assert _commands_of(source) == [*MESSAGES_IN_A_ROW, StopEngine()]


def test_the_worker_stops_when_its_input_ends_within_a_frame() -> None:
    source, sink = os.pipe()
    os.write(sink, encode_frame(MESSAGES_IN_A_ROW[0]) + encode_frame(MESSAGES_IN_A_ROW[1])[:-7])
    os.close(sink)
    assert _commands_of(source) == [MESSAGES_IN_A_ROW[0], StopEngine()]


def test_the_worker_stops_when_it_cannot_understand_its_input() -> None:
    source, sink = os.pipe()
    os.write(sink, HEADER.pack(1) + b"\xc1")
    os.close(sink)
    commands: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with pytest.raises(ValueError):  # noqa: PT011 - the class is the promise
        worker._read_commands(source, commands)
    os.close(source)
    assert commands.get() == StopEngine()


def _commands_of(source: int) -> list[Any]:
    commands: queue.SimpleQueue[Any] = queue.SimpleQueue()
    worker._read_commands(source, commands)
    os.close(source)
    return [commands.get() for _ in range(commands.qsize())]
