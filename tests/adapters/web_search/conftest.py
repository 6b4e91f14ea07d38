from collections.abc import AsyncIterator, Iterator

import pytest
from httpx2 import AsyncClient
from pytest_httpserver import HTTPServer

from tests.adapters.web_search.search_services import STAND_INS, SearchServiceStandIn


@pytest.fixture(scope="module")
def search_server() -> Iterator[HTTPServer]:
    with HTTPServer(host="127.0.0.1", threaded=True) as server:
        yield server


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    async with AsyncClient() as opened:
        yield opened


@pytest.fixture(params=STAND_INS, ids=lambda stand_in: stand_in.__name__.removesuffix("StandIn"))
def service(request: pytest.FixtureRequest, search_server: HTTPServer) -> SearchServiceStandIn:
    stand_in: SearchServiceStandIn = request.param(search_server)
    return stand_in
