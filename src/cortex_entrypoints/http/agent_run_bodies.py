"""What clients send about agent runs."""

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from cortex_domain.agent_run_events import ApprovalDecision, ApprovalGiven
from cortex_domain.agents import AgentDefinition
from cortex_domain.errors import InvalidRequestError
from cortex_domain.use_cases.start_agent_run import MAX_TASK_CHARACTERS
from cortex_entrypoints.http.output_bodies import JsonSchemaOutputBody
from cortex_entrypoints.http.request_bodies import Owner
from cortex_entrypoints.http.strict_body import Body

MAX_REASON_CHARACTERS = 10_000

_DECISIONS = {
    "approve": ApprovalDecision.APPROVED,
    "deny": ApprovalDecision.DENIED,
    "edit": ApprovalDecision.EDITED,
}
_ARGUMENTS_WITH_EDITS = {
    "oneOf": [
        {"properties": {"decision": {"const": "edit"}, "arguments": {"type": "object"}}, "required": ["arguments"]},
        {
            "properties": {"decision": {"enum": ["approve", "deny"]}, "arguments": {"type": "null"}},
        },
    ]
}


class AgentRunTaskBody(Body):
    """A task for an agent."""

    agent: Annotated[str, Field(min_length=1, max_length=200, description="Name of the agent.")]
    task: Annotated[str, Field(min_length=1, max_length=MAX_TASK_CHARACTERS, description="What it has to do.")]
    output: (
        Annotated[
            JsonSchemaOutputBody,
            Field(description="What the final answer has to look like; as the agent says if absent."),
        ]
        | None
    ) = None
    owner: Owner | None = None

    def adapted(self, agent: AgentDefinition, /) -> AgentDefinition:
        """Builds the agent of this run.

        Raises:
            InvalidRequestError: The schema of the output is too large or too deep.
        """
        return agent if self.output is None else replace(agent, output=self.output.to_domain())


class AgentRunBody(AgentRunTaskBody):
    """A task for an agent, and how to answer."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"agent": "assistant", "task": "How many files are there?", "background": True}]
        }
    )

    stream: Annotated[bool, Field(description="Answers with the events of the run, to its end.")] | None = None
    background: (
        Annotated[bool, Field(description="Answers at once, instead of when the run is over or waits for a person.")]
        | None
    ) = None


class ApprovalBody(Body):
    """A decision on a call that waits for one."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"decision": "approve"}], **_ARGUMENTS_WITH_EDITS}  # type: ignore[dict-item]
    )

    decision: Annotated[
        Literal["approve", "deny", "edit"],
        Field(description="`approve`: as it is asked. `deny`: not at all. `edit`: with other `arguments`."),
    ]
    reason: (
        Annotated[
            str,
            Field(
                max_length=MAX_REASON_CHARACTERS,
                description="Why, for the model; of a call of unknown outcome that is denied, what became of it.",
            ),
        ]
        | None
    ) = None
    arguments: Annotated[dict[str, Any], Field(description="What the tool is told instead.")] | None = None
    owner: Owner | None = None

    def to_domain(self, call_id: str, /) -> ApprovalGiven:
        """Builds the decision.

        Raises:
            InvalidRequestError: There are arguments and nothing is edited, or the other way round.
        """
        if (self.decision == "edit") != (self.arguments is not None):
            raise InvalidRequestError("arguments go with the decision 'edit', and only with it.", parameter="arguments")
        return ApprovalGiven(
            call_id=call_id,
            decision=_DECISIONS[self.decision],
            reason=self.reason or "",
            arguments=self.arguments,
            decided_by=self.owner or "",
        )
