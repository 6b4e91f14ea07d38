"""Use case: decide on a tool call that an agent run waits for."""

import json

from cortex_domain.agent_run_events import ApprovalGiven
from cortex_domain.agent_run_log import AgentRunLog, Tell
from cortex_domain.agent_run_state import AgentRunState
from cortex_domain.errors import AgentRunConflictError, ApprovalNotPendingError, InvalidRequestError
from cortex_domain.ports import AgentRunStore, Clock


class DecideApproval:
    """Writes a decision down; the run goes on with it when it is worked on next."""

    def __init__(self, *, store: AgentRunStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(
        self, run_id: str, decision: ApprovalGiven, /, *, owner: str | None, tell: Tell
    ) -> AgentRunState:
        """Decides once; of several decisions on a call the first one holds.

        Args:
            run_id: The run.
            decision: What is decided, on which call.
            owner: Whose the run has to be; None takes any.
            tell: Is told of the new record.

        Raises:
            InvalidRequestError: The arguments or the reason are not JSON in valid Unicode.
            AgentRunNotFoundError: There is no such run of this owner.
            ApprovalNotPendingError: The call waits for no decision.
            StorageError: It cannot be written down.
        """
        _require_json(decision)
        while True:
            log = await AgentRunLog.open(run_id, store=self._store, clock=self._clock, tell=tell, owner=owner)
            _require_pending(log.state, decision.call_id)
            try:
                await log.append_now(decision)
            except AgentRunConflictError:
                continue
            return log.state


def _require_json(decision: ApprovalGiven) -> None:
    """What a log cannot hold must not get into it, or the run could not go on."""
    given = {"reason": decision.reason, "arguments": None if decision.arguments is None else dict(decision.arguments)}
    for parameter, value in given.items():
        try:
            json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError):
            raise InvalidRequestError(f"The {parameter} are not JSON in valid Unicode.", parameter=parameter) from None


def _require_pending(state: AgentRunState, call_id: str) -> None:
    if all(request.call_id != call_id for request in state.pending_approvals):
        raise ApprovalNotPendingError(run_id=state.started.run_id, call_id=call_id)
