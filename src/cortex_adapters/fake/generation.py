"""One answer of the fake text generator, from its first event to its last."""

import math
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

from cortex_adapters.fake.scripted_reply import ScriptedReply, Token
from cortex_domain.errors import ModelNotLoadedError
from cortex_domain.events import (
    GenerationEvent,
    GenerationFinished,
    GenerationStarted,
    PrefillProgress,
    ReasoningDelta,
    TextDelta,
    ToolCallFinished,
)
from cortex_domain.generation import FinishReason, GenerationRequest, GenerationTimings, TokenUsage
from cortex_domain.language_models import LoadedModel, ModelId
from cortex_domain.ports import Clock, ModelLoader
from cortex_domain.stop_texts import StopTextFilter
from cortex_domain.token_logprobs import TokenLogprob, UntoldTokens


class FakeGeneration(AsyncIterator[GenerationEvent]):
    """Says a reply, one piece a turn. A reader who is cancelled while it waits has lost nothing: the turn comes again.

    Args:
        request: What was asked.
        reply: What is answered.
        prompt_tokens: Length of the prompt.
        max_tokens: Longest answer, in tokens.
        model: Who answers; the answer breaks off when this very load of it is no longer in memory.
        loader: Tells which models are loaded.
        clock: Tells the time and waits for the reply's delays.
        tell_token: Describes a piece as a token; None when nobody asked.
        echoed: The words of the prompt, when it is given back.
    """

    def __init__(
        self,
        *,
        request: GenerationRequest,
        reply: ScriptedReply,
        prompt_tokens: int,
        max_tokens: int,
        model: LoadedModel,
        loader: ModelLoader,
        clock: Clock,
        tell_token: Callable[[str], TokenLogprob] | None = None,
        echoed: Sequence[str] = (),
    ) -> None:
        self._request = request
        self._reply = reply
        self._prompt_tokens = prompt_tokens
        self._max_tokens = max_tokens
        self._model = model
        self._loader = loader
        self._clock = clock
        self._tell_token = tell_token
        self._echoed = echoed
        self._stop_filter = StopTextFilter(request.stop)
        self._untold_tokens = UntoldTokens()
        self._accepted_s = clock.monotonic_s()
        self._prefilled_s = self._accepted_s
        self._token_times_s: list[float] = []
        self._tokens = reply.tokens
        self._open_call: str | None = None
        self._has_calls = False
        self._has_started = False
        self._thoughts = reply.reasoning[:max_tokens]
        self._reasoning_tokens = 0
        self._moves = self._make_moves()
        self._wait_s: float | None = None
        self._deadline_s = math.inf if request.timeout_s is None else self._accepted_s + request.timeout_s

    async def __anext__(self) -> GenerationEvent:
        """Waits for the next turn that says something, and returns what it says."""
        while True:
            if self._wait_s is not None:
                await self._turn(min(self._wait_s, max(self._deadline_s - self._clock.monotonic_s(), 0.0)))
                self._wait_s = None
                self._heed_deadline()
            match next(self._moves, None):
                case None:
                    raise StopAsyncIteration
                case float() | int() as wait_s:
                    self._wait_s = wait_s
                case event:
                    return event

    @property
    def model_id(self) -> ModelId:
        """Who answers."""
        return self._model.id

    def move_to(self, model: LoadedModel) -> None:
        """Goes on with another load of the model."""
        self._model = model

    def _make_moves(self) -> Iterator[float | GenerationEvent]:
        """Makes the answer's events, and before each the seconds to wait for it."""
        yield 0.0
        yield self._started()
        for processed_tokens in (self._prompt_tokens // 2, self._prompt_tokens):
            yield 0.0
            yield PrefillProgress(processed_tokens=processed_tokens, total_tokens=self._prompt_tokens)
        self._prefilled_s = self._clock.monotonic_s()
        if self._echoed:
            tokens = [self._tell_token(word) for word in self._echoed] if self._tell_token else []
            yield TextDelta(text="".join(self._echoed), logprobs=tuple(tokens))
        for piece in self._thoughts:
            yield self._delay_s
            self._reasoning_tokens += 1
            self._token_times_s.append(self._clock.monotonic_s())
            if piece:
                yield ReasoningDelta(text=piece)
        for token in self._tokens[: self._max_tokens - len(self._thoughts)]:
            yield self._delay_s
            yield from self._say(token)
            if self._stop_filter.stopped:
                break
        yield 0.0
        yield from self._end()
        yield self._finished(self._finish_reason())

    def _heed_deadline(self) -> None:
        if self._has_started and self._clock.monotonic_s() >= self._deadline_s:
            self._deadline_s = math.inf
            self._moves = self._break_off()

    def _break_off(self) -> Iterator[GenerationEvent]:
        yield from self._flush()
        yield self._finished(FinishReason.CANCELLED)

    async def _turn(self, delay_s: float) -> None:
        await self._clock.sleep(delay_s)
        if not any(model is self._model for model in self._loader.loaded()):
            raise ModelNotLoadedError(model_id=self._model.id)

    def _started(self) -> GenerationStarted:
        self._has_started = True
        return GenerationStarted(
            generation_id=self._request.generation_id,
            model=self._model.id,
            created_s=int(self._clock.now_s()),
            prompt_tokens=self._prompt_tokens,
            warnings=self._reply.warnings,
        )

    @property
    def _delay_s(self) -> float:
        return self._reply.delay_s if self._token_times_s else self._reply.first_delay_s

    def _say(self, token: Token) -> Iterator[GenerationEvent]:
        self._token_times_s.append(self._clock.monotonic_s())
        if isinstance(token, str):
            self._untold_tokens.add(self._tell_token and self._tell_token(token), characters=len(token))
            text = self._stop_filter.push(token)
            yield from _delta(text, self._untold_tokens.show(len(text)))
            return
        yield from self._flush()
        self._has_calls = True
        self._open_call = None if isinstance(token[-1], ToolCallFinished) else token[-1].name
        yield from token

    def _end(self) -> Iterator[GenerationEvent]:
        if self._said_all and self._reply.failure is not None:
            raise self._reply.failure
        if self._drew_end:
            self._token_times_s.append(self._clock.monotonic_s())
        yield from self._flush()

    def _flush(self) -> Iterator[TextDelta]:
        if not self._stop_filter.stopped:
            yield from _delta(self._stop_filter.flush(), self._untold_tokens.show_rest())

    def _finished(self, finish_reason: FinishReason) -> GenerationFinished:
        return GenerationFinished(
            finish_reason=finish_reason,
            usage=TokenUsage(
                prompt_tokens=self._prompt_tokens,
                completion_tokens=len(self._token_times_s),
                reasoning_tokens=self._reasoning_tokens,
            ),
            timings=self._timings(),
            stop_text=self._stop_filter.found,
            detail=self._detail(finish_reason),
        )

    def _finish_reason(self) -> FinishReason:
        if self._stop_filter.stopped:
            return FinishReason.STOP
        if not self._drew_end:
            return FinishReason.LENGTH
        return FinishReason.TOOL_CALLS if self._has_calls and not self._open_call else self._reply.finish_reason

    def _detail(self, finish_reason: FinishReason) -> str | None:
        if self._open_call is None:
            return None
        if finish_reason is FinishReason.STOP:
            return f"The arguments of the call of {self._open_call!r} are not a JSON object."
        return f"The answer ended within the call of {self._open_call!r}."

    @property
    def _said_all(self) -> bool:
        return self._length <= self._max_tokens and not self._stop_filter.stopped

    @property
    def _drew_end(self) -> bool:
        return self._length < self._max_tokens and not self._stop_filter.stopped

    @property
    def _length(self) -> int:
        return len(self._reply.reasoning) + len(self._tokens)

    def _timings(self) -> GenerationTimings:
        token_times_s = self._token_times_s or [self._clock.monotonic_s()]
        first_s, last_s = token_times_s[0], token_times_s[-1]
        spent_s = last_s - first_s
        return GenerationTimings(
            queue_ms=0.0,
            prefill_ms=1000 * (self._prefilled_s - self._accepted_s),
            time_to_first_token_ms=1000 * (first_s - self._accepted_s),
            tokens_per_second=(len(token_times_s) - 1) / spent_s if spent_s > 0 else 0.0,
        )


def _delta(text: str, logprobs: tuple[TokenLogprob, ...]) -> Iterator[TextDelta]:
    if text or logprobs:
        yield TextDelta(text=text, logprobs=logprobs)
