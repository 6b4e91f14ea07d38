"""A report as tables for people."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from cortex_entrypoints.bench.measurements import Ratio, Result
from cortex_entrypoints.bench.report import Report

_RESULTS = (
    "CLIENTS",
    "PREFIX",
    "TARGET",
    "TOKENS/S",
    "RANGE",
    "FIRST TEXT",
    "P99",
    "GAP",
    "P99",
    "PROMPT",
    "ANSWER",
    "FAILED",
)
_RATIOS = ("CLIENTS", "PREFIX", "TARGETS", "TOKENS/S", "RANGE", "FIRST TEXT")
_LEFT = {"PREFIX", "TARGET", "TARGETS"}
_SAME_LENGTH = 1.1
"""How many times as long as the shortest the longest mean answer may be."""
_WIDEST = 200
"""Columns of the terminal that tables may take: what is cut off to fit a narrow one helps nobody."""


def print_report(report: Report) -> None:
    """Prints who was asked what, what was measured, the ratios if there are any, and what went wrong."""
    console = Console(highlight=False, markup=False, width=_WIDEST)
    numbers = {target.name: str(number) for number, target in enumerate(report.targets, start=1)}
    for line in _heading(report):
        console.print(line, soft_wrap=True)
    _print_table(console, _RESULTS, [_result_row(result, numbers) for result in report.results])
    if report.ratios:
        console.print()
        _print_table(console, _RATIOS, [_ratio_row(ratio, numbers) for ratio in report.ratios])
    console.print()
    for line in _remarks(report):
        console.print(line, soft_wrap=True)


def _heading(report: Report) -> Iterable[str]:
    yield f"machine   {report.machine}"
    for number, target in enumerate(report.targets, start=1):
        details = "".join(f", {key} {value}" for key, value in target.details.items())
        yield f"target {number}  {target.name}{details}"
    yield f"asked     {report.asked}"
    yield ""


def _print_table(console: Console, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, justify="left" if column in _LEFT else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _result_row(result: Result, numbers: dict[str, str]) -> Sequence[str]:
    return (
        str(result.clients),
        result.prefix,
        numbers[result.target],
        f"{result.tokens_per_s:.1f}",
        _range(result.tokens_per_s_by_repeat, digits=1),
        _milliseconds(result.first_text_ms.p50),
        _milliseconds(result.first_text_ms.p99),
        _milliseconds(result.gap_ms.p50),
        _milliseconds(result.gap_ms.p99),
        _prompt(result),
        ("" if result.tokens_are_counted else "~") + _tokens(result.completion_tokens),
        str(result.failed_requests or "-"),
    )


def _ratio_row(ratio: Ratio, numbers: dict[str, str]) -> Sequence[str]:
    pair = f"{numbers[ratio.target]} / {numbers[ratio.against]}"
    prefix = ratio.prefix if ratio.prefix == ratio.against_prefix else f"{ratio.prefix} / {ratio.against_prefix}"
    speeds = (_times(ratio.tokens_per_s), _range(ratio.tokens_per_s_by_repeat, digits=2))
    return (str(ratio.clients), prefix, pair, *speeds, _times(ratio.first_text))


def _remarks(report: Report) -> Iterable[str]:
    yield "Tokens/s are those of all clients together, from the first request to the end of the last answer."
    if not all(result.tokens_are_counted for result in report.results):
        yield "~ The target does not count its tokens; each piece of text counts as one."
    if _lengths_differ(report):
        yield "Answers differ in length, and a round lasts as long as its longest: take its tokens/s with care."
    for result in report.results:
        for error, count in result.errors.items():
            yield f"{count} of {result.requests} failed at {result.clients} clients, {result.target}: {error}"


def _lengths_differ(report: Report) -> bool:
    lengths: dict[tuple[int, str], list[float]] = {}
    for result in report.results:
        lengths.setdefault((result.clients, result.prefix), []).append(result.completion_tokens or 0.0)
    return any(max(found) > _SAME_LENGTH * min(found) for found in lengths.values())


def _milliseconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"


def _range(values: Sequence[float], *, digits: int) -> str:
    return f"{min(values):.{digits}f}-{max(values):.{digits}f}" if values else "-"


def _prompt(result: Result) -> str:
    cached = f" ({result.cached_prompt_tokens:.0f} cached)" if result.cached_prompt_tokens else ""
    return _tokens(result.prompt_tokens) + cached


def _tokens(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _times(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
