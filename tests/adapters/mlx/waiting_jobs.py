"""Jobs that are only waited with: nothing runs them."""

from dataclasses import dataclass
from typing import cast

from cortex_adapters.mlx.active_job import ActiveJob
from cortex_adapters.mlx.answer_text import AnswerText
from cortex_adapters.mlx.jobs import Job, JobId, JobProgress
from cortex_domain.generation import Priority, SamplingParameters
from cortex_domain.language_models import ModelId

BACKGROUND = Priority.BACKGROUND


def job(
    number: int, owner: str = "", priority: Priority = Priority.INTERACTIVE, deadline_s: float | None = None
) -> Job:
    return Job(
        id=JobId(number),
        model_id=ModelId("a/b"),
        messages=(),
        sampling=SamplingParameters(),
        max_tokens=None,
        default_max_tokens=1,
        stop=(),
        owner=owner,
        accepted_s=0.0,
        priority=priority,
        deadline_s=deadline_s,
    )


@dataclass(frozen=True, slots=True)
class _Mute:
    """Stands in for a detokenizer that is never asked."""


def active(
    number: int,
    owner: str = "",
    priority: Priority = Priority.INTERACTIVE,
    *,
    unread_tokens: int = 0,
    deadline_s: float | None = None,
) -> ActiveJob:
    """Builds a job of which so many tokens are still to be read."""
    waiting = ActiveJob(
        job(number, owner, priority, deadline_s),
        JobProgress(prompt=(1,) * max(unread_tokens, 1)),
        cast("AnswerText", _Mute()),
        max_tokens=1,
    )
    waiting.unread_tokens = unread_tokens
    return waiting
