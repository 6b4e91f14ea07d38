"""The hub over HTTP: what a repository holds, and the content of its files.

All of it goes through huggingface_hub: its endpoint and token settings, its sessions, its errors. What is its own here
is the reading of a body, because `snapshot_download` throws a file away that was cut, so that the next pull starts it
again, and cannot be stopped while it waits for the network.

Requests go to one endpoint. A redirect that the endpoint answers with, as the hub does to the storage of large files,
is followed, and the token is not sent to another host.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
from huggingface_hub import HfApi, get_async_session, hf_hub_url, hf_raise_for_status
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.hf_api import RepoSibling
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined] # exported lazily

from cortex_domain.language_models import ModelId

_TIMEOUT_S = 10.0  # without a single byte
_SMALL_FILE_BYTES = 64 * 2**20
_HEADERS = {"user-agent": "cortex"}  # instead of one that describes this machine


class UnusableAnswerError(Exception):
    """The endpoint answered, but not as a hub does; the message says how, as a sentence without its full stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A model's repository at one commit.

    Attributes:
        model_id: The model.
        revision: The commit.
        listing: Its files.
    """

    model_id: ModelId
    revision: str
    listing: tuple[RepoSibling, ...]


class HubConnection:
    """Reads repositories over connections that it keeps open.

    Any method may raise `HfHubHTTPError`, `OfflineModeIsEnabled`, `HFValidationError`, `httpx2.RequestError` or
    `UnusableAnswerError`.
    """

    def __init__(self, *, api: HfApi, client: httpx2.AsyncClient) -> None:
        self._api = api
        self._client = client

    async def find(self, model_id: ModelId) -> Repository:
        """Resolves a model's main branch to a commit and lists its files."""
        return await asyncio.to_thread(_find, self._api, model_id)

    async def read(self, repository: Repository, name: str) -> bytes:
        """Reads a small file whole."""
        content = bytearray()
        async with self.open(repository.model_id, repository.revision, name) as response:
            async for data in response.aiter_bytes():
                content += data
                if len(content) > _SMALL_FILE_BYTES:
                    raise UnusableAnswerError(f"{name} does not end")
        return bytes(content)

    @asynccontextmanager
    async def open(
        self, model_id: ModelId, revision: str, name: str, *, start: int = 0
    ) -> AsyncIterator[httpx2.Response]:
        """Opens a file at the byte `start`. An answer with another status than 206 begins at byte 0 all the same."""
        url = hf_hub_url(model_id, name, revision=revision, endpoint=self._api.endpoint)
        headers = {"accept-encoding": "identity"} | ({"range": f"bytes={start}-"} if start else {})
        async with self._client.stream("GET", url, headers=headers, timeout=_TIMEOUT_S) as response:
            hf_raise_for_status(response)
            yield response


@asynccontextmanager
async def connect(api: HfApi) -> AsyncIterator[HubConnection]:
    """Opens the connections of one pull."""
    client = await asyncio.to_thread(_open_session, api)
    async with client:
        yield HubConnection(api=api, client=client)


def new_api(*, endpoint: str | None, token: str | None) -> HfApi:
    """Makes a client; what is None comes from the environment, as huggingface_hub reads it."""
    return HfApi(endpoint=endpoint, token=token, headers=_HEADERS)


def _open_session(api: HfApi) -> httpx2.AsyncClient:
    client = get_async_session()
    client.headers.update(build_hf_headers(token=api.token, headers=_HEADERS))
    return client


def _find(api: HfApi, model_id: ModelId) -> Repository:
    try:
        info = api.model_info(model_id, files_metadata=True, timeout=_TIMEOUT_S)
    except (HfHubHTTPError, HFValidationError):
        raise
    except (KeyError, TypeError, ValueError) as exc:
        raise UnusableAnswerError("it says something else about a model") from exc
    if not info.sha or not info.siblings:
        raise UnusableAnswerError("it names no commit or no files of the model")
    return Repository(model_id=model_id, revision=info.sha, listing=tuple(info.siblings))
