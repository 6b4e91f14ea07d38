"""Who is asked what, and when: all targets in turns, so that what disturbs the machine disturbs them all."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cortex_entrypoints.bench.measurements import Answer, Round
from cortex_entrypoints.bench.target import Sampling, Target, TargetError
from cortex_entrypoints.bench.workload import Prefix, RoundPlan, Workload

_WARM_UP = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchPlan:
    """All that is asked of every target.

    Attributes:
        clients: Numbers of requests at once, each measured on its own.
        prefixes: What prompts begin with, each measured on its own.
        repeats: How often each is measured, after a round that warms up and does not count; at least 1.
        sampling: How answers are drawn.
        workload: What prompts are made of.
    """

    clients: Sequence[int]
    prefixes: Sequence[Prefix]
    repeats: int
    sampling: Sampling
    workload: Workload

    @property
    def rounds(self) -> Sequence[RoundPlan]:
        """Every burst, in order."""
        return [
            RoundPlan(clients=clients, prefix=prefix, repeat=repeat)
            for clients in self.clients
            for prefix in self.prefixes
            for repeat in range(_WARM_UP, self.repeats + 1)
        ]


class Watcher(Protocol):
    """Is told how far a run is."""

    @abstractmethod
    def begin(self, target: str, plan: RoundPlan) -> None:
        """A round begins."""

    @abstractmethod
    def answered(self) -> None:
        """One of its answers is there."""

    @abstractmethod
    def end(self, measured: Round) -> None:
        """It is over."""


async def measure(targets: Sequence[Target], plan: BenchPlan, watcher: Watcher) -> Sequence[Round]:
    """Asks every target, each round the same prompts, and returns the rounds that count.

    Raises:
        TargetError: A target cannot answer even one request.
    """
    workload = await _fitted(targets, plan)
    rounds: list[Round] = []
    for round_plan in plan.rounds:
        prompts = workload.prompts(round_plan)
        for target in _in_turn(targets, round_plan.repeat):
            watcher.begin(target.facts.name, round_plan)
            answers = await target.answer_all(prompts, plan.sampling, on_answer=watcher.answered)
            rounds.append(Round(target=target.facts.name, plan=round_plan, answers=answers))
            watcher.end(rounds[-1])
    return [one for one in rounds if one.plan.repeat != _WARM_UP]


async def _fitted(targets: Sequence[Target], plan: BenchPlan) -> Workload:
    """Has every target load its model, and makes prompts as long as the first that counts them says."""
    answers = [await _probed(target, plan) for target in targets]
    counts = [answer.usage.prompt_tokens for answer in answers if answer.usage is not None]
    count = next((count for count in counts if count is not None), None)
    return plan.workload if count is None else plan.workload.fitted(count)


async def _probed(target: Target, plan: BenchPlan) -> Answer:
    (answer,) = await target.answer_all([plan.workload.probe()], plan.sampling, on_answer=lambda: None)
    if answer.error is not None:
        raise TargetError(f"{target.facts.name} cannot answer: {answer.error}")
    return answer


def _in_turn(targets: Sequence[Target], repeat: int) -> Sequence[Target]:
    """The order changes from repeat to repeat, because the second may find a warmer machine than the first."""
    return targets if repeat % 2 else targets[::-1]
