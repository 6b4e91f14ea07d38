"""Shows how far a run is while a person watches."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cortex_entrypoints.bench.measurements import Round
from cortex_entrypoints.bench.measuring import BenchPlan, Watcher
from cortex_entrypoints.bench.workload import RoundPlan


class LiveDisplay(Watcher):
    """A bar that moves with every answer, above it a line for every round; a log file gets the lines."""

    def __init__(self, plan: BenchPlan, *, targets: int) -> None:
        """Shows nothing yet.

        Args:
            plan: What will be asked.
            targets: How many are asked.
        """
        self._console = Console(stderr=True, highlight=False, markup=False)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        requests = targets * sum(round_plan.clients for round_plan in plan.rounds)
        self._task = self._progress.add_task("getting ready", total=requests)

    def __enter__(self) -> Self:
        """Begins to show."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Takes the bar away; the lines stay."""
        self._progress.update(self._task, visible=False)
        self._progress.stop()

    def begin(self, target: str, plan: RoundPlan) -> None:
        """Names the round beside the bar."""
        self._progress.update(self._task, description=f"{_name(plan)}  {target}")

    def answered(self) -> None:
        """Moves the bar."""
        self._progress.advance(self._task)

    def end(self, measured: Round) -> None:
        """Prints what the round came to."""
        failed = f"  {len(measured.errors)} failed" if measured.errors else ""
        self._console.print(
            f"{_name(measured.plan):<32} {measured.tokens_per_s:>9.1f} tokens/s  {measured.target}{failed}",
            soft_wrap=True,
        )


def _name(plan: RoundPlan) -> str:
    repeat = f"repeat {plan.repeat}" if plan.repeat else "warm-up"
    return f"{plan.clients} client{'s' if plan.clients > 1 else ''}, {plan.prefix.value}, {repeat}"
