"""Rounds made by hand."""

from collections.abc import Sequence

from cortex_entrypoints.bench.measurements import Answer, Round, Usage
from cortex_entrypoints.bench.workload import Prefix, RoundPlan


def answer(
    *, seconds: float = 1.0, tokens: int = 10, texts_s: Sequence[float] = (), error: str | None = None
) -> Answer:
    """An answer that was sent at second 0."""
    usage = Usage(prompt_tokens=80, cached_prompt_tokens=24, completion_tokens=tokens)
    return Answer(
        sent_s=0.0,
        ended_s=seconds,
        texts_s=tuple(texts_s),
        usage=None if error else usage,
        finish_reason="length",
        error=error,
    )


def round_of(*answers: Answer, target: str = "first", repeat: int = 1) -> Round:
    """A cold round, with as many clients as answers."""
    plan = RoundPlan(clients=len(answers), prefix=Prefix.COLD, repeat=repeat)
    return Round(target=target, plan=plan, answers=answers)
