from collections.abc import Iterator

import pytest
from pytest_httpserver import HTTPServer

from tests.adapters.web_pages.web_server import CountingListener, DocumentServer, counting_listener


@pytest.fixture(scope="module")
def web_server() -> Iterator[HTTPServer]:
    with HTTPServer(host="127.0.0.1", threaded=True) as server:
        yield server


@pytest.fixture
def documents(web_server: HTTPServer) -> DocumentServer:
    web_server.clear()
    return DocumentServer(web_server)


@pytest.fixture
def listener() -> Iterator[CountingListener]:
    with counting_listener() as listening:
        yield listening
