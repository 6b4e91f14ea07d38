"""The models that two dialects list at one path, by the clients of both."""

from collections.abc import AsyncIterator

import anthropic
import openai
import pytest

from cortex_adapters.fake import FakeModelStore
from cortex_domain.language_models import ModelDescriptor, ModelId, ModelState
from tests.entrypoints.http.anthropic.clients import client_of
from tests.entrypoints.http.live_server import FakeAdapters, LiveServer, live_server

NAMES = [f"fake/model-{letter}" for letter in "abcde"]


@pytest.fixture
async def stocked() -> AsyncIterator[LiveServer]:
    models = [
        ModelDescriptor(id=ModelId(name), aliases=(name[-1],), state=ModelState.DOWNLOADED, context_window=64)
        for name in NAMES
    ]
    absent = ModelDescriptor(id=ModelId("fake/absent"), state=ModelState.AVAILABLE)
    async with live_server(adapters=FakeAdapters(store=FakeModelStore([*models, absent]))) as server:
        yield server


@pytest.fixture
async def client(stocked: LiveServer) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with client_of(stocked) as opened:
        yield opened


async def test_a_model_is_described(client: anthropic.AsyncAnthropic) -> None:
    model = await client.models.retrieve(NAMES[0])
    assert (model.type, model.id, model.display_name) == ("model", NAMES[0], "model-a")
    assert (model.lifecycle, model.max_input_tokens, model.created_at.year) == ("active", 64, 1970)
    assert (await client.models.retrieve("a")).id == NAMES[0]


async def test_models_are_listed(client: anthropic.AsyncAnthropic) -> None:
    page = await client.models.list()
    assert [model.id for model in page.data] == NAMES
    assert (page.has_more, page.first_id, page.last_id) == (False, NAMES[0], NAMES[-1])


@pytest.mark.parametrize("limit", range(1, 7))
async def test_pages_add_up_to_the_list(client: anthropic.AsyncAnthropic, limit: int) -> None:
    assert [model.id async for model in client.models.list(limit=limit)] == NAMES


async def test_pages_go_back_too(client: anthropic.AsyncAnthropic) -> None:
    page = await client.models.list(limit=2, before_id=NAMES[4])
    assert ([model.id for model in page.data], page.has_more) == (NAMES[2:4], True)
    before = await page.get_next_page()
    assert ([model.id for model in before.data], before.has_more) == (NAMES[:2], False)


async def test_a_page_may_be_empty(client: anthropic.AsyncAnthropic) -> None:
    page = await client.models.list(after_id=NAMES[-1])
    assert (page.data, page.has_more, page.first_id, page.last_id) == ([], False, None, None)


async def test_only_active_models_are_here(client: anthropic.AsyncAnthropic) -> None:
    assert len((await client.models.list(lifecycle=["active", "retired"])).data) == len(NAMES)
    assert (await client.models.list(lifecycle=["retired"])).data == []


@pytest.mark.parametrize(
    ("query", "parameter"),
    [("limit=0", "limit"), ("limit=1001", "limit"), ("limit=x", "limit")],
)
async def test_a_page_that_cannot_be_is_refused(stocked: LiveServer, query: str, parameter: str) -> None:
    answer = await stocked.client.get(f"/v1/models?{query}", headers={"anthropic-version": "2023-06-01"})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["type"], error["details"]["param"]) == ("invalid_request_error", parameter)
    assert answer.headers["request-id"] == answer.json()["request_id"]


async def test_an_unknown_model_is_not_found(client: anthropic.AsyncAnthropic) -> None:
    with pytest.raises(anthropic.NotFoundError) as refused:
        await client.models.retrieve("no/such")
    assert refused.value.type == "not_found_error"


async def test_who_names_no_version_gets_the_other_dialect(stocked: LiveServer) -> None:
    async with openai.AsyncOpenAI(base_url=f"{stocked.url}/v1", api_key="none", max_retries=0) as other:
        assert [model.id for model in (await other.models.list()).data] == NAMES
        assert (await other.models.retrieve(NAMES[0])).object == "model"
        with pytest.raises(openai.NotFoundError) as refused:
            await other.models.retrieve("no/such")
    assert refused.value.code == "model_not_found"
    answer = await stocked.client.get("/v1/models?limit=0")
    assert answer.json()["error"]["param"] == "limit"
    assert "request-id" not in answer.headers


async def test_a_page_beside_an_unknown_model_is_not_found(client: anthropic.AsyncAnthropic) -> None:
    with pytest.raises(anthropic.NotFoundError):
        await client.models.list(after_id="no/such")
