"""What a run comes to, as one value and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from cortex_entrypoints.bench.machine import Machine
from cortex_entrypoints.bench.measurements import Ratio, Result, Round, compare, summarize
from cortex_entrypoints.bench.measuring import BenchPlan
from cortex_entrypoints.bench.target import TargetFacts

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
        ratios: How the first compares; empty when there is only one.
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
    return [summarize(found) for kind in _kinds(plan) for target in targets for found in [_of(rounds, kind, target)]]


def _ratios(plan: BenchPlan, targets: Sequence[TargetFacts], rounds: Sequence[Round]) -> Sequence[Ratio]:
    first, *others = targets
    return [compare(_of(rounds, kind, first), _of(rounds, kind, other)) for kind in _kinds(plan) for other in others]


_Kind = tuple[int, str]


def _kinds(plan: BenchPlan) -> Sequence[_Kind]:
    return [(clients, prefix) for clients in plan.clients for prefix in plan.prefixes]


def _of(rounds: Sequence[Round], kind: _Kind, target: TargetFacts) -> Sequence[Round]:
    return [one for one in rounds if (one.plan.clients, one.plan.prefix) == kind and one.target == target.name]
