"""Errors as OpenAI's clients know them: by type and status they choose the exception that their program sees."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pydantic_core import to_json
from quart import Blueprint, Response
from typing_extensions import TypedDict
from werkzeug.exceptions import HTTPException

from cortex_domain.errors import CortexError
from cortex_entrypoints.http.error_forms import ErrorForm, renamed
from cortex_entrypoints.http.error_responses import (
    error_facts,
    error_response,
    http_refusal_facts,
    log_error,
    status_of,
)
from cortex_entrypoints.http.response_bodies import ErrorFacts

_TYPES: Final = {403: "permission_error", 429: "rate_limit_error"}
_CODES: Final = {"context_window_exceeded": "context_length_exceeded"}
"""Codes that programs written for OpenAI look for."""


class OpenAiErrorFacts(TypedDict):
    """What went wrong and what to do. `code` is the native API's, but for codes that programs look for."""

    message: str
    type: str
    param: str | None
    code: str


class OpenAiError(TypedDict):
    """The body of every error of this dialect."""

    error: OpenAiErrorFacts


def answer_openai_errors(
    routes: Blueprint, /, *, log_refusals: bool, names: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Makes every error of some routes an error of this dialect.

    Args:
        routes: The routes.
        log_refusals: Whether to log the traceback of refused requests too.
        names: What the routes call the parameters of the domain, where it is something else.
    """

    @routes.errorhandler(CortexError)
    async def answer_error(error: CortexError) -> Response:
        log_error(error, with_traceback=log_refusals)
        return openai_error_response(error, names=names)

    @routes.errorhandler(HTTPException)
    async def answer_refusal(error: HTTPException) -> Response:
        return openai_http_refusal(error)


def openai_error_response(error: CortexError, /, *, names: Mapping[str, str]) -> Response:
    """Builds the answer to a request that ended with this error.

    Args:
        error: The error.
        names: What the caller knows parameters of the domain as, where it is something else.
    """
    response = error_response(error)
    response.status_code = _status_of(type(error))
    facts = error_facts(error)
    told = facts.model_copy(update={"param": facts.param and renamed(facts.param, names)})
    response.set_data(to_json(_error_object(told, response.status_code)))
    return response


def openai_http_refusal(error: HTTPException, /) -> Response:
    """Builds the answer to a request that Quart refuses by itself."""
    status = error.code or 500
    body = to_json(_error_object(http_refusal_facts(error), status))
    return Response(body, status=status, content_type="application/json")


def error_frame(error: Exception, /) -> bytes:
    """Encodes an error that comes in the middle of a stream."""
    return b"data: %b\n\n" % to_json(error_object(error))


def error_object(error: Exception, /) -> OpenAiError:
    """Builds what a client is told of an error."""
    status = _status_of(type(error)) if isinstance(error, CortexError) else 500
    return _error_object(error_facts(error), status)


def _error_object(facts: ErrorFacts, status: int) -> OpenAiError:
    error_type = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return OpenAiError(
        error=OpenAiErrorFacts(message=facts.message, type=error_type, param=facts.param, code=_code_of(facts.code))
    )


def _status_of(error_class: type[CortexError]) -> int:
    """Finds the HTTP status of an error class; this dialect's clients do not know 422."""
    status = status_of(error_class)
    return 400 if status == 422 else status


def _code_of(code: str) -> str:
    return _CODES.get(code, code)


OPENAI_ERRORS: Final = ErrorForm(body=OpenAiError, status_of=_status_of, code_of=_code_of)
