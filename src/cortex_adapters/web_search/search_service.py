"""Asks a search service over HTTP, and tells in one way what went wrong."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from typing import Final

from httpx2 import AsyncClient, HTTPError, InvalidURL, Request, Response, TimeoutException

from cortex_domain.errors import WebFailure, WebSearchError

MAX_ANSWER_BYTES: Final = 2_000_000
TIMEOUT_S: Final = 10.0

_KEY_REFUSED: Final = (401, 403)
_TOO_MANY: Final = (402, 429, 432, 433)
"""429 is everybody's; 402 is Exa's for a spent credit, 432 and 433 are Tavily's for a spent plan."""


class SearchService:
    """One service.

    Args:
        name: What people and logs call it.
        client: Sends requests; not closed here.
        timeout_s: Seconds for a whole answer.
        refusal_advice: What 401 and 403 mean here, as a sentence.
    """

    def __init__(
        self,
        name: str,
        *,
        client: AsyncClient,
        timeout_s: float = TIMEOUT_S,
        refusal_advice: str = "Check its key.",
    ) -> None:
        self.name = name
        self._client = client
        self._timeout_s = timeout_s
        self._refusal_advice = refusal_advice

    async def ask(self, request: Request, /) -> object:
        """Sends a request and reads what comes as JSON.

        Raises:
            WebSearchError: The service cannot be reached, refuses, or does not answer with JSON.
        """
        with self._translated():
            async with asyncio.timeout(self._timeout_s):
                body = await self._body(request)
            return json.loads(body)

    def bad_answer(self) -> WebSearchError:
        """Builds the error of an answer that is not of this service's form."""
        return self._failed("answers with what cannot be read", WebFailure.BAD_ANSWER)

    async def _body(self, request: Request) -> bytes:
        response = await self._client.send(request, stream=True, follow_redirects=False)
        try:
            self._check_status(response)
            return await self._bounded(response)
        finally:
            await response.aclose()

    def _check_status(self, response: Response) -> None:
        if response.status_code == 200:
            return
        if response.status_code in _KEY_REFUSED:
            raise self._failed(f"refuses to search. {self._refusal_advice}", WebFailure.KEY_REFUSED)
        if response.status_code in _TOO_MANY:
            wait_s = _retry_after_s(response)
            raise self._failed("takes no more searches for now", WebFailure.RATE_LIMITED, retry_after_s=wait_s)
        raise self._failed(f"answers with status {response.status_code}", WebFailure.HTTP_STATUS)

    async def _bounded(self, response: Response) -> bytes:
        body = bytearray()
        async with aclosing(response.aiter_bytes()) as pieces:
            async for piece in pieces:
                body += piece
                if len(body) > MAX_ANSWER_BYTES:
                    raise self._failed("answers with too much", WebFailure.TOO_LARGE)
        return bytes(body)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (TimeoutError, TimeoutException) as exc:
            raise self._failed("takes too long", WebFailure.TIMEOUT) from exc
        except (HTTPError, InvalidURL) as exc:
            raise self._failed(f"cannot be reached ({type(exc).__name__})", WebFailure.UNREACHABLE) from exc
        except (ValueError, RecursionError) as exc:
            raise self.bad_answer() from exc

    def _failed(self, what: str, reason: WebFailure, *, retry_after_s: float | None = None) -> WebSearchError:
        message = f"{self.name} {what}".rstrip(".")
        return WebSearchError(f"{message}.", provider=self.name, reason=reason, retry_after_s=retry_after_s)


def _retry_after_s(response: Response) -> float | None:
    """Reads Retry-After, or Brave's X-RateLimit-Reset, whose first number is the window that ends first."""
    stated = response.headers.get("Retry-After") or response.headers.get("X-RateLimit-Reset", "").partition(",")[0]
    return float(stated) if stated.isascii() and stated.isdigit() and len(stated) < 10 else None
