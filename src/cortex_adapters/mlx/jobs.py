"""What an engine is asked for and what it answers: plain values, so that they can cross a thread or a process."""

from dataclasses import dataclass, replace
from typing import NewType, Self

from cortex_adapters.mlx.grammars import Grammar
from cortex_adapters.mlx.tool_use import ToolUse
from cortex_domain.errors import CortexError
from cortex_domain.events import GenerationEvent
from cortex_domain.generation import Priority, ReasoningEffort, SamplingParameters
from cortex_domain.language_models import ModelId
from cortex_domain.messages import Message
from cortex_domain.token_logprobs import TokenLogprob

JobId = NewType("JobId", int)
"""Names a job within one engine host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One answer to be generated.

    Attributes:
        id: Names the job; no two jobs of a host share it.
        model_id: A loaded model.
        messages: The chat to continue; empty when there is a prompt.
        sampling: How tokens are drawn.
        max_tokens: Longest answer in tokens, at least 1; None takes `default_max_tokens`, cut to what the window holds.
        default_max_tokens: See `max_tokens`; at least 1.
        stop: Texts that end the answer.
        owner: Who asks.
        priority: Who goes first when there is not room for all.
        deadline_s: When the answer ends at the latest, by the same clock as `accepted_s`; None has no such time.
        accepted_s: When the host was asked, by `time.monotonic`, which the processes of one machine share.
        copies: Jobs that ask the same, each with the seed of its place, and go on from this one's prompt once it has
            been read; empty when it is a copy itself, or was accepted once.
        grammar: What the answer is held to; None leaves it free.
        reasoning_effort: How long the model may think before it answers; None leaves it to the model.
        prompt: The text, or its tokens, to continue as it stands; None continues the chat.
        logprobs: Alternatives that are told with each token of the answer; None tells nothing of tokens.
        echo: Whether the prompt is given back before the answer.
        tools: What the answer may call, and must; None when there are no tools.
        counts_only: Whether it is over once it is accepted, because only the length of its prompt is wanted.
    """

    id: JobId
    model_id: ModelId
    messages: tuple[Message, ...]
    sampling: SamplingParameters
    max_tokens: int | None
    default_max_tokens: int
    stop: tuple[str, ...]
    owner: str
    accepted_s: float
    priority: Priority = Priority.INTERACTIVE
    deadline_s: float | None = None
    copies: tuple[JobId, ...] = ()
    grammar: Grammar | None = None
    prompt: str | tuple[int, ...] | None = None
    logprobs: int | None = None
    echo: bool = False
    tools: ToolUse | None = None
    counts_only: bool = False
    reasoning_effort: ReasoningEffort | None = None

    def as_copies(self) -> tuple[Self, ...]:
        """Builds the jobs of its copies."""
        return tuple(
            replace(
                self,
                id=job_id,
                sampling=self.sampling.for_choice(choice),
                copies=(),
                tools=self.tools and self.tools.for_choice(choice),
            )
            for choice, job_id in enumerate(self.copies, start=1)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgress:
    """How far a job is: all that another engine needs to go on from there.

    Attributes:
        prompt: Token ids of the rendered prompt, at least one.
        answer: Token ids drawn so far.
        first_token_s: When the first of them was drawn, by `time.monotonic`; None before that.
        untold: The last of them, when the job tells of its tokens and their text is held back.
        has_echoed: Whether its reader has been given the prompt back.
    """

    prompt: tuple[int, ...]
    answer: tuple[int, ...] = ()
    first_token_s: float | None = None
    untold: tuple[TokenLogprob, ...] = ()
    has_echoed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStep:
    """What one step did for one job.

    Attributes:
        job_id: The job.
        tokens: Token ids drawn, in order.
        outputs: What the reader is told of it; `GenerationFinished` or an error is the job's last.
        untold: The job's last tokens, of which the reader is not told yet.
    """

    job_id: JobId
    tokens: tuple[int, ...] = ()
    outputs: tuple[GenerationEvent | CortexError, ...] = ()
    untold: tuple[TokenLogprob, ...] = ()

    @property
    def is_last(self) -> bool:
        """Whether the job is over."""
        return bool(self.outputs) and is_last(self.outputs[-1])


def is_last(output: GenerationEvent | CortexError, /) -> bool:
    """Tells whether nothing follows this output."""
    return isinstance(output, CortexError) or output.type == "done"
