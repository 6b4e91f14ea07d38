"""Fetches a model while a person watches."""

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from cortex_domain import ModelState, PullFinished, PullProgress, PullStarted
from cortex_entrypoints.cortex import Cortex


async def pull_if_absent(cortex: Cortex, name: str) -> None:
    """Fetches the model that has this id or alias unless it is here.

    Raises:
        CortexError: There is no such model, or it cannot be fetched.
    """
    descriptor = await cortex.describe_model(name)
    if descriptor.state is ModelState.AVAILABLE:
        await pull_and_show(cortex, descriptor.id)


async def pull_and_show(cortex: Cortex, name: str) -> None:
    """Fetches a model; a terminal sees a progress bar, a log file the first and the last line.

    Raises:
        CortexError: The model cannot be fetched.
    """
    console = Console(stderr=True, highlight=False)
    with _progress(console) as progress:
        task = progress.add_task(name, total=None)
        async with cortex.pull_model(name) as events:
            async for event in events:
                match event:
                    case PullStarted(total_bytes=total_bytes):
                        progress.update(task, total=total_bytes)
                    case PullProgress(completed_bytes=completed_bytes, total_bytes=total_bytes):
                        progress.update(task, completed=completed_bytes, total=total_bytes)
                    case PullFinished(size_bytes=size_bytes):
                        progress.update(task, completed=size_bytes, total=size_bytes)
    console.print(f"{name} is here.")


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
