"""What a run comes to, as one value and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from cortex_entrypoints.bench.machine import Machine
from cortex_entrypoints.bench.measurements import Ratio, Result, Round, compare, summarize
from cortex_entrypoints.bench.measuring import BenchPlan
from cortex_entrypoints.bench.target import TargetFacts
from cortex_entrypoints.bench.workload import Prefix

SCHEMA = "cortex-bench-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What every target was asked.

    Attributes:
        clients: Numbers of requests at once.
        prefixes: What prompts began with.
        prefix_tokens: Length of that, in tokens; 0 for nothing.
        prompt_tokens: Length of the rest of the prompt, in tokens, as asked for; results say what was counted.
        max_tokens: Longest answer, in tokens.
        temperature: How answers were drawn.
        top_p: Likewise.
        repeats: How often each was measured.
        seed: Where the prompts' words were drawn from.
    """

    clients: Sequence[int]
    prefixes: Sequence[str]
    prefix_tokens: int
    prompt_tokens: int
    max_tokens: int
    temperature: float
    top_p: float
    repeats: int
    seed: int

    def __str__(self) -> str:
        """One line for a person."""
        prefix = f"{self.prefix_tokens} and " if self.prefix_tokens else ""
        prompt = f"prompts of about {prefix}{self.prompt_tokens} tokens, answers of at most {self.max_tokens}"
        return f"{prompt}, temperature {self.temperature:g}, top_p {self.top_p:g}; medians of {self.repeats} repeats"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A run.

    Attributes:
        schema: Names this form; another number is another form.
        began_at: When, as in RFC 3339.
        command: What was typed.
        machine: Where the load came from.
        asked: What every target was asked.
        targets: Who was asked; the first is compared with each other one.
        results: What was measured.
        ratios: How the first compares with each other one, and warm rounds with cold ones where both were measured.
    """

    schema: str = SCHEMA
    began_at: str
    command: str
    machine: Machine
    asked: Asked
    targets: Sequence[TargetFacts]
    results: Sequence[Result]
    ratios: Sequence[Ratio]

    @property
    def failed_requests(self) -> int:
        """Requests that failed, over all targets."""
        return sum(result.failed_requests for result in self.results)

    def to_json(self) -> str:
        """Writes all of it, ended by a line end."""
        return json.dumps(asdict(self), indent=2) + "\n"


def make_report(
    *,
    began_at: str,
    command: str,
    machine: Machine,
    plan: BenchPlan,
    targets: Sequence[TargetFacts],
    rounds: Sequence[Round],
) -> Report:
    """Sums up the rounds of a run."""
    return Report(
        began_at=began_at,
        command=command,
        machine=machine,
        asked=_asked(plan),
        targets=targets,
        results=_results(plan, targets, rounds),
        ratios=_ratios(plan, targets, rounds),
    )


def _asked(plan: BenchPlan) -> Asked:
    return Asked(
        clients=plan.clients,
        prefixes=[prefix.value for prefix in plan.prefixes],
        prefix_tokens=plan.workload.prefix_tokens,
        prompt_tokens=plan.workload.prompt_tokens,
        max_tokens=plan.sampling.max_tokens,
        temperature=plan.sampling.temperature,
        top_p=plan.sampling.top_p,
        repeats=plan.repeats,
        seed=plan.workload.seed,
    )


def _results(plan: BenchPlan, targets: Sequence[TargetFacts], rounds: Sequence[Round]) -> Sequence[Result]:
    return [
        summarize(_repeats(rounds, target, clients, prefix))
        for clients in plan.clients
        for prefix in plan.prefixes
        for target in targets
    ]


def _ratios(plan: BenchPlan, targets: Sequence[TargetFacts], rounds: Sequence[Round]) -> Sequence[Ratio]:
    first, *others = targets
    between_targets = [
        compare(_repeats(rounds, first, clients, prefix), _repeats(rounds, other, clients, prefix))
        for clients in plan.clients
        for prefix in plan.prefixes
        for other in others
    ]
    return between_targets + _warm_by_cold(plan, targets, rounds)


def _warm_by_cold(plan: BenchPlan, targets: Sequence[TargetFacts], rounds: Sequence[Round]) -> list[Ratio]:
    if {Prefix.COLD, Prefix.WARM} - set(plan.prefixes):
        return []
    return [
        compare(*(_repeats(rounds, target, clients, prefix) for prefix in (Prefix.WARM, Prefix.COLD)))
        for clients in plan.clients
        for target in targets
    ]


def _repeats(rounds: Sequence[Round], target: TargetFacts, clients: int, prefix: Prefix) -> Sequence[Round]:
    return [one for one in rounds if (one.target, one.plan.clients, one.plan.prefix) == (target.name, clients, prefix)]
