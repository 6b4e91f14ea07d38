"""Every documented parameter of every dialect does what the manifest says, at a live server."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from cortex_adapters.fake import ECHO_MODEL, HONOURED, FakeModelLoader, FakeModelStore, FakeTextGenerator
from cortex_adapters.system.clock import SystemClock
from cortex_domain.events import GenerationEvent
from cortex_domain.generation import GenerationRequest
from cortex_domain.language_models import MODALITIES, Capability, ModelDescriptor, ModelId, ModelState
from cortex_entrypoints.http.compatibility.dialects import DIALECTS
from cortex_entrypoints.http.compatibility.manifest import manifest_of
from cortex_entrypoints.http.compatibility.page import page_text
from cortex_entrypoints.http.compatibility.treatments import Outcome, Treatment
from tests.entrypoints.http.compatibility.doors import DOORS, Door
from tests.entrypoints.http.live_server import FakeAdapters, LiveServer, live_server

ABLE = HONOURED | MODALITIES
PAGE = Path(__file__).parents[4] / "docs" / "compatibility.md"
OTHER_MODEL = ModelId("fake/other")
CHANGING = {"id", "created", "created_at", "completed_at", "timings", "item_id", "usage"}
"""What is different in every answer."""


class ListeningGenerator(FakeTextGenerator):
    """Answers like the echo, and remembers what it was asked."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.asked: list[GenerationRequest] = []

    def generate_text(
        self, request: GenerationRequest, /
    ) -> AbstractAsyncContextManager[AsyncIterator[GenerationEvent]]:
        self.asked.append(request)
        return super().generate_text(request)


@asynccontextmanager
async def _listening(capabilities: frozenset[Capability]) -> AsyncIterator[tuple[LiveServer, ListeningGenerator]]:
    """Opens a server with two models, one of which answers to the name that the tables use."""
    loader, clock = FakeModelLoader(), SystemClock()
    generator = ListeningGenerator(loader=loader, clock=clock, capabilities=capabilities)
    generator.encode("some words that may all be biased")
    models = [(ECHO_MODEL, ()), (OTHER_MODEL, ("starter",))]
    store = FakeModelStore(
        ModelDescriptor(
            id=model_id, aliases=aliases, state=ModelState.DOWNLOADED, size_bytes=1000, capabilities=capabilities
        )
        for model_id, aliases in models
    )
    async with live_server(
        adapters=FakeAdapters(loader=loader, clock=clock, store=store, generator=generator)
    ) as server:
        yield server, generator


@pytest.fixture(scope="module")
async def able() -> AsyncIterator[tuple[LiveServer, ListeningGenerator]]:
    """A server whose models can do all that a fake can be made to."""
    async with _listening(ABLE) as opened:
        yield opened


@pytest.fixture(scope="module")
async def unable() -> AsyncIterator[tuple[LiveServer, ListeningGenerator]]:
    """A server whose models can do nothing but chat."""
    async with _listening(frozenset()) as opened:
        yield opened


def _cases(treatment: Treatment, applies: Callable[[Outcome], bool] = lambda _: True) -> list[Any]:
    return [
        pytest.param(door, parameter, outcome, id=f"{door.dialect.name}-{parameter}-{outcome.of}")
        for door in DOORS
        for parameter, outcomes in door.dialect.outcomes().items()
        for outcome in outcomes
        if outcome.treatment is treatment and applies(outcome)
    ]


async def _post(server: LiveServer, door: Door, body: dict[str, Any]) -> httpx2.Response:
    if "previous_response_id" in body:
        first = await server.client.post(door.dialect.path, json=dict(door.dialect.basis))
        body = {**body, "previous_response_id": first.json()["id"]}
    return await server.client.post(door.dialect.path, json=body)


def test_every_dialect_has_its_clients() -> None:
    assert [door.dialect for door in DOORS] == list(DIALECTS)


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.dialect.name)
def test_every_documented_parameter_is_in_the_manifest(door: Door) -> None:
    assert set(door.dialect.values) == door.documented | door.extensions
    assert not door.documented & door.extensions
    assert all(door.dialect.values.values())


@pytest.mark.parametrize(
    ("door", "parameter", "outcome"), _cases(Treatment.HONOURED, lambda outcome: outcome.needs <= ABLE)
)
async def test_what_is_honoured_changes_the_request_or_the_answer(
    able: tuple[LiveServer, ListeningGenerator], door: Door, parameter: str, outcome: Outcome
) -> None:
    server, generator = able
    answers, requests = [], []
    without = door.dialect.basis if parameter == "prompt" else door.dialect.basis_of(parameter)
    for body in (door.dialect.body_with(parameter, outcome.value), without):
        answer = await _post(server, door, {"model": ECHO_MODEL, **body})
        assert answer.status_code == 200, answer.text
        answers.append(_telling(answer))
        requests.append(generator.asked[-1])
    if outcome.value not in ASK_FOR_NOTHING:
        assert answers[0] != answers[1] or requests[0] != requests[1]
    warnings = answers[0].get("warnings", []) if isinstance(answers[0], dict) else []
    assert [warning.partition(" ")[0] for warning in warnings] == list(outcome.idle)


@pytest.mark.parametrize(("door", "parameter", "outcome"), _cases(Treatment.WARNED))
async def test_what_has_no_effect_is_warned_of(
    able: tuple[LiveServer, ListeningGenerator], door: Door, parameter: str, outcome: Outcome
) -> None:
    server, _ = able
    answer = await _post(server, door, door.dialect.body_with(parameter, outcome.value))
    assert answer.status_code == 200, answer.text
    assert [warning for warning in answer.json()["warnings"] if warning.startswith(parameter)]


@pytest.mark.parametrize(("door", "parameter", "outcome"), _cases(Treatment.REFUSED))
async def test_what_is_refused_is_named_in_the_dialects_own_error(
    able: tuple[LiveServer, ListeningGenerator], door: Door, parameter: str, outcome: Outcome
) -> None:
    server, _ = able
    answer = await _post(server, door, door.dialect.body_with(parameter, outcome.value))
    assert answer.status_code == 400
    assert door.refused_of(answer.json()).partition(".")[0] in door.names_of(parameter)


@pytest.mark.parametrize(
    ("door", "parameter", "outcome"), _cases(Treatment.HONOURED, lambda outcome: bool(outcome.needs))
)
async def test_what_needs_a_capability_is_not_honoured_without_it(
    unable: tuple[LiveServer, ListeningGenerator], door: Door, parameter: str, outcome: Outcome
) -> None:
    server, _ = unable
    answer = await _post(server, door, door.dialect.body_with(parameter, outcome.value))
    if outcome.otherwise is Treatment.WARNED:
        assert [warning for warning in answer.json()["warnings"] if parameter in warning]
        return
    assert answer.status_code in (400, 422)
    assert door.refused_of(answer.json()).partition(".")[0] in door.names_of(parameter)


@pytest.mark.parametrize("spelling", ["/api/models/starter", "/api/models"])
async def test_a_model_tells_what_it_honours(able: tuple[LiveServer, ListeningGenerator], spelling: str) -> None:
    server, _ = able
    answer = (await server.client.get(spelling)).json()
    model = answer if "id" in answer else answer["models"][1]
    assert model["id"] == OTHER_MODEL
    assert model["dialects"] == list(manifest_of(ABLE))
    for manifest, door in zip(model["dialects"], DOORS, strict=True):
        told = [name for treatment in ("honoured", "partly", "warned", "refused") for name in manifest[treatment]]
        assert sorted(told) == sorted(door.documented | door.extensions)
        assert (manifest["dialect"], manifest["path"]) == (door.dialect.name, door.dialect.path)


def test_a_model_that_can_do_less_honours_less() -> None:
    for most, least in zip(manifest_of(frozenset(Capability)), manifest_of(frozenset()), strict=True):
        assert set(least["honoured"]) < set(most["honoured"])
        assert set(least["refused"]) > set(most["refused"])
        assert "top_k" in least["refused"]


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page_text(), "run `make compatibility`"


ASK_FOR_NOTHING = (
    ["text"],
    "none",
    {"type": "text"},
    {"effort": "none"},
    ["message.input_image.image_url"],
    {"type": "disabled"},
    {"type": "ephemeral"},
)
"""Values that are what is done anyway, by models that can do everything too."""


def _telling(answer: httpx2.Response) -> Any:
    """Leaves out what is different in every answer."""
    if not answer.headers["content-type"].startswith("application/json"):
        return answer.headers["content-type"], answer.text.count("data:")
    return _without_changing(answer.json())


def _without_changing(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_changing(inner) for name, inner in value.items() if name not in CHANGING}
    return [_without_changing(inner) for inner in value] if isinstance(value, list) else value


def test_a_case_is_as_json_would_have_it() -> None:
    for dialect in DIALECTS:
        for parameter, outcomes in dialect.outcomes().items():
            for outcome in outcomes:
                body = dialect.body_with(parameter, outcome.value)
                assert json.loads(json.dumps(body)) == body
