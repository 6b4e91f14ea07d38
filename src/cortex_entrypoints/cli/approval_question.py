"""Asks the person at the terminal about a call."""

import json
import signal
from collections.abc import Mapping
from typing import Any

import typer

from cortex_domain.agent_run_events import ApprovalDecision, ApprovalGiven, ApprovalReason, ApprovalRequested
from cortex_entrypoints.cli.terminal_text import printable

_REASONS = {
    ApprovalReason.POLICY: "The policy has you asked.",
    ApprovalReason.AFTER_UNTRUSTED: "The model has read what strangers wrote, who may have ordered this.",
    ApprovalReason.UNKNOWN_OUTCOME: (
        "This was begun before Cortex ended, and nobody knows whether it took place. To approve makes it again; when "
        "you deny, say what became of it."
    ),
}
_CHOICES = "[a]pprove, [d]eny, [e]dit"


def ask(request: ApprovalRequested, /) -> ApprovalGiven:
    """Asks until there is a decision. Nothing else happens in this program meanwhile.

    Raises:
        EOFError: The person has left.
    """
    effects = f" ({', '.join(sorted(request.effects))})" if request.effects else ""
    typer.secho(f"\n{request.name}{effects} is to be told:", bold=True, err=True)
    for line in json.dumps(dict(request.arguments), ensure_ascii=False, indent=2).splitlines():
        typer.echo(f"  {printable(line)}", err=True)
    typer.echo(_REASONS[request.reason], err=True)
    while True:
        match _read(f"{_CHOICES}? ").lower():
            case "a" | "approve":
                return ApprovalGiven(call_id=request.call_id, decision=ApprovalDecision.APPROVED)
            case "d" | "deny":
                reason = _read("Why? The model is told. ")
                return ApprovalGiven(call_id=request.call_id, decision=ApprovalDecision.DENIED, reason=reason)
            case "e" | "edit":
                edited = ApprovalDecision.EDITED
                return ApprovalGiven(call_id=request.call_id, decision=edited, arguments=_read_arguments())
            case _:
                pass


def _read_arguments() -> Mapping[str, Any]:
    while True:
        try:
            value = json.loads(_read("All arguments, as JSON: "))
        except ValueError as error:
            typer.echo(f"This is not JSON: {error}.", err=True)
            continue
        if isinstance(value, dict):
            return value
        typer.echo("Arguments are a JSON object, in braces.", err=True)


def _read(prompt: str) -> str:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # asyncio's own would leave the prompt waiting
    typer.echo(prompt, nl=False, err=True)
    return input().strip()
