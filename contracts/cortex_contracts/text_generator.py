"""The contract of `cortex_domain.ports.TextGenerator`.

A real model takes part in it, so nothing is assumed about what an answer says, only how answers relate to each other.
The whole class costs about eighty short answers.
"""

import asyncio
import json
import math
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import pytest

from cortex_contracts.checks import checks
from cortex_contracts.conversations import COUNTING, GREEDY, Reading, chat, read, refusal_of
from cortex_contracts.event_loop_turns import counted_turns
from cortex_contracts.leaving import WAYS_TO_LEAVE
from cortex_contracts.tiny_media import PNG, WAV
from cortex_contracts.tool_requests import DOOR, THERMOMETER, UNITS, named, required, with_result, with_tools
from cortex_domain.errors import (
    ContextWindowExceededError,
    CortexError,
    DeadlineExceededError,
    InvalidRequestError,
    ModelNotLoadedError,
    UnsupportedCapabilityError,
)
from cortex_domain.event_stream import GenerationRules
from cortex_domain.events import (
    ChoiceFinished,
    GenerationFinished,
    PrefillProgress,
    TextDelta,
    ToolCallDelta,
    ToolCallFinished,
)
from cortex_domain.generation import FinishReason, GenerationRequest, ReasoningEffort, SamplingParameters
from cortex_domain.language_models import Capability, LoadedModel, ModelFiles, ModelId
from cortex_domain.messages import AudioPart, ContentPart, ImagePart, Message, Role, TextPart
from cortex_domain.output_constraints import (
    ChoiceOutput,
    GrammarOutput,
    GrammarSyntax,
    JsonSchemaOutput,
    OutputConstraint,
    RegexOutput,
)
from cortex_domain.ports import EngineMonitor, ModelLoader, TextGenerator
from cortex_domain.token_logprobs import LEAST_LOGPROB, TokenLogprob
from cortex_domain.tool_call_rules import ToolCallRules
from cortex_domain.tools import ToolChoice, ToolChoiceMode

ANSWERS_AT_ONCE = 4
CONSTRAINED_TOKENS = 40
"""More than any of the outputs that are asked for has, even if each byte is a token."""
COLOURS = ("red", "green", "blue")
COLOURED_SWITCHES = frozenset(f"{colour}, {state}" for colour in COLOURS for state in ("on", "off", "dim"))
SWITCH_SCHEMA = {
    "type": "object",
    "properties": {"on": {"type": "boolean"}, "colour": {"enum": COLOURS}},
    "required": ["on", "colour"],
    "additionalProperties": False,
}
IMPOSSIBLE_OUTPUTS = (
    JsonSchemaOutput(schema={"type": "a type that is none"}),
    RegexOutput(pattern="(never closed"),
    GrammarOutput(grammar="start: never_defined"),
    GrammarOutput(grammar="root ::= never-defined", syntax=GrammarSyntax.GBNF),
)
ALTERNATIVES = 3
DEADLINE_S = 0.05
NOT_LOADED = ModelId("nobody/never-loaded-this")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextGeneratorHarness:
    """What the contract needs.

    Attributes:
        generator: The adapter under test.
        loader: Loads models for it.
        monitor: Watches it.
        files: A model that `loader` has loaded already and that answers plain chats.
        thinking_files: A model that `loader` has loaded already and that thinks before it answers, unless it is kept
            from it; needed when `reasoning_effort` is declared.
        encode: Returns the token ids of a text, without special tokens; needed when `logit_bias` or `raw_prompt` is
            declared.
        pass_time: Lets seconds pass by the clock that the adapter goes by.
        patience_s: Seconds after which a test that does not end counts as hanging.
    """

    generator: TextGenerator
    loader: ModelLoader
    monitor: EngineMonitor
    files: ModelFiles
    thinking_files: ModelFiles | None = None
    encode: Callable[[str], Sequence[int]] | None = None
    pass_time: Callable[[float], Awaitable[None]] = asyncio.sleep
    patience_s: float = 300.0

    @property
    def model(self) -> LoadedModel:
        """The loaded model."""
        return next(model for model in self.loader.loaded() if model.id == self.files.model_id)


@pytest.mark.asyncio
class TextGeneratorContract:
    """Subclass this and define a fixture `harness` that returns a `TextGeneratorHarness`."""

    @checks("text_generator.stream_order")
    async def test_stream_order(self, harness: TextGeneratorHarness) -> None:
        """Holds a stream against the rules of the domain."""
        reading = await read(harness.generator, chat(harness.files))
        rules = GenerationRules()
        for event in reading.events:
            rules.accept(event)
        rules.close()

    @checks("text_generator.started_names_request")
    async def test_started_names_request(self, harness: TextGeneratorHarness) -> None:
        """Compares the first event with the request."""
        request = chat(harness.files, max_tokens=1)
        started = (await read(harness.generator, request)).started
        assert (started.generation_id, started.model) == (request.generation_id, request.model)

    @checks("text_generator.prefill_counts_prompt")
    async def test_prefill_counts_prompt(self, harness: TextGeneratorHarness) -> None:
        """Compares the total of each progress event with the length that was announced."""
        reading = await read(harness.generator, chat(harness.files, max_tokens=1))
        totals = [event.total_tokens for event in reading.events if isinstance(event, PrefillProgress)]
        assert set(totals) <= {reading.started.prompt_tokens}

    @checks("text_generator.usage_adds_up")
    async def test_usage_adds_up(self, harness: TextGeneratorHarness) -> None:
        """Compares the usage with the length that was announced."""
        reading = await read(harness.generator, chat(harness.files, max_tokens=4))
        usage = reading.finished.usage
        assert usage.prompt_tokens == reading.started.prompt_tokens > 0
        assert 0 <= usage.cached_prompt_tokens <= usage.prompt_tokens
        assert usage.completion_tokens > 0

    @checks("text_generator.timings_are_durations")
    async def test_timings_are_durations(self, harness: TextGeneratorHarness) -> None:
        """Looks at signs and order, not at sizes."""
        timings = (await read(harness.generator, chat(harness.files, max_tokens=2))).finished.timings
        assert 0 <= timings.queue_ms <= timings.time_to_first_token_ms < math.inf
        assert 0 <= timings.prefill_ms <= timings.time_to_first_token_ms
        assert 0 <= timings.tokens_per_second < math.inf

    @checks("text_generator.started_before_work")
    async def test_started_before_work(self, harness: TextGeneratorHarness) -> None:
        """Sends a long, new prompt: its prefill must lie after the first event, so much of the wait must too."""
        request = chat(harness.files, f"Never said before: {uuid.uuid4().hex}. " + COUNTING * 4, max_tokens=1)
        async with counted_turns() as counter, harness.generator.generate_text(request) as events:
            marks = [counter.turns async for event in events if not isinstance(event, PrefillProgress)]
        assert marks[1] - marks[0] > marks[0] / 10, "The first event came only when the prompt was done."

    @checks("text_generator.deltas_as_produced")
    async def test_deltas_as_produced(self, harness: TextGeneratorHarness) -> None:
        """Compares the wait before the first delta with that between the first and the last, the prompt being warm."""
        request = chat(harness.files, max_tokens=16)
        await read(harness.generator, request)
        async with counted_turns() as counter, harness.generator.generate_text(request) as events:
            marks = [counter.turns async for event in events if isinstance(event, TextDelta)]
        assert marks[-1] - marks[0] > marks[0] / 10, "The deltas came together."

    @checks("text_generator.whole_characters")
    async def test_whole_characters(self, harness: TextGeneratorHarness) -> None:
        """Asks for characters of two to four bytes and cuts the answer early: each cut begins the whole answer."""
        text = "Say this again, nothing else: \U0001f642 日本語 \U0001f469‍\U0001f680 żółć"
        whole = await read(harness.generator, chat(harness.files, text, max_tokens=12))
        for max_tokens in (1, 2, 3, 5, 7):
            cut = await read(harness.generator, chat(harness.files, text, max_tokens=max_tokens))
            assert whole.text.startswith(cut.text)
        for delta in whole.deltas:
            assert "\ufffd" not in delta
            assert delta.encode().decode() == delta

    @checks("text_generator.max_tokens_bounds_answer")
    async def test_max_tokens_bounds_answer(self, harness: TextGeneratorHarness) -> None:
        """Asks for one token and for a few."""
        for max_tokens in (1, 5):
            finished = (await read(harness.generator, chat(harness.files, max_tokens=max_tokens))).finished
            assert 1 <= finished.usage.completion_tokens <= max_tokens
            assert finished.finish_reason is FinishReason.STOP or (
                finished.finish_reason is FinishReason.LENGTH and finished.usage.completion_tokens == max_tokens
            )

    @checks("text_generator.stop_text_ends_answer")
    async def test_stop_text_ends_answer(self, harness: TextGeneratorHarness) -> None:
        """Takes the stop text from the answer itself, across the border of two deltas."""
        plain = await read(harness.generator, chat(harness.files))
        border = len(plain.deltas[0])
        stop = plain.text[border - 1 : border + 2]
        stopped = await read(harness.generator, chat(harness.files, stop=("\u2603 never said", stop)))
        assert stopped.text == plain.text[: plain.text.index(stop)]
        assert (stopped.finished.finish_reason, stopped.finished.stop_text) == (FinishReason.STOP, stop)
        assert plain.finished.stop_text is None

    @checks("text_generator.held_back_text_is_released")
    async def test_held_back_text_is_released(self, harness: TextGeneratorHarness) -> None:
        """Uses stop texts that begin like the middle and like the end of the answer and go on differently."""
        plain = await read(harness.generator, chat(harness.files))
        stop = (f"{plain.text[1:4]}\u2603", f"{plain.text[-3:]}\u2603")
        assert (await read(harness.generator, chat(harness.files, stop=stop))).text == plain.text

    @checks("text_generator.temperature_0_repeats")
    async def test_temperature_0_repeats(self, harness: TextGeneratorHarness) -> None:
        """Asks the same twice in a row."""
        first = await read(harness.generator, chat(harness.files))
        second = await read(harness.generator, chat(harness.files))
        assert first.text == second.text

    @checks("text_generator.top_p_cuts")
    async def test_top_p_cuts(self, harness: TextGeneratorHarness) -> None:
        """Compares a hot answer that has one token to choose from with the one at temperature 0."""
        await _require_greedy(harness, SamplingParameters(temperature=1, top_p=0.01))

    @checks("text_generator.seed")
    async def test_seed(self, harness: TextGeneratorHarness) -> None:
        """Asks the same twice in a row, then beside another request."""
        request = chat(harness.files, sampling=SamplingParameters(temperature=1, top_p=1, seed=7))
        if await _is_refused(harness, Capability.SEED, request):
            return
        first = await read(harness.generator, request)
        second = await read(harness.generator, request)
        beside, _ = await asyncio.gather(
            read(harness.generator, request), read(harness.generator, chat(harness.files, "Tell me a story."))
        )
        assert first.text == second.text == beside.text

    @checks("text_generator.top_k")
    async def test_top_k(self, harness: TextGeneratorHarness) -> None:
        """Compares a hot answer that has one token to choose from with the one at temperature 0."""
        sampling = SamplingParameters(temperature=2, top_p=1, top_k=1)
        if not await _is_refused(harness, Capability.TOP_K, chat(harness.files, sampling=sampling)):
            await _require_greedy(harness, sampling)

    @checks("text_generator.min_p")
    async def test_min_p(self, harness: TextGeneratorHarness) -> None:
        """Compares a hot answer that has one token to choose from with the one at temperature 0."""
        sampling = SamplingParameters(temperature=2, top_p=1, min_p=1)
        if not await _is_refused(harness, Capability.MIN_P, chat(harness.files, sampling=sampling)):
            await _require_greedy(harness, sampling)

    @checks("text_generator.repetition_penalty")
    async def test_repetition_penalty(self, harness: TextGeneratorHarness) -> None:
        """Sends a penalty."""
        sampling = replace(GREEDY, repetition_penalty=1.5)
        await _require_accepted_or_refused(harness, Capability.REPETITION_PENALTY, sampling)

    @checks("text_generator.presence_penalty")
    async def test_presence_penalty(self, harness: TextGeneratorHarness) -> None:
        """Sends a penalty."""
        sampling = replace(GREEDY, presence_penalty=1.5)
        await _require_accepted_or_refused(harness, Capability.PRESENCE_PENALTY, sampling)

    @checks("text_generator.frequency_penalty")
    async def test_frequency_penalty(self, harness: TextGeneratorHarness) -> None:
        """Sends a penalty."""
        sampling = replace(GREEDY, frequency_penalty=1.5)
        await _require_accepted_or_refused(harness, Capability.FREQUENCY_PENALTY, sampling)

    @checks("text_generator.logit_bias")
    async def test_logit_bias(self, harness: TextGeneratorHarness) -> None:
        """Brings in a token that the answer lacks, then bans those that it has."""
        if await _is_refused(harness, Capability.LOGIT_BIAS, _biased(harness, {0: 1.0})):
            return
        assert harness.encode is not None, "A harness whose generator declares logit_bias needs `encode`."
        plain = await read(harness.generator, chat(harness.files))
        said = set(harness.encode(plain.text))
        foreign = next(token for token in harness.encode(" apple river stone cloud horse") if token not in said)
        urged = await read(harness.generator, _biased(harness, {foreign: 100.0}))
        barred = await read(harness.generator, _biased(harness, dict.fromkeys(said, -100.0)))
        assert urged.text != plain.text
        assert barred.text != plain.text

    @checks("text_generator.choices")
    async def test_choices(self, harness: TextGeneratorHarness) -> None:
        """Asks for several answers at temperature 0, where all are alike."""
        request = replace(chat(harness.files), n=ANSWERS_AT_ONCE)
        if await _is_refused(harness, Capability.CHOICES, request):
            return
        alone = await read(harness.generator, chat(harness.files))
        reading = await read(harness.generator, request)
        ended = [event.choice for event in reading.events if isinstance(event, ChoiceFinished)]
        assert sorted(ended) == list(range(ANSWERS_AT_ONCE))
        assert [reading.text_of(choice) for choice in sorted(ended)] == [alone.text] * ANSWERS_AT_ONCE
        tokens = reading.finished.usage.completion_tokens
        assert tokens == ANSWERS_AT_ONCE * alone.finished.usage.completion_tokens

    @checks("text_generator.json_schema_output")
    async def test_json_schema_output(self, harness: TextGeneratorHarness) -> None:
        """Asks for an object of which no two texts are the same."""
        text = await _constrained_text(harness, JsonSchemaOutput(schema=SWITCH_SCHEMA))
        if text is not None:
            switch = json.loads(text)
            assert switch.keys() == {"on", "colour"}
            assert isinstance(switch["on"], bool)
            assert switch["colour"] in COLOURS

    @checks("text_generator.regex_output")
    async def test_regex_output(self, harness: TextGeneratorHarness) -> None:
        """Asks for one of nine texts."""
        text = await _constrained_text(harness, RegexOutput(pattern="(red|green|blue), (on|off|dim)"))
        assert text is None or text in COLOURED_SWITCHES

    @checks("text_generator.lark_output")
    async def test_lark_output(self, harness: TextGeneratorHarness) -> None:
        """Asks for one of nine texts."""
        grammar = 'start: colour ", " state\ncolour: "red" | "green" | "blue"\nstate: "on" | "off" | "dim"'
        text = await _constrained_text(harness, GrammarOutput(grammar=grammar))
        assert text is None or text in COLOURED_SWITCHES

    @checks("text_generator.gbnf_output")
    async def test_gbnf_output(self, harness: TextGeneratorHarness) -> None:
        """Asks for one of nine texts."""
        grammar = 'root ::= colour ", " state\ncolour ::= "red" | "green" | "blue"\nstate ::= "on" | "off" | "dim"'
        text = await _constrained_text(harness, GrammarOutput(grammar=grammar, syntax=GrammarSyntax.GBNF))
        assert text is None or text in COLOURED_SWITCHES

    @checks("text_generator.choice_output")
    async def test_choice_output(self, harness: TextGeneratorHarness) -> None:
        """Asks for one of three texts, one of which begins like another."""
        choices = ("a blue switch", "a blue switch, dimmed", "no switch")
        text = await _constrained_text(harness, ChoiceOutput(choices=choices))
        assert text is None or text in choices

    @checks("text_generator.impossible_output_refused")
    async def test_impossible_output_refused(self, harness: TextGeneratorHarness) -> None:
        """Sends, of each kind that is declared, one that makes no sense."""
        for output in IMPOSSIBLE_OUTPUTS:
            if output.capability in harness.generator.capabilities:
                refusal = await refusal_of(harness.generator, replace(chat(harness.files), output=output))
                assert isinstance(refusal, InvalidRequestError)
                assert str(refusal.parameter).startswith("output")

    @checks("text_generator.reasoning_effort")
    async def test_reasoning_effort(self, harness: TextGeneratorHarness) -> None:
        """Has a model think, and keeps it from thinking."""
        request = replace(chat(harness.thinking_files or harness.files), reasoning_effort=ReasoningEffort.HIGH)
        if await _is_refused(harness, Capability.REASONING_EFFORT, request):
            return
        assert harness.thinking_files, "A harness whose generator declares reasoning_effort needs `thinking_files`."
        thinking = await read(harness.generator, request)
        usage = thinking.finished.usage
        assert thinking.reasoning
        assert 0 < usage.reasoning_tokens <= usage.completion_tokens
        plain = await read(harness.generator, replace(request, reasoning_effort=ReasoningEffort.NONE))
        assert (plain.reasoning, plain.finished.usage.reasoning_tokens) == ("", 0)

    @checks("text_generator.logprobs")
    async def test_logprobs(self, harness: TextGeneratorHarness) -> None:
        """Adds the tokens of answers up: one that is cut, and one that a stop text ends in the middle."""
        request = replace(chat(harness.files), logprobs=ALTERNATIVES)
        if await _is_refused(harness, Capability.LOGPROBS, request):
            return
        plain = await read(harness.generator, chat(harness.files))
        whole = await read(harness.generator, request)
        assert not plain.logprobs
        assert whole.text == plain.text == _text_of(whole.logprobs)
        assert whole.finished.usage.completion_tokens - len(whole.logprobs) in (0, 1)  # an end token has no text
        for token in whole.logprobs:
            _require_ranked(token)
        stopped = await read(harness.generator, replace(request, stop=(plain.text[-4:],)))
        if len(stopped.text) <= len(plain.text) - 4:  # another test judges where it stops
            assert _text_of(stopped.logprobs).startswith(stopped.text)
            assert stopped.text.startswith(_text_of(stopped.logprobs[:-1]))

    @checks("text_generator.raw_prompt")
    async def test_raw_prompt(self, harness: TextGeneratorHarness) -> None:
        """Sends the tokens of a text, which are as many as they are, and the text itself."""
        request = replace(chat(harness.files), messages=(), prompt=COUNTING)
        if await _is_refused(harness, Capability.RAW_PROMPT, request):
            return
        assert harness.encode is not None, "A harness whose generator declares raw_prompt needs `encode`."
        tokens = tuple(harness.encode(COUNTING))
        of_tokens = await read(harness.generator, replace(request, prompt=tokens))
        of_text = await read(harness.generator, request)
        assert of_tokens.started.prompt_tokens == len(tokens)
        begun_with = of_text.started.prompt_tokens - len(tokens)  # a tokenizer may begin each text with a token
        assert begun_with == 1 or (begun_with == 0 and of_text.text == of_tokens.text)
        assert of_tokens.text
        unknown = await refusal_of(harness.generator, replace(request, prompt=(*tokens, 2**31 - 1)))
        assert isinstance(unknown, InvalidRequestError)
        assert unknown.parameter == "prompt"

    @checks("text_generator.tools")
    async def test_tools(self, harness: TextGeneratorHarness) -> None:
        """Asks for a call of either of two tools."""
        request = with_tools(harness.files, required())
        if await _is_refused(harness, Capability.TOOLS, request):
            return
        reading = await read(harness.generator, request)
        assert reading.tool_calls, f"No tool was called; the answer is {reading.text!r}."
        assert reading.finished.finish_reason is FinishReason.TOOL_CALLS
        for call in reading.tool_calls:
            arguments = json.loads(call.arguments)
            allowed = [{"unit": unit} for unit in UNITS] if call.name == THERMOMETER.name else [{}]
            assert call.name in (THERMOMETER.name, DOOR.name)
            assert arguments in allowed

    @checks("text_generator.named_tool_is_called")
    async def test_named_tool_is_called(self, harness: TextGeneratorHarness) -> None:
        """Names each of two tools in turn."""
        for tool in (DOOR, THERMOMETER) if _has_tools(harness) else ():
            reading = await read(harness.generator, with_tools(harness.files, named(tool)))
            assert {call.name for call in reading.tool_calls} == {tool.name}

    @checks("text_generator.no_tool_when_none")
    async def test_no_tool_when_none(self, harness: TextGeneratorHarness) -> None:
        """Compares an answer with tools that must not be used with one without tools."""
        request = with_tools(harness.files, ToolChoice(mode=ToolChoiceMode.NONE))
        without = await read(harness.generator, replace(request, tools=(), max_tokens=12))
        beside = await read(harness.generator, replace(request, max_tokens=12))
        assert (beside.text, beside.started.prompt_tokens) == (without.text, without.started.prompt_tokens)
        assert not beside.tool_calls

    @checks("text_generator.single_tool_call")
    async def test_single_tool_call(self, harness: TextGeneratorHarness) -> None:
        """Asks for a call where several are not allowed."""
        if _has_tools(harness):
            reading = await read(harness.generator, with_tools(harness.files, named(DOOR)))
            assert len(reading.tool_calls) == 1

    @checks("text_generator.tool_call_deltas")
    async def test_tool_call_deltas(self, harness: TextGeneratorHarness) -> None:
        """Holds the events of a call against the rules of the domain."""
        if not _has_tools(harness):
            return
        reading = await read(harness.generator, with_tools(harness.files, named(THERMOMETER)))
        rules = ToolCallRules()
        for event in reading.events:
            if isinstance(event, ToolCallDelta):
                rules.accept_delta(event)
            elif isinstance(event, ToolCallFinished):
                rules.accept_end(event)
        rules.close(reading.finished.finish_reason, reading.finished.detail)
        assert rules.calls

    @checks("text_generator.tool_results_are_read")
    async def test_tool_results_are_read(self, harness: TextGeneratorHarness) -> None:
        """Compares the lengths of two prompts whose chats differ in what a tool returned."""
        if not _has_tools(harness):
            return
        short = await read(harness.generator, with_result(harness.files, "20"))
        long = await read(harness.generator, with_result(harness.files, "It is 20 degrees, as warm as it has to be."))
        assert long.started.prompt_tokens > short.started.prompt_tokens

    @checks("text_generator.echo")
    async def test_echo(self, harness: TextGeneratorHarness) -> None:
        """Has a prompt given back, which is not among the tokens drawn."""
        request = replace(chat(harness.files), messages=(), prompt=COUNTING)
        if await _is_refused(harness, Capability.ECHO, replace(request, echo=True)):
            return
        echoed = await read(harness.generator, replace(request, echo=True))
        assert echoed.text.startswith(COUNTING)
        assert len(echoed.text) > len(COUNTING)
        assert echoed.finished.usage.completion_tokens < echoed.finished.usage.prompt_tokens

    @checks("text_generator.image_input")
    async def test_image_input(self, harness: TextGeneratorHarness) -> None:
        """Sends a picture of one pixel."""
        request = _showing(harness, ImagePart(data=PNG, media_type="image/png"))
        if not await _is_refused(harness, Capability.IMAGE_INPUT, request):
            assert (await read(harness.generator, request)).finished.usage.completion_tokens > 0

    @checks("text_generator.audio_input")
    async def test_audio_input(self, harness: TextGeneratorHarness) -> None:
        """Sends a moment of silence."""
        request = _showing(harness, AudioPart(data=WAV, media_type="audio/wav"))
        if not await _is_refused(harness, Capability.AUDIO_INPUT, request):
            assert (await read(harness.generator, request)).finished.usage.completion_tokens > 0

    @checks("text_generator.refused_on_entering")
    async def test_refused_on_entering(self, harness: TextGeneratorHarness) -> None:
        """Enters with a request that must be refused, and fails if the block is reached."""
        request = replace(chat(harness.files), model=NOT_LOADED)
        with pytest.raises(CortexError):
            async with harness.generator.generate_text(request):
                raise AssertionError("The request was accepted.")

    @checks("text_generator.unloaded_model_refused")
    async def test_unloaded_model_refused(self, harness: TextGeneratorHarness) -> None:
        """Unloads a model that has just answered, asks again, and loads it again."""
        request = chat(harness.files, max_tokens=1)
        await read(harness.generator, request)
        await harness.loader.unload(harness.files.model_id)
        try:
            refusal = await refusal_of(harness.generator, request)
        finally:
            await harness.loader.load(harness.files)
        assert isinstance(refusal, ModelNotLoadedError)
        assert refusal.model_id == harness.files.model_id

    @checks("text_generator.long_prompt_refused")
    async def test_long_prompt_refused(self, harness: TextGeneratorHarness) -> None:
        """Sends at least as many words as the window has tokens."""
        window = harness.model.context_window
        refusal = await refusal_of(harness.generator, chat(harness.files, " one" * window, max_tokens=None))
        assert isinstance(refusal, ContextWindowExceededError)
        assert refusal.prompt_tokens >= refusal.context_window == window
        assert refusal.max_tokens is None

    @checks("text_generator.long_answer_refused")
    async def test_long_answer_refused(self, harness: TextGeneratorHarness) -> None:
        """Asks for one token more than fits, then for exactly what fits."""
        window = harness.model.context_window
        refusal = await refusal_of(harness.generator, chat(harness.files, max_tokens=window))
        assert isinstance(refusal, ContextWindowExceededError)
        assert (refusal.max_tokens, refusal.context_window) == (window, window)
        room = window - refusal.prompt_tokens
        assert isinstance(
            await refusal_of(harness.generator, chat(harness.files, max_tokens=room + 1)), ContextWindowExceededError
        )
        async with harness.generator.generate_text(chat(harness.files, max_tokens=room)) as events:
            await anext(events)

    @checks("text_generator.shortens_to_fit")
    async def test_shortens_to_fit(self, harness: TextGeneratorHarness) -> None:
        """Asks for as many tokens as the window has, and waits until that is accepted."""
        request = replace(chat(harness.files, max_tokens=harness.model.context_window), shortens_to_fit=True)
        async with harness.generator.generate_text(request) as events:
            await anext(events)

    @checks("text_generator.deadline_ends_answer")
    async def test_deadline_ends_answer(self, harness: TextGeneratorHarness) -> None:
        """Asks for far more than the time allows; a short answer given after it must find itself alone."""
        request = replace(chat(harness.files, COUNTING * 8, max_tokens=1000), timeout_s=DEADLINE_S)
        with suppress(DeadlineExceededError):
            async with harness.generator.generate_text(request) as events:
                await harness.pass_time(DEADLINE_S)
                finished = Reading(events=[event async for event in events]).finished
            assert finished.finish_reason is FinishReason.CANCELLED
            assert finished.usage.completion_tokens < 1000
        async with harness.generator.generate_text(chat(harness.files, max_tokens=4)) as events:
            statuses = [harness.monitor.status() async for _ in events]
        assert statuses[-1].active_requests + statuses[-1].waiting_requests <= 1

    @checks("text_generator.leaving_frees_place")
    async def test_leaving_frees_place(self, harness: TextGeneratorHarness) -> None:
        """Leaves a long answer in four ways; a short answer given after it must find itself alone."""
        long = chat(harness.files, max_tokens=1000)
        for leave in WAYS_TO_LEAVE:
            await leave(harness.generator, long)
            async with harness.generator.generate_text(chat(harness.files, max_tokens=4)) as events:
                statuses = [harness.monitor.status() async for _ in events]
            status = statuses[-1]
            assert status.active_requests + status.waiting_requests <= 1, f"{leave.__name__} left the work running."

    @checks("text_generator.concurrent_as_alone")
    async def test_concurrent_as_alone(self, harness: TextGeneratorHarness) -> None:
        """Asks several things at temperature 0, one after the other and then at once."""
        requests = [chat(harness.files, f"{COUNTING} Begin at {n}.", max_tokens=8) for n in range(ANSWERS_AT_ONCE)]
        alone = [await read(harness.generator, request) for request in requests]
        beside = await asyncio.gather(*(read(harness.generator, request) for request in requests))
        assert [reading.text for reading in beside] == [reading.text for reading in alone]

    @checks("text_generator.failure_stays_alone")
    async def test_failure_stays_alone(self, harness: TextGeneratorHarness) -> None:
        """Has a request refused while another one is answered."""
        async with harness.generator.generate_text(chat(harness.files)) as events:
            await anext(events)
            await refusal_of(harness.generator, replace(chat(harness.files), model=NOT_LOADED))
            assert [event async for event in events if isinstance(event, GenerationFinished)]

    @checks("text_generator.unread_stream_stalls_no_other")
    async def test_unread_stream_stalls_no_other(self, harness: TextGeneratorHarness) -> None:
        """Stops reading one answer, reads another one whole, and then the rest of the first."""
        async with harness.generator.generate_text(chat(harness.files)) as events:
            await anext(events)
            await read(harness.generator, chat(harness.files, max_tokens=4))
            assert [event async for event in events if isinstance(event, GenerationFinished)]


async def _constrained_text(harness: TextGeneratorHarness, output: OutputConstraint) -> str | None:
    """Reads an answer that ends by itself; None where outputs of this kind are refused by their name."""
    request = replace(chat(harness.files, max_tokens=CONSTRAINED_TOKENS), output=output)
    if await _is_refused(harness, output.capability, request):
        return None
    reading = await read(harness.generator, request)
    assert reading.finished.finish_reason is FinishReason.STOP
    return reading.text


async def _require_greedy(harness: TextGeneratorHarness, sampling: SamplingParameters) -> None:
    greedy = await read(harness.generator, chat(harness.files))
    cut = await read(harness.generator, chat(harness.files, sampling=sampling))
    assert cut.text == greedy.text


async def _require_accepted_or_refused(
    harness: TextGeneratorHarness, capability: Capability, sampling: SamplingParameters
) -> None:
    request = chat(harness.files, sampling=sampling)
    if not await _is_refused(harness, capability, request):
        assert (await read(harness.generator, request)).finished.usage.completion_tokens > 0


async def _is_refused(harness: TextGeneratorHarness, capability: Capability, request: GenerationRequest) -> bool:
    """Tells whether a capability is not declared, having made sure that it is refused by its name then."""
    if capability in harness.generator.capabilities:
        return False
    refusal = await refusal_of(harness.generator, request)
    assert isinstance(refusal, UnsupportedCapabilityError)
    assert refusal.capability == capability
    return True


def _text_of(tokens: Sequence[TokenLogprob]) -> str:
    """What tokens say together, but for a space before the first, which a chat's first text may leave out."""
    return bytes(byte for token in tokens for byte in token.bytes).decode(errors="ignore").removeprefix(" ")


def _require_ranked(token: TokenLogprob) -> None:
    """Looks at a token that was drawn at temperature 0."""
    ranked = [alternative.logprob for alternative in token.top]
    assert 1 <= len(ranked) <= ALTERNATIVES
    assert ranked == sorted(ranked, reverse=True)
    assert LEAST_LOGPROB <= ranked[-1] <= token.logprob == ranked[0] <= 0
    assert len({alternative.token_id for alternative in token.top}) == len(ranked)


def _has_tools(harness: TextGeneratorHarness) -> bool:
    """Tells whether tools are declared; that they are refused otherwise is tested once, by `test_tools`."""
    return Capability.TOOLS in harness.generator.capabilities


def _biased(harness: TextGeneratorHarness, bias: dict[int, float]) -> GenerationRequest:
    return chat(harness.files, sampling=replace(GREEDY, logit_bias=bias))


def _showing(harness: TextGeneratorHarness, part: ContentPart) -> GenerationRequest:
    message = Message(role=Role.USER, parts=(TextPart(text=COUNTING), part))
    return replace(chat(harness.files), messages=(message,))
