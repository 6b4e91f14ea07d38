"""What goes into the engine and what comes out: plain values, so that they can cross a thread or a process."""

from dataclasses import dataclass
from typing import NewType

from cortex_domain.errors import CortexError
from cortex_domain.events import GenerationEvent
from cortex_domain.generation import SamplingParameters
from cortex_domain.language_models import ModelId

JobId = NewType("JobId", int)
"""Names a job within one engine host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One answer to be generated.

    Attributes:
        id: Names the job; no two jobs of a host share it.
        model_id: A loaded model.
        prompt: Token ids of the rendered prompt, at least one.
        sampling: How tokens are drawn.
        max_tokens: Longest answer in tokens, at least 1; prompt and answer fit the context window together.
        stop: Texts that end the answer.
        accepted_s: When the host accepted it, on the clock's `monotonic_s`.
    """

    id: JobId
    model_id: ModelId
    prompt: tuple[int, ...]
    sampling: SamplingParameters
    max_tokens: int
    stop: tuple[str, ...]
    accepted_s: float


@dataclass(frozen=True, slots=True)
class JobOutput:
    """Something that a job produced; `GenerationFinished` and an error are its last output.

    Attributes:
        job_id: The job.
        output: An event for its reader, or the error that ended it.
    """

    job_id: JobId
    output: GenerationEvent | CortexError

    @property
    def is_last(self) -> bool:
        """Whether the job is over."""
        return isinstance(self.output, CortexError) or self.output.type == "done"
