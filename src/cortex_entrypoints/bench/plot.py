"""A report as a picture."""

from collections.abc import Callable, Sequence

from cortex_entrypoints.bench.chart import Line, Panel, draw_svg
from cortex_entrypoints.bench.measurements import Result
from cortex_entrypoints.bench.report import Report


def plot_svg(report: Report) -> str:
    """Draws tokens/s and the time to the first text over the number of clients, a line for each target and prefix."""
    return draw_svg(
        title=str(report.machine),
        subtitle=str(report.asked),
        axis="clients",
        positions=[str(clients) for clients in report.asked.clients],
        panels=[
            Panel(title="tokens/s, all clients together", lines=_lines(report, lambda one: one.tokens_per_s)),
            Panel(title="first text after, ms", lines=_lines(report, lambda one: one.first_text_ms.p50)),
        ],
    )


def _lines(report: Report, figure: Callable[[Result], float | None]) -> Sequence[Line]:
    prefixes = report.asked.prefixes
    return [
        Line(
            label=target.name if len(prefixes) == 1 else f"{target.name}, {prefix} prefix",
            color=number,
            is_dashed=prefix == "warm" and len(prefixes) > 1,
            values=[
                figure(result) for result in report.results if (result.target, result.prefix) == (target.name, prefix)
            ],
        )
        for number, target in enumerate(report.targets)
        for prefix in prefixes
    ]
