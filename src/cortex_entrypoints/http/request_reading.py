"""Reads the body of the current request."""

import asyncio
from typing import Final, TypeVar

from pydantic import BaseModel
from quart import Response

from cortex_entrypoints.http.asgi_connections import current_request
from cortex_entrypoints.http.edge_errors import UnsupportedMediaTypeError
from cortex_entrypoints.http.json_parsing import parse_body

BodyT = TypeVar("BodyT", bound=BaseModel)

MAX_BODY_BYTES: Final = 16 * 1024 * 1024

BODY_PATIENCE_S: Final = 60.0
"""How long a body may take to arrive."""

UPLOAD_PATIENCE_S: Final = 5.0
"""How long a refused client may go on sending before it is answered."""


async def read_body(body_class: type[BodyT], /) -> BodyT:
    """Reads and validates the JSON body of the current request.

    Only JSON that is declared as such is read: a foreign page can send anything else without the browser asking first.

    Raises:
        UnsupportedMediaTypeError: The body is not declared to be JSON.
        MalformedJsonError: The body is not JSON.
        InvalidRequestError: The JSON is not such a body.
    """
    request = current_request()
    _require_json(request.mimetype)
    return parse_body(await request.get_data(cache=False, as_text=False), body_class)


async def read_optional_body(body_class: type[BodyT], /) -> BodyT:
    """Reads and validates the body of the current request as `read_body` does; none at all has no fields.

    Raises:
        UnsupportedMediaTypeError: There is a body, and it is not declared to be JSON.
        MalformedJsonError: The body is not JSON.
        InvalidRequestError: The JSON is not such a body.
    """
    request = current_request()
    data = await request.get_data(cache=False, as_text=False)
    if not data:
        return body_class()
    _require_json(request.mimetype)
    return parse_body(data, body_class)


async def finish_upload(response: Response) -> Response:
    """Lets a refused client finish sending, within limits, so that it gets to read the refusal.

    A server that answers and closes while data is still coming in makes the client's system drop the answer.
    """
    if response.status_code >= 400:
        try:
            async with asyncio.timeout(UPLOAD_PATIENCE_S):
                await current_request().upload_ended.wait()
        except TimeoutError:
            response.headers["Connection"] = "close"
    return response


def _require_json(media_type: str) -> None:
    if media_type != "application/json":
        raise UnsupportedMediaTypeError("The body must be JSON. Send the header 'Content-Type: application/json'.")
