"""Servers of this machine: one for pages that may be fetched, one that only counts who comes."""

import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_httpserver import HTTPServer
from werkzeug import Response

from cortex_contracts.page_fetcher import WebDocument


class DocumentServer:
    """Serves documents, each at an address of its own."""

    def __init__(self, server: HTTPServer) -> None:
        self._server = server
        self._numbers = itertools.count()

    def serve(self, document: WebDocument) -> str:
        path = f"/{next(self._numbers)}"
        headers = {"Content-Type": document.media_type}
        if document.location is not None:
            headers["Location"] = document.location
        if document.encoding is not None:
            headers["Content-Encoding"] = document.encoding
        response = Response(document.body, status=document.status, headers=headers)
        response.autocorrect_location_header = False
        self._server.expect_request(path).respond_with_response(response)
        return str(self._server.url_for(path))


class CountingListener:
    """Listens on every address of this machine, of both kinds, and counts connections."""

    def __init__(self, listener: socket.socket) -> None:
        self.port: int = listener.getsockname()[1]
        self._listener = listener
        self._reached = 0

    def reached(self) -> int:
        return self._reached

    def count(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._reached += 1
            connection.close()


@contextmanager
def counting_listener() -> Iterator[CountingListener]:
    listener = socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    counting = CountingListener(listener)
    thread = threading.Thread(target=counting.count)
    thread.start()
    yield counting
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
