"""`cortex bench`: how fast a server or the generator is, alone or against others."""

import re
import secrets
import shlex
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import typer

from cortex_entrypoints.bench.http_target import HttpTarget
from cortex_entrypoints.bench.in_process_target import InProcessTarget
from cortex_entrypoints.bench.live_display import LiveDisplay
from cortex_entrypoints.bench.machine import this_machine
from cortex_entrypoints.bench.measuring import BenchPlan, measure
from cortex_entrypoints.bench.plot import plot_svg
from cortex_entrypoints.bench.program_target import ProgramTarget
from cortex_entrypoints.bench.report import Report, make_report
from cortex_entrypoints.bench.table import print_report
from cortex_entrypoints.bench.target import Sampling, Target, TargetError
from cortex_entrypoints.bench.workload import Prefix, Workload
from cortex_entrypoints.cli.outcome import FAILED, tell_failure
from cortex_entrypoints.cli.pull_display import pull_if_absent
from cortex_entrypoints.settings import Settings

_PREFIXES = {"cold": (Prefix.COLD,), "warm": (Prefix.WARM,), "both": (Prefix.COLD, Prefix.WARM)}
_WARM_PREFIX_TOKENS = 512
# No user and password: a report names the server, and is meant to be shown.
_SERVER = re.compile(r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?(/[^?@#]*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchOptions:
    """What the command line says.

    Attributes:
        url: The server to measure, as a URL that may end in `#MODEL`; None measures Cortex in process.
        dialect: `native`, `openai` or `auto`.
        model: What it is asked for; None leaves it to the server, or takes the default model.
        api_key: Sent to that server as a bearer token; None sends none.
        compare: Other servers, likewise.
        compare_programs: Other generators, each as a command.
        concurrency: Numbers of clients, separated by commas.
        prefix: `cold`, `warm` or `both`.
        prefix_tokens: Length of the prefix; None means none when cold, and 512 when warm is among the prefixes.
        prompt_tokens: Length of the rest of each prompt.
        max_tokens: Longest answer.
        temperature: 0 to 2.
        top_p: Above 0, up to 1.
        repeats: How often each round is measured.
        seed: Where prompts are drawn from; None draws afresh, so that no server has seen them.
        timeout_s: Seconds after which an answer counts as failed.
        json_file: Where the report goes as JSON; None writes none.
        plot_file: Where it goes as a picture, a name that ends in `.svg`; None draws none.
    """

    url: str | None
    dialect: str
    model: str | None
    api_key: str | None
    compare: Sequence[str]
    compare_programs: Sequence[str]
    concurrency: str
    prefix: str
    prefix_tokens: int | None
    prompt_tokens: int
    max_tokens: int
    temperature: float
    top_p: float
    repeats: int
    seed: int | None
    timeout_s: float
    json_file: Path | None
    plot_file: Path | None


async def bench(settings: Settings, options: BenchOptions) -> None:
    """Measures, prints tables, and writes what was asked for.

    Raises:
        CortexError: Cortex in process cannot run the model.
        typer.BadParameter: An option has a value that is not allowed.
        typer.Exit: With 1; a target cannot be measured, or requests failed.
    """
    _check_files(options)
    plan, began_at = _plan(options), datetime.now(UTC).isoformat(timespec="seconds")
    try:
        report = await _measured(_targets(settings, options), plan, began_at=began_at, command=_command(options))
    except TargetError as exc:
        tell_failure(str(exc))
        raise typer.Exit(FAILED) from exc
    print_report(report)
    _write_files(report, options)
    if report.failed_requests:
        tell_failure(f"{report.failed_requests} requests failed; the figures leave them out.")
        raise typer.Exit(FAILED)


def _check_files(options: BenchOptions) -> None:
    """Refuses before minutes are spent what could not be written after them."""
    if options.plot_file is not None and options.plot_file.suffix != ".svg":
        raise typer.BadParameter("plots are SVG: give a name that ends in .svg", param_hint="--plot")
    for hint, file in (("--json", options.json_file), ("--plot", options.plot_file)):
        if file is not None and not file.parent.is_dir():
            raise typer.BadParameter(f"there is no directory {file.parent}", param_hint=hint)


def _write_files(report: Report, options: BenchOptions) -> None:
    if options.json_file is not None:
        options.json_file.write_text(report.to_json())
    if options.plot_file is not None:
        options.plot_file.write_text(plot_svg(report))


async def _measured(targets: Sequence[Target], plan: BenchPlan, *, began_at: str, command: str) -> Report:
    async with AsyncExitStack() as open_targets:
        for target in targets:
            await open_targets.enter_async_context(target)
        with LiveDisplay(plan, targets=len(targets)) as display:
            rounds = await measure(targets, plan, display)
        facts = [target.facts for target in targets]
    return make_report(
        began_at=began_at, command=command, machine=this_machine(), plan=plan, targets=facts, rounds=rounds
    )


def _plan(options: BenchOptions) -> BenchPlan:
    prefixes = _PREFIXES[options.prefix]
    prefix_tokens = options.prefix_tokens
    if prefix_tokens is None:
        prefix_tokens = _WARM_PREFIX_TOKENS if Prefix.WARM in prefixes else 0
    if Prefix.WARM in prefixes and prefix_tokens == 0:
        raise typer.BadParameter("a warm prefix has at least 1 token", param_hint="--prefix-tokens")
    seed = secrets.randbelow(2**32) if options.seed is None else options.seed
    return BenchPlan(
        clients=_clients(options.concurrency),
        prefixes=prefixes,
        repeats=options.repeats,
        sampling=Sampling(max_tokens=options.max_tokens, temperature=options.temperature, top_p=options.top_p),
        workload=Workload(seed=seed, prefix_tokens=prefix_tokens, prompt_tokens=options.prompt_tokens),
    )


def _clients(text: str) -> Sequence[int]:
    try:
        clients = [int(number) for number in text.split(",")]
    except ValueError:
        clients = []
    if not clients or min(clients) < 1 or len(set(clients)) < len(clients):
        raise typer.BadParameter("give different whole numbers, such as 1,8,32", param_hint="--concurrency")
    return clients


def _targets(settings: Settings, options: BenchOptions) -> Sequence[Target]:
    servers = [_Server.parse(url) for url in (options.url, *options.compare) if url is not None]
    if len({server.url for server in servers}) < len(servers):
        raise typer.BadParameter("a server that is measured twice would know the prompts", param_hint="--compare")
    compared = [HttpTarget(server.url, model=server.model, timeout_s=options.timeout_s) for server in servers]
    programs = [ProgramTarget(command, timeout_s=options.timeout_s) for command in options.compare_programs]
    if options.url is None:
        return [_in_process(settings, options), *compared, *programs]
    return [_first_server(servers[0], options), *compared[1:], *programs]


def _in_process(settings: Settings, options: BenchOptions) -> Target:
    for hint, is_given in (("--dialect", options.dialect != "auto"), ("--api-key", options.api_key is not None)):
        if is_given:
            raise typer.BadParameter("it is for a server, and no URL was given", param_hint=hint)
    return InProcessTarget(settings, model=options.model, fetch=pull_if_absent, timeout_s=options.timeout_s)


def _first_server(server: "_Server", options: BenchOptions) -> Target:
    return HttpTarget(
        server.url,
        model=options.model or server.model,
        dialect=options.dialect,
        api_key=options.api_key,
        timeout_s=options.timeout_s,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    """What `URL#MODEL` says: where a server is, and what it is asked for; None leaves that to the server."""

    url: str
    model: str | None

    @classmethod
    def parse(cls, text: str) -> Self:
        address, _, model = text.partition("#")
        if not _SERVER.fullmatch(address):
            raise typer.BadParameter(f"{address} is not like http://HOST:PORT", param_hint="URL")
        return cls(url=address.rstrip("/").removesuffix("/v1"), model=model or None)


def _command(options: BenchOptions) -> str:
    """What was typed, without the key."""
    shown = [argument.replace(options.api_key or "\0", "***") for argument in sys.argv[1:]]
    return shlex.join(["cortex", *shown])
