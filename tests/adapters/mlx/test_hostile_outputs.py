"""No output makes the engine hang or fall: it is refused by its name, or followed."""

import asyncio

import pytest

from cortex_adapters.mlx.engine_host import EngineHost
from cortex_adapters.mlx.grammars import grammar_of
from cortex_domain.errors import InvalidRequestError
from cortex_domain.language_models import ModelFiles
from tests.adapters.mlx.engine_jobs import run
from tests.adapters.mlx.hostile_outputs import HOSTILE

REFUSED = {
    "schema: larger product of unions",
    "schema: remote reference",
    "schema: many patterns together",
    "schema: looks ahead",
    "schema: not",
    "schema: if",
    "schema: unique items",
    "schema: unknown format",
    "schema: reference to itself",
    "schema: mended by an option of the library",
    "regex: long repetition",
    "regex: refers back",
    "regex: matches nothing",
    "lark: intersections",
    "lark: imports",
    "gbnf: unknown rule",
}
"""Some of those that must be."""
FOLLOWED = {
    "schema: huge enum",
    "schema: chain of references",
    "regex: exponential automaton",
    "lark: chain of rules",
    "choice: many",
    "choice: long",
}
"""Some that merely look bad."""


@pytest.mark.parametrize("host", ["process"], indirect=True)
async def test_the_engine_survives_them_all(host: EngineHost, tiny_files: ModelFiles) -> None:
    await host.load(tiny_files)
    ordinary = await run(host)
    outcomes = {name: await _outcome(host, name) for name in HOSTILE}
    assert {name for name in REFUSED if outcomes[name] is None} == set()
    assert {name for name in FOLLOWED if outcomes[name] is not None} == set()
    for refusal in filter(None, outcomes.values()):
        assert str(refusal.parameter).startswith("output.")
        assert not any(word in refusal.message for word in ("panic", "limit", "x-guidance", "coerce"))
    assert (await run(host)).text == ordinary.text
    assert host.restarts == 0


async def _outcome(host: EngineHost, name: str) -> InvalidRequestError | None:
    try:
        async with asyncio.timeout(60):
            await run(host, max_tokens=8, grammar=grammar_of(HOSTILE[name]))
    except InvalidRequestError as refusal:
        return refusal
    return None
