import asyncio

import pytest

from cortex_adapters.fake import FakeClock, FakeModelLoader, FakeTextGenerator, ScriptedReply
from cortex_domain.errors import (
    GenerationNotFoundError,
    GeneratorBusyError,
    GeneratorFailedError,
    InvalidRequestError,
    ModelNotLoadedError,
)
from cortex_domain.event_stream import collect
from cortex_domain.events import ChoiceFinished, GenerationFinished, TextDelta
from cortex_domain.generation import (
    FinishReason,
    GenerationRequest,
    GenerationResult,
    ReasoningEffort,
    SamplingParameters,
    TokenUsage,
)
from cortex_domain.messages import assistant_message, system_message, user_message
from tests.adapters.fake.fake_files import FILES


async def loaded() -> FakeModelLoader:
    loader = FakeModelLoader()
    await loader.load(FILES)
    return loader


async def answer(generator: FakeTextGenerator, text: str = "one two three", **request: object) -> GenerationResult:
    async with generator.generate_text(
        GenerationRequest(model=FILES.model_id, messages=(user_message(text),), **request)  # type: ignore[arg-type]
    ) as events:
        return await collect(events)


@pytest.mark.parametrize("text", ["", " ", "one", "  one\n\ttwo  ", "日本 語"])
async def test_echo_keeps_the_text_as_it_is(text: str) -> None:
    assert (await answer(FakeTextGenerator(loader=await loaded(), clock=FakeClock()), text)).text == text


async def test_echo_says_what_the_user_said_last() -> None:
    generator = FakeTextGenerator(loader=await loaded(), clock=FakeClock())
    said = user_message("first"), assistant_message("second"), user_message("third"), assistant_message("fourth")
    for messages, text in (said, "third"), ((system_message("only this"),), ""):
        async with generator.generate_text(GenerationRequest(model=FILES.model_id, messages=messages)) as events:
            assert (await collect(events)).text == text


async def test_echo_counts_words_roles_and_the_end() -> None:
    result = await answer(FakeTextGenerator(loader=await loaded(), clock=FakeClock()))
    assert (result.usage.prompt_tokens, result.usage.completion_tokens) == (4, 4)
    assert result.finish_reason is FinishReason.STOP


async def test_echo_honours_biases_and_penalties() -> None:
    generator = FakeTextGenerator(loader=await loaded(), clock=FakeClock())
    again, two = generator.encode("again two")
    urged = SamplingParameters(logit_bias={again: 100})
    banned = SamplingParameters(logit_bias={two: -100})
    penalised = SamplingParameters(logit_bias={again: 52}, frequency_penalty=2)
    assert (await answer(generator, sampling=urged, max_tokens=3)).text == "againagainagain"
    assert (await answer(generator, sampling=banned)).text == "one"
    assert (await answer(generator, sampling=penalised, max_tokens=3)).text == "again two three"
    with pytest.raises(InvalidRequestError):
        await answer(generator, sampling=SamplingParameters(logit_bias={99: 1}))


async def test_open_answers_end_at_the_default_length() -> None:
    generator = FakeTextGenerator(loader=await loaded(), clock=FakeClock(), default_max_tokens=2)
    result = await answer(generator)
    assert (result.text, result.finish_reason) == ("one two", FinishReason.LENGTH)


async def test_script_is_said_in_turn() -> None:
    script: list[ScriptedReply | str] = ["first one", ScriptedReply(pieces=("se", "", "cond"), warnings=("Mind.",))]
    generator = FakeTextGenerator(loader=await loaded(), clock=FakeClock(), script=script)
    first, second = await answer(generator), await answer(generator)
    assert (first.text, second.text, second.warnings) == ("first one", "second", ("Mind.",))
    with pytest.raises(GeneratorFailedError, match="no reply left"):
        await answer(generator)


async def test_script_says_how_it_ends() -> None:
    script = [ScriptedReply(pieces=("x",), finish_reason=FinishReason.CANCELLED)]
    generator = FakeTextGenerator(loader=await loaded(), clock=FakeClock(), script=script)
    assert (await answer(generator)).finish_reason is FinishReason.CANCELLED


async def test_script_refuses_on_entering_and_fails_after_its_pieces() -> None:
    busy, failed = GeneratorBusyError("Later."), GeneratorFailedError("Broken.")
    script = [ScriptedReply(refusal=busy), ScriptedReply(pieces=("half",), failure=failed)]
    generator = FakeTextGenerator(loader=await loaded(), clock=FakeClock(), script=script)
    request = GenerationRequest(model=FILES.model_id, messages=(user_message("x"),))
    with pytest.raises(GeneratorBusyError):
        await generator.generate_text(request).__aenter__()
    seen = []
    async with generator.generate_text(request) as events:
        with pytest.raises(GeneratorFailedError):
            async for event in events:
                seen.append(event)  # noqa: PERF401 - what came before the failure counts
    assert seen[-1] == TextDelta(text="half")
    assert generator.active_requests == 0


async def test_script_waits_on_the_clock_and_tells_the_time_it_took() -> None:
    clock = FakeClock(auto_advance=True)
    script = [ScriptedReply(pieces=("a", "b", "c"), first_delay_s=2, delay_s=0.5)]
    result = await answer(FakeTextGenerator(loader=await loaded(), clock=clock, script=script))
    assert clock.monotonic_s() == 3
    assert result.timings.time_to_first_token_ms == 2000
    assert result.timings.tokens_per_second == 3


async def test_a_deadline_passes_while_the_answer_is_suspended() -> None:
    clock = FakeClock()
    generator = FakeTextGenerator(loader=await loaded(), clock=clock, script=[ScriptedReply(pieces=("a",) * 9)])
    request = GenerationRequest(model=FILES.model_id, messages=(user_message("x"),), timeout_s=5)
    async with generator.generate_text(request) as events:
        await anext(events)
        generator.suspend(request.generation_id, for_s=60)
    await clock.advance(6)
    async with generator.resume(request.generation_id) as events:
        *_, last = [event async for event in events]
    assert isinstance(last, GenerationFinished)
    assert last.finish_reason is FinishReason.CANCELLED


async def test_only_so_many_are_kept_and_the_oldest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cortex_adapters.fake.text_generator._MAX_SUSPENDED", 1)
    generator = FakeTextGenerator(loader=await loaded(), clock=FakeClock())
    requests = [GenerationRequest(model=FILES.model_id, messages=(user_message("x"),)) for _ in range(2)]
    for request in requests:
        async with generator.generate_text(request):
            generator.suspend(request.generation_id, for_s=60)
    assert generator.suspended_generations == 1
    with pytest.raises(GenerationNotFoundError):
        await generator.resume(requests[0].generation_id).__aenter__()


async def test_a_waiting_answer_goes_on_when_time_passes() -> None:
    clock = FakeClock()
    script = [ScriptedReply(pieces=("a", "b"), first_delay_s=5, delay_s=1)]
    answering = asyncio.create_task(answer(FakeTextGenerator(loader=await loaded(), clock=clock, script=script)))
    for _ in range(20):
        await clock.advance(0.2)
    assert not answering.done()
    for _ in range(20):
        await clock.advance(0.2)
    assert (await answering).text == "ab"


async def test_an_answer_ends_when_its_model_is_unloaded_even_if_it_comes_back() -> None:
    loader = await loaded()
    generator = FakeTextGenerator(loader=loader, clock=FakeClock())
    request = GenerationRequest(model=FILES.model_id, messages=(user_message("x"),))
    async with generator.generate_text(request) as events:
        await anext(events)
        await loader.unload(FILES.model_id)
        await loader.load(FILES)
        with pytest.raises(ModelNotLoadedError):
            await anext(events)


async def test_events_come_one_turn_of_the_loop_apart() -> None:
    generator = FakeTextGenerator(loader=await loaded(), clock=FakeClock())
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    request = GenerationRequest(model=FILES.model_id, messages=(user_message("a b c"),))
    async with generator.generate_text(request) as events:
        marks = [turns async for _ in events]
    counting.cancel()
    assert len(set(marks)) == len(marks)


@pytest.mark.parametrize(
    ("first_delay_s", "text", "tokens", "first_token_ms"),
    [(0.0, "a b c", 3, 0), (1.0, "a b", 2, 1000), (9.0, "", 0, 2500)],
)
async def test_an_answer_ends_at_its_deadline_with_what_it_has(
    first_delay_s: float, text: str, tokens: int, first_token_ms: float
) -> None:
    clock = FakeClock(auto_advance=True)
    reply = ScriptedReply(pieces=("a", " b", " c", " d"), first_delay_s=first_delay_s, delay_s=1.0)
    generator = FakeTextGenerator(loader=await loaded(), clock=clock, script=[reply])
    result = await answer(generator, timeout_s=2.5)
    assert (result.text, result.finish_reason, result.usage.completion_tokens) == (text, FinishReason.CANCELLED, tokens)
    assert result.timings.time_to_first_token_ms == first_token_ms
    assert clock.monotonic_s() == 2.5


async def test_what_may_begin_a_stop_text_is_said_at_the_deadline() -> None:
    reply = ScriptedReply(pieces=("a", " b", " c"), delay_s=1.0)
    generator = FakeTextGenerator(loader=await loaded(), clock=FakeClock(auto_advance=True), script=[reply])
    assert (await answer(generator, timeout_s=1.5, stop=(" b!",))).text == "a b"


async def test_several_answers_are_said_in_turn_and_end_one_by_one() -> None:
    script = [ScriptedReply.saying("a b"), ScriptedReply.saying("c d e")]
    generator = FakeTextGenerator(loader=await loaded(), clock=FakeClock(), script=script)
    request = GenerationRequest(model=FILES.model_id, messages=(user_message("x"),), max_tokens=3, n=2)
    async with generator.generate_text(request) as events:
        assert generator.active_requests == 1
        told = [event async for event in events]
        assert [event async for event in events] == []
    assert [(event.choice, event.text) for event in told if isinstance(event, TextDelta)] == [
        (0, "a"),
        (1, "c"),
        (0, " b"),
        (1, " d"),
        (1, " e"),
    ]
    assert [event.choice for event in told if isinstance(event, ChoiceFinished)] == [0, 1]
    assert told[-1].type == "done"
    assert told[-1].usage == TokenUsage(prompt_tokens=2, completion_tokens=6)


async def test_several_answers_go_on_after_they_were_suspended() -> None:
    generator = FakeTextGenerator(loader=await loaded(), clock=FakeClock())
    request = GenerationRequest(model=FILES.model_id, messages=(user_message("a b c"),), n=2)
    async with generator.generate_text(request) as events:
        told = [await anext(events) for _ in range(5)]
        generator.suspend(request.generation_id, for_s=60)
    assert generator.model_of(request.generation_id) == FILES.model_id
    async with generator.resume(request.generation_id) as events:
        told += [event async for event in events]
    for choice in range(2):
        said = [event.text for event in told if isinstance(event, TextDelta) and event.choice == choice]
        assert "".join(said) == "a b c"


async def test_echo_thinks_only_when_it_is_asked_to() -> None:
    generator = FakeTextGenerator(loader=await loaded(), clock=FakeClock())
    thinking = await answer(generator, reasoning_effort=ReasoningEffort.LOW)
    assert (thinking.reasoning, thinking.text) == ("one two three", "one two three")
    assert (thinking.usage.reasoning_tokens, thinking.usage.completion_tokens) == (3, 7)
    for effort in (None, ReasoningEffort.NONE):
        plain = await answer(generator, reasoning_effort=effort)
        assert (plain.reasoning, plain.usage.reasoning_tokens) == ("", 0)


@pytest.mark.parametrize(
    ("max_tokens", "reasoning", "text", "finish_reason"),
    [(1, "so", "", "length"), (2, "so", "", "length"), (3, "so", "yes", "length"), (4, "so", "yes", "stop")],
)
async def test_a_script_thinks_before_it_says(
    max_tokens: int, reasoning: str, text: str, finish_reason: FinishReason
) -> None:
    script = [ScriptedReply(reasoning=("so", ""), pieces=("yes",))] * 2
    generator = FakeTextGenerator(loader=await loaded(), clock=FakeClock(), script=script)
    result = await answer(generator, max_tokens=max_tokens, stop=("so",))
    assert (result.reasoning, result.text, result.finish_reason) == (reasoning, text, finish_reason)
    assert result.usage.reasoning_tokens == min(max_tokens, 2)
    assert (await answer(generator, reasoning_effort=ReasoningEffort.NONE)).reasoning == ""


async def test_a_prompt_is_said_again() -> None:
    generator = FakeTextGenerator(loader=await loaded(), clock=FakeClock())
    for prompt in ("Once upon", tuple(generator.encode("Once upon"))):
        async with generator.generate_text(GenerationRequest(model=FILES.model_id, prompt=prompt)) as events:
            result = await collect(events)
        assert (result.text, result.usage.prompt_tokens) == ("Once upon", 2)
    with pytest.raises(InvalidRequestError) as caught:
        await generator.generate_text(GenerationRequest(model=FILES.model_id, prompt=(99,))).__aenter__()
    assert caught.value.parameter == "prompt"


async def test_tokens_are_told_with_their_text() -> None:
    reply = ScriptedReply(pieces=("a", " b", "", " c"))
    generator = FakeTextGenerator(loader=await loaded(), clock=FakeClock(), script=[reply] * 2)
    (choice,) = (await answer(generator, logprobs=2)).choices
    assert [token.text for token in choice.logprobs] == ["a", " b", "", " c"]
    assert [token.text for token in choice.logprobs[-1].top] == [" c", "a"]
    (stopped,) = (await answer(generator, logprobs=0, stop=(" c",))).choices
    assert [(token.text, token.top) for token in stopped.logprobs] == [("a", ()), (" b", ())]
