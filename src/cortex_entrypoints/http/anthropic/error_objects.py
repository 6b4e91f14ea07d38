"""Errors as Anthropic's clients know them: by status and type they choose the exception that their program sees."""

from typing import Any, Final, Literal

from pydantic_core import to_json
from quart import Response
from typing_extensions import TypedDict
from werkzeug.exceptions import HTTPException

from cortex_domain.errors import (
    CortexError,
    GeneratorBusyError,
    InsufficientMemoryError,
    ModelNotDownloadedError,
    ShuttingDownError,
)
from cortex_entrypoints.http.error_forms import ErrorForm, renamed
from cortex_entrypoints.http.error_responses import error_facts, error_response, http_refusal_facts, status_of
from cortex_entrypoints.http.response_bodies import ErrorFacts
from cortex_entrypoints.observation.request_ids import current_request_id

REQUEST_ID: Final = "request-id"
"""The header in which Anthropic's clients look for the request's id."""

_NAMES: Final = {
    "output": "output_config.format",
    "owner": "metadata.user_id",
    "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
    "reasoning_effort": "output_config.effort",
    "stop": "stop_sequences",
}
"""What this dialect calls parameters of the domain."""

_OVERLOADED: Final = 529
_OVERLOADS: Final = (GeneratorBusyError, InsufficientMemoryError, ShuttingDownError)
_TYPES: Final = {
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    _OVERLOADED: "overloaded_error",
}


class AnthropicErrorFacts(TypedDict):
    """What went wrong and what to do.

    `details` are facts for programs: `error_code` is the native API's code, `param` names the field that is wrong.
    """

    type: str
    message: str
    details: dict[str, Any]


class AnthropicError(TypedDict):
    """The body of every error of this dialect, and the last event of a stream that failed."""

    type: Literal["error"]
    error: AnthropicErrorFacts
    request_id: str | None


def anthropic_error_response(error: CortexError, /) -> Response:
    """Builds the answer to a request that ended with this error."""
    response = error_response(error)
    response.status_code = _status_of(type(error))
    response.set_data(to_json(_error_object(error_facts(error), response.status_code)))
    return response


def anthropic_http_refusal(error: HTTPException, /) -> Response:
    """Builds the answer to a request that Quart refuses by itself."""
    status = error.code or 500
    body = _error_object(http_refusal_facts(error), status)
    headers = {REQUEST_ID: body["request_id"] or ""}
    return Response(to_json(body), status=status, content_type="application/json", headers=headers)


def error_frame(error: Exception, /) -> bytes:
    """Encodes an error that comes in the middle of a stream."""
    status = _status_of(type(error)) if isinstance(error, CortexError) else 500
    return b"event: error\ndata: %b\n\n" % to_json(_error_object(error_facts(error), status))


def _error_object(facts: ErrorFacts, status: int) -> AnthropicError:
    error_type = _TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    named = {"error_code": facts.code} | ({} if facts.param is None else {"param": renamed(facts.param, _NAMES)})
    details = {**(facts.details or {}), **named}
    return AnthropicError(
        type="error",
        error=AnthropicErrorFacts(type=error_type, message=facts.message, details=details),
        request_id=current_request_id(),
    )


def _status_of(error_class: type[CortexError]) -> int:
    """Finds the HTTP status of an error class as this dialect's clients expect it.

    They try again after 409, which does not help where a model has to be pulled first.
    """
    if issubclass(error_class, _OVERLOADS):
        return _OVERLOADED
    if issubclass(error_class, ModelNotDownloadedError):
        return 404
    status = status_of(error_class)
    return 400 if status == 422 else status


ANTHROPIC_ERRORS: Final = ErrorForm(body=AnthropicError, status_of=_status_of, code_of=str)
