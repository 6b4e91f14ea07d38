"""`cortex chat`: one question, or a conversation."""

import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import Any

import typer

from cortex_domain import CortexError, ModelId
from cortex_entrypoints.cli.conversation import ChatOptions, Conversation
from cortex_entrypoints.cli.line_history import line_history
from cortex_entrypoints.cli.outcome import tell_failure
from cortex_entrypoints.cli.pull_display import pull_if_absent
from cortex_entrypoints.container import open_cortex
from cortex_entrypoints.cortex import Cortex
from cortex_entrypoints.settings import Settings

_PROMPT = "> "
_HELP = "/clear forgets the conversation, /exit or Ctrl-D leaves, Ctrl-C cancels an answer."


async def chat(settings: Settings, *, prompt: str | None, options: ChatOptions) -> None:
    """Answers the prompt together with what is piped in; without either, talks until the person leaves.

    Raises:
        CortexError: The question could not be answered.
        typer.BadParameter: Nothing was asked, and no terminal is there to talk through.
    """
    question = _join_piped_text(prompt)
    async with open_cortex(settings) as cortex:
        conversation = await _begin(cortex, settings, options)
        if question is None:
            await _talk(conversation)
        else:
            await conversation.ask(question)


def _join_piped_text(prompt: str | None) -> str | None:
    if sys.stdin.isatty():
        return prompt
    question = "\n\n".join(text for text in (prompt, sys.stdin.read().strip()) if text)
    if not question:
        raise typer.BadParameter("there is nothing to ask: give a prompt, or pipe one in")
    return question


async def _begin(cortex: Cortex, settings: Settings, options: ChatOptions) -> Conversation:
    model = cortex.default_model if options.model is None else ModelId(options.model)
    conversation = Conversation(cortex=cortex, model=model, options=options, settings=settings)
    await pull_if_absent(cortex, model)
    if options.draft_model is not None:
        await pull_if_absent(cortex, ModelId(options.draft_model))
    await cortex.load_model(
        model,
        lora_weights=options.lora_weights,
        kv_cache_bits=options.kv_cache_bits,
        draft_model=options.draft_model,
    )
    return conversation


async def _talk(conversation: Conversation) -> None:
    typer.echo(_HELP, err=True)
    with line_history():
        while (line := _read_line()) is not None:
            match line:
                case "":
                    continue
                case "/exit":
                    return
                case "/clear":
                    conversation.forget()
                case _:
                    await _answer(conversation, line)


def _read_line() -> str | None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # asyncio's own would leave the prompt waiting
    try:
        return input(_PROMPT).strip()
    except EOFError:
        typer.echo()
        return None


async def _answer(conversation: Conversation, question: str) -> None:
    try:
        await _until_interrupted(conversation.ask(question))
    except CortexError as exc:
        tell_failure(exc.message)


async def _until_interrupted(work: Coroutine[Any, Any, None]) -> None:
    """Runs until the work ends or Ctrl-C cancels it; a second Ctrl-C ends the program."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)

    def cancel() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        task.cancel()

    loop.add_signal_handler(signal.SIGINT, cancel)
    try:
        await asyncio.wait([task])
    finally:
        loop.remove_signal_handler(signal.SIGINT)
    if not task.cancelled():
        task.result()
