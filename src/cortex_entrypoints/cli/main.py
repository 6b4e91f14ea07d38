"""The `cortex` command: what can be typed.

`cortex --help` answers before a person notices, because nothing heavy is imported until a command runs.
"""

import sys
from pathlib import Path
from typing import Annotated

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
        Path | None, typer.Option(metavar="DIRECTORY", help="LoRA weights to add to the model's own.")
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
    )
    run_command(lambda settings: chat(settings, prompt=prompt, options=options))


@models.command("list")
def _list_models() -> None:
    """List the models that are here and those of the catalogue."""
    from cortex_entrypoints.cli.models import list_models
    from cortex_entrypoints.cli.outcome import run_command

    run_command(list_models)


@models.command("show")
def _show_model(name: ModelName) -> None:
    """Show what is known about a model."""
    from cortex_entrypoints.cli.models import show_model
    from cortex_entrypoints.cli.outcome import run_command

    run_command(lambda settings: show_model(settings, name=name))


@models.command("pull")
def _pull_model(name: ModelName) -> None:
    """Fetch a model. What an earlier attempt fetched is kept."""
    from cortex_entrypoints.cli.models import pull_model
    from cortex_entrypoints.cli.outcome import run_command

    run_command(lambda settings: pull_model(settings, name=name))


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
    run_command(lambda settings: delete_model(settings, name=name))


@app.command("doctor")
def _doctor() -> None:
    """Look for what is missing, and say what to do.

    Checks device, BLAS, memory, disk, hub and models; exits with 1 when something is broken.
    """
    from cortex_entrypoints.cli.doctor import examine
    from cortex_entrypoints.cli.outcome import run_command

    run_command(examine)


if __name__ == "__main__":
    main()
