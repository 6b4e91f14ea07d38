"""What was seen: one answer, one round of answers, and what the rounds come to."""

import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from cortex_entrypoints.bench.workload import RoundPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one answer, as the target counted them.

    Attributes:
        prompt_tokens: Length of the prompt with the chat template; None when the target does not say.
        cached_prompt_tokens: How many of them were reused; None when the target does not say.
        completion_tokens: Length of the answer.
    """

    prompt_tokens: int | None = None
    cached_prompt_tokens: int | None = None
    completion_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One request and what came of it. Times are seconds of one monotonic clock.

    Attributes:
        sent_s: When the request was sent.
        ended_s: When the answer was complete, or had failed.
        texts_s: When each piece of text arrived.
        usage: What the target counted; None when it does not, and then each piece of text counts as a token.
        finish_reason: Why the answer ended; None when the target did not say.
        error: What went wrong; None when nothing did.
    """

    sent_s: float
    ended_s: float
    texts_s: tuple[float, ...] = ()
    usage: Usage | None = None
    finish_reason: str | None = None
    error: str | None = None

    @property
    def completion_tokens(self) -> int:
        """Length of the answer."""
        return len(self.texts_s) if self.usage is None else self.usage.completion_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """A burst of requests and its answers.

    Attributes:
        target: Name of who answered.
        plan: What was asked.
        answers: One a client, failed ones included.
    """

    target: str
    plan: RoundPlan
    answers: Sequence[Answer]

    @property
    def complete(self) -> Sequence[Answer]:
        """The answers that did not fail."""
        return [answer for answer in self.answers if answer.error is None]

    @property
    def errors(self) -> Sequence[str]:
        """What went wrong, once for each request that failed."""
        return [answer.error for answer in self.answers if answer.error is not None]

    @property
    def tokens_per_s(self) -> float:
        """Tokens of complete answers, over the seconds from the first request to the end of the last answer."""
        seconds = max(answer.ended_s for answer in self.answers) - min(answer.sent_s for answer in self.answers)
        return sum(answer.completion_tokens for answer in self.complete) / seconds if seconds > 0 else 0.0

    @property
    def first_text_ms(self) -> Sequence[float]:
        """From sending to the first text, in milliseconds, for each answer that had any."""
        return [(answer.texts_s[0] - answer.sent_s) * 1000 for answer in self.complete if answer.texts_s]

    @property
    def gaps_ms(self) -> Sequence[float]:
        """Between two pieces of text of one answer, in milliseconds, over all answers."""
        return [(later - earlier) * 1000 for answer in self.complete for earlier, later in pairwise(answer.texts_s)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A middle and a tail; None where nothing was measured.

    Attributes:
        p50: Half were not above this.
        p99: 99 in 100 were not above this.
    """

    p50: float | None
    p99: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the rounds of one target, number of clients and prefix come to. Medians are over the repeats.

    Attributes:
        target: Name of who answered.
        clients: Requests at once.
        prefix: What the requests began with, `cold` or `warm`.
        tokens_per_s: Median of all clients' tokens a second.
        tokens_per_s_by_repeat: The same, repeat by repeat.
        first_text_ms: Median of each repeat's spread of the time from sending to the first text.
        gap_ms: Median of each repeat's spread of the time between two pieces of text of one answer.
        prompt_tokens: Mean length of a prompt; None when the target does not say.
        cached_prompt_tokens: Mean number of prompt tokens that were reused; None when the target does not say.
        completion_tokens: Mean length of a complete answer.
        tokens_are_counted: Whether the target counted its tokens; otherwise each piece of text counts as one.
        finish_reasons: How many answers ended for which reason.
        requests: Requests in all.
        failed_requests: How many of them failed.
        errors: What went wrong, each message with the number of requests that it ended.
    """

    target: str
    clients: int
    prefix: str
    tokens_per_s: float
    tokens_per_s_by_repeat: Sequence[float]
    first_text_ms: Spread
    gap_ms: Spread
    prompt_tokens: float | None
    cached_prompt_tokens: float | None
    completion_tokens: float | None
    tokens_are_counted: bool
    finish_reasons: dict[str, int]
    requests: int
    failed_requests: int
    errors: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """How one side compares with another at one number of clients: two targets, or a target's warm and cold rounds.

    Attributes:
        clients: Requests at once.
        target: Name of who is compared.
        prefix: What its requests began with, `cold` or `warm`.
        against: Name of whom it is compared with.
        against_prefix: What the other side's requests began with.
        tokens_per_s: Median over the repeats of this side's tokens/s by the other's; above 1 this side is faster. None
            when one of them answered nothing.
        tokens_per_s_by_repeat: The same, repeat by repeat, without those in which one of them answered nothing.
        first_text: Likewise of the median times to the first text; below 1 this side is faster.
    """

    clients: int
    target: str
    prefix: str
    against: str
    against_prefix: str
    tokens_per_s: float | None
    tokens_per_s_by_repeat: Sequence[float]
    first_text: float | None


def summarize(rounds: Sequence[Round]) -> Result:
    """Joins the repeats of one target, number of clients and prefix; at least one."""
    complete = [answer for one in rounds for answer in one.complete]
    usages = [answer.usage for answer in complete if answer.usage is not None]
    errors = Counter(error for one in rounds for error in one.errors)
    return Result(
        target=rounds[0].target,
        clients=rounds[0].plan.clients,
        prefix=rounds[0].plan.prefix.value,
        tokens_per_s=statistics.median(one.tokens_per_s for one in rounds),
        tokens_per_s_by_repeat=[one.tokens_per_s for one in rounds],
        first_text_ms=_spread([one.first_text_ms for one in rounds]),
        gap_ms=_spread([one.gaps_ms for one in rounds]),
        prompt_tokens=_mean(usage.prompt_tokens for usage in usages),
        cached_prompt_tokens=_mean(usage.cached_prompt_tokens for usage in usages),
        completion_tokens=_mean(answer.completion_tokens for answer in complete),
        tokens_are_counted=len(usages) == len(complete),
        finish_reasons=dict(Counter(answer.finish_reason or "unknown" for answer in complete)),
        requests=sum(len(one.answers) for one in rounds),
        failed_requests=errors.total(),
        errors=dict(errors),
    )


def compare(rounds: Sequence[Round], others: Sequence[Round]) -> Ratio:
    """Compares two sides repeat by repeat: what disturbed a repeat disturbed both sides of its ratio."""
    speeds = _ratios(rounds, others, lambda one: one.tokens_per_s)
    waits = _ratios(rounds, others, lambda one: _percentile(one.first_text_ms, 0.5) or 0.0)
    return Ratio(
        clients=rounds[0].plan.clients,
        target=rounds[0].target,
        prefix=rounds[0].plan.prefix.value,
        against=others[0].target,
        against_prefix=others[0].plan.prefix.value,
        tokens_per_s=statistics.median(speeds) if speeds else None,
        tokens_per_s_by_repeat=speeds,
        first_text=statistics.median(waits) if waits else None,
    )


def _ratios(rounds: Sequence[Round], others: Sequence[Round], of: Callable[[Round], float]) -> Sequence[float]:
    pairs = [(of(one), of(other)) for one, other in zip(rounds, others, strict=True)]
    return [mine / theirs for mine, theirs in pairs if mine > 0 and theirs > 0]


def _spread(values_by_repeat: Sequence[Sequence[float]]) -> Spread:
    return Spread(p50=_median_percentile(values_by_repeat, 0.5), p99=_median_percentile(values_by_repeat, 0.99))


def _median_percentile(values_by_repeat: Sequence[Sequence[float]], share: float) -> float | None:
    found = [value for values in values_by_repeat if (value := _percentile(values, share)) is not None]
    return statistics.median(found) if found else None


def _percentile(values: Sequence[float], share: float) -> float | None:
    return sorted(values)[math.ceil(share * len(values)) - 1] if values else None


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None
