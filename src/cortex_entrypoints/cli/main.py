"""The `cortex` command: what can be typed.

`cortex --help` answers before a person notices, because nothing heavy is imported until a command runs.
"""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(
    name="cortex",
    help="Chat with language models that run on this machine.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
models = typer.Typer(help="List, fetch and remove models.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(models, name="models")
mcp = typer.Typer(help="Look at the MCP servers of MCP_CONFIG.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(mcp, name="mcp")
tools = typer.Typer(
    help="List the tools that models can use, and use one.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(tools, name="tools")
agent = typer.Typer(help="Run agents, and go on with their runs.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(agent, name="agent")

RunId = Annotated[str, typer.Argument(metavar="RUN", help="Id of a run.")]
ModelName = Annotated[str, typer.Argument(metavar="MODEL", help="Id or alias of a model.")]


def main() -> None:
    """Runs the command line. Exits with 1 when something failed, with 2 for wrong usage or settings."""
    app()


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        from cortex_entrypoints.version import installed_version

        typer.echo(f"cortex {installed_version()}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command("version")
def _version() -> None:
    """Print the version."""
    _print_version(True)  # noqa: FBT003


@app.command("serve")
def _serve() -> None:
    """Start the server. HOST, PORT, DEFAULT_MODEL and the other settings come from the environment and .env."""
    from cortex_entrypoints.cli.outcome import run_command
    from cortex_entrypoints.cli.serve import serve

    run_command(serve)


@app.command("chat")
def _chat(
    *,
    prompt: Annotated[str | None, typer.Argument(help="What to ask. Without it, a conversation starts.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Id or alias of a model.")] = None,
    system: Annotated[str | None, typer.Option(help="How the model is to behave.")] = None,
    temperature: Annotated[float | None, typer.Option(help="0 to 2; 0 always gives the same answer.")] = None,
    top_p: Annotated[float | None, typer.Option(help="Above 0, up to 1.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Longest answer, in tokens.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same answer.")] = None,
    lora_weights: Annotated[
        Path | None,
        typer.Option(metavar="DIRECTORY", resolve_path=True, help="LoRA weights to add to the model's own."),
    ] = None,
    kv_cache_bits: Annotated[
        int | None, typer.Option(help="8 or 4: keep what was read and said in fewer bits.")
    ] = None,
    draft_model: Annotated[
        str | None, typer.Option(help="Id or alias of a small model that guesses what the model will say.")
    ] = None,
) -> None:
    """Ask a model, or talk with it. What is piped in belongs to the question."""
    from cortex_entrypoints.cli.chat import chat
    from cortex_entrypoints.cli.conversation import ChatOptions
    from cortex_entrypoints.cli.outcome import run_command

    options = ChatOptions(
        model=model,
        system=system,
        temperature=temperature,
        top_p=top_p,
        max_tokens=max_tokens,
        seed=seed,
        lora_weights=lora_weights,
        kv_cache_bits=kv_cache_bits,
        draft_model=draft_model,
    )
    run_command(lambda settings: chat(settings, prompt=prompt, options=options), uses_tools=False)


@mcp.command("list")
def _list_mcp_servers() -> None:
    """Start the configured MCP servers and list what they offer. Exits with 1 when one does not answer."""
    from cortex_entrypoints.cli.mcp import list_mcp_servers
    from cortex_entrypoints.cli.outcome import run_command

    run_command(list_mcp_servers)


@models.command("list")
def _list_models() -> None:
    """List the models that are here and those of the catalogue."""
    from cortex_entrypoints.cli.models import list_models
    from cortex_entrypoints.cli.outcome import run_command

    run_command(list_models, uses_tools=False)


@models.command("show")
def _show_model(name: ModelName) -> None:
    """Show what is known about a model."""
    from cortex_entrypoints.cli.models import show_model
    from cortex_entrypoints.cli.outcome import run_command

    run_command(lambda settings: show_model(settings, name=name), uses_tools=False)


@models.command("pull")
def _pull_model(name: ModelName) -> None:
    """Fetch a model. What an earlier attempt fetched is kept."""
    from cortex_entrypoints.cli.models import pull_model
    from cortex_entrypoints.cli.outcome import run_command

    run_command(lambda settings: pull_model(settings, name=name), uses_tools=False)


@models.command("delete")
def _delete_model(
    *, name: ModelName, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False
) -> None:
    """Remove a model's files."""
    from cortex_entrypoints.cli.models import delete_model
    from cortex_entrypoints.cli.outcome import run_command

    if not (yes or sys.stdin.isatty()):
        raise typer.BadParameter("nobody is there to ask; add --yes")
    if not yes:
        typer.confirm(f"Delete the files of {name}?", abort=True)
    run_command(lambda settings: delete_model(settings, name=name), uses_tools=False)


@agent.command("run")
def _run_agent(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of an agent.")],
    task: Annotated[str, typer.Argument(metavar="TASK", help="What it has to do.")],
) -> None:
    """Run an agent here and show its steps. You are asked before it does what the policy says."""
    from cortex_entrypoints.cli.agents import run_agent
    from cortex_entrypoints.cli.outcome import run_command

    run_command(lambda settings: run_agent(settings, name=name, task=task))


@agent.command("list")
def _list_agents() -> None:
    """List the agents, and which of their tools are switched off."""
    from cortex_entrypoints.cli.agents import list_agents
    from cortex_entrypoints.cli.outcome import run_command

    run_command(list_agents)


@agent.command("runs")
def _list_runs() -> None:
    """List the latest runs."""
    from cortex_entrypoints.cli.agents import list_runs
    from cortex_entrypoints.cli.outcome import run_command

    run_command(list_runs, uses_tools=False)


@agent.command("resume")
def _resume_run(run_id: RunId) -> None:
    """Go on with a run that was left, or that waits for you."""
    from cortex_entrypoints.cli.agents import resume_run
    from cortex_entrypoints.cli.outcome import run_command

    run_command(lambda settings: resume_run(settings, run_id=run_id))


@agent.command("cancel")
def _cancel_run(run_id: RunId) -> None:
    """End a run."""
    from cortex_entrypoints.cli.agents import cancel_run
    from cortex_entrypoints.cli.outcome import run_command

    run_command(lambda settings: cancel_run(settings, run_id=run_id), uses_tools=False)


@tools.command("list")
def _list_tools() -> None:
    """List the tools that are switched on, and what decides about their use."""
    from cortex_entrypoints.cli.outcome import run_command
    from cortex_entrypoints.cli.tools import list_tools

    run_command(list_tools)


@tools.command("invoke")
def _invoke_tool(
    *,
    name: Annotated[str, typer.Argument(metavar="TOOL", help="Name of a tool.")],
    arguments: Annotated[str, typer.Option(metavar="JSON", help="What the tool is told, a JSON object.")] = "{}",
) -> None:
    """Use a tool, and print what it returns. Typing this is the approval that a model would have to ask for."""
    from cortex_entrypoints.cli.outcome import run_command
    from cortex_entrypoints.cli.tools import invoke_tool

    run_command(lambda settings: invoke_tool(settings, name=name, arguments=arguments))


@app.command("bench")
def _bench(
    *,
    url: Annotated[
        str | None, typer.Argument(help="URL or URL#MODEL of a server. Without it, Cortex is measured in process.")
    ] = None,
    dialect: Annotated[Literal["auto", "native", "openai"], typer.Option(help="How that server is asked.")] = "auto",
    model: Annotated[str | None, typer.Option("--model", "-m", help="What it is asked for: an id or alias.")] = None,
    api_key: Annotated[
        str | None, typer.Option(envvar="BENCH_API_KEY", help="Sent to that server, and to no other.")
    ] = None,
    compare: Annotated[
        list[str] | None, typer.Option(metavar="URL[#MODEL]", help="Another server; may be repeated.")
    ] = None,
    compare_program: Annotated[
        list[str] | None, typer.Option(metavar="COMMAND", help="Another generator; may be repeated.")
    ] = None,
    concurrency: Annotated[str, typer.Option(help="Numbers of clients, separated by commas.")] = "1,4,8",
    prefix: Annotated[
        Literal["cold", "warm", "both"], typer.Option(help="Whether prompts begin with what was seen before.")
    ] = "cold",
    prefix_tokens: Annotated[
        int | None, typer.Option(min=0, help="Length of that beginning; 512 when warm, otherwise none.")
    ] = None,
    prompt_tokens: Annotated[int, typer.Option(min=1, help="About how long the rest of a prompt is.")] = 80,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer.")] = 96,
    temperature: Annotated[float, typer.Option(min=0, max=2)] = 0.7,
    top_p: Annotated[float, typer.Option(min=0, max=1)] = 1.0,
    repeats: Annotated[int, typer.Option(min=1, help="How often each is measured; medians are shown.")] = 3,
    seed: Annotated[int | None, typer.Option(min=0, help="The same seed asks the same prompts.")] = None,
    timeout_s: Annotated[float, typer.Option(min=1, help="Seconds after which an answer counts as failed.")] = 600,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all of it there.")] = None,
    plot_file: Annotated[Path | None, typer.Option("--plot", metavar="FILE.svg", help="Draw it there.")] = None,
) -> None:
    """Measure how fast a server or the generator answers, alone or against others.

    All are asked the same, in turns; the first is compared with each other one. Exits with 1 when a request failed.
    """
    from cortex_entrypoints.cli.bench import BenchOptions, bench
    from cortex_entrypoints.cli.outcome import run_command

    options = BenchOptions(
        url=url,
        dialect=dialect,
        model=model,
        api_key=api_key,
        compare=tuple(compare or ()),
        compare_programs=tuple(compare_program or ()),
        concurrency=concurrency,
        prefix=prefix,
        prefix_tokens=prefix_tokens,
        prompt_tokens=prompt_tokens,
        max_tokens=max_tokens,
        temperature=temperature,
        top_p=top_p,
        repeats=repeats,
        seed=seed,
        timeout_s=timeout_s,
        json_file=json_file,
        plot_file=plot_file,
    )
    run_command(lambda settings: bench(settings, options), uses_tools=False)


@app.command("doctor")
def _doctor() -> None:
    """Look for what is missing, and say what to do.

    Checks device, BLAS, memory, disk, hub and models; exits with 1 when something is broken.
    """
    from cortex_entrypoints.cli.doctor import examine
    from cortex_entrypoints.cli.outcome import run_command

    run_command(examine, uses_tools=False)


if __name__ == "__main__":
    main()
