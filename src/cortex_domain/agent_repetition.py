"""Notices when a model makes the same call again and again, as small ones do."""

import json
from itertools import takewhile
from typing import Final

from cortex_domain.agent_run_fold import read_arguments
from cortex_domain.agent_run_state import AgentCall, AgentRunState

WARNED_AT: Final = 3
"""The same call for this time is warned of; the two figures are what agents in use have settled on."""
STOPPED_AT: Final = 5
"""The same call for this time is not made any more."""


def repetition(state: AgentRunState, call: AgentCall, /, *, is_idempotent: bool) -> int:
    """Counts how often a call was asked for, this time included.

    Calls are the same when the tool and the arguments are, however these are written. Of an idempotent tool, which may
    be asked whether something has changed, only the latest calls that had the same result count.
    """
    same = [other for other in _calls_before(state, call) if _key(other) == _key(call)]
    return 1 + (_with_latest_result(same) if is_idempotent else len(same))


def _calls_before(state: AgentRunState, call: AgentCall) -> list[AgentCall]:
    return list(takewhile(lambda other: other.id != call.id, state.calls.values()))


def _key(call: AgentCall) -> tuple[str, str]:
    arguments = read_arguments(call.written)
    return call.name, call.written if arguments is None else json.dumps(arguments, sort_keys=True)


def _with_latest_result(calls: list[AgentCall]) -> int:
    """Counts the calls from the last one backwards that came out as the last one did."""
    results = [None if call.result is None else (call.result.content, call.result.error) for call in calls]
    count = 0
    while count < len(results) and results[-1 - count] == results[-1]:
        count += 1
    return count
