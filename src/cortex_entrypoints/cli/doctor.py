"""`cortex doctor`: looks at the machine and says what to do."""

import typer

from cortex_entrypoints.cli.findings import Finding, Verdict, find_all
from cortex_entrypoints.settings import Settings

_COLORS = {Verdict.GOOD: typer.colors.GREEN, Verdict.POOR: typer.colors.YELLOW, Verdict.BROKEN: typer.colors.RED}


async def examine(settings: Settings) -> None:
    """Prints a line for each thing that was looked at, with what to do about it.

    Raises:
        typer.Exit: With 1; something is broken.
    """
    broken = False
    async for finding in find_all(settings):
        _print(finding)
        broken = broken or finding.verdict is Verdict.BROKEN
    if broken:
        raise typer.Exit(1)


def _print(finding: Finding) -> None:
    verdict = typer.style(f"{finding.verdict:<7}", fg=_COLORS[finding.verdict])
    typer.echo(f"{verdict} {finding.subject:<14} {finding.fact}")
    if finding.advice is not None:
        typer.echo(f"{'':<22} → {finding.advice}")
