"""The one table from errors to HTTP statuses, and the JSON that every error becomes.

400 means that the request breaks a rule of the API; 422 that it keeps them all and this model still cannot serve it;
503 that the same request may succeed later.
"""

import logging
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from quart import Quart, Response
from werkzeug.exceptions import HTTPException

from cortex_domain.errors import (
    AgentNotFoundError,
    AgentReadOnlyError,
    AgentRunBusyError,
    AgentRunConflictError,
    AgentRunNotFoundError,
    ApprovalNotPendingError,
    CodeExecutorUnavailableError,
    ContextWindowExceededError,
    ContractViolationError,
    CortexError,
    DeadlineExceededError,
    GenerationNotFoundError,
    GeneratorBusyError,
    GeneratorFailedError,
    InsufficientMemoryError,
    InsufficientStorageError,
    InvalidAgentError,
    InvalidModelError,
    InvalidRequestError,
    InvalidToolArgumentsError,
    LoadOptionRefusedError,
    MemoryExceededError,
    MemoryPressureError,
    ModelAccessDeniedError,
    ModelDownloadError,
    ModelInUseError,
    ModelLoadedOtherwiseError,
    ModelNotDownloadedError,
    ModelNotFoundError,
    ModelNotLoadedError,
    PageFetchError,
    RequestRefusedError,
    ResourceUnavailableError,
    ResponseItemNotFoundError,
    ResponseNotFoundError,
    ShuttingDownError,
    StorageError,
    ToolDeniedError,
    ToolFailedError,
    ToolNotFoundError,
    UnavailableReason,
    UnsupportedCapabilityError,
    WebSearchError,
    WorkspaceFileError,
)
from cortex_entrypoints.http.edge_errors import (
    DuplicateRequestIdError,
    EventsNoLongerKeptError,
    HostNotAllowedError,
    MalformedJsonError,
    NothingFollowsError,
    OriginNotAllowedError,
    PreviousResponseNotFoundError,
    ResponseNotInBackgroundError,
    ThreadUnsupportedError,
    TooManyChatsError,
    UnknownEventError,
    UnknownRequestIdError,
    UnsupportedMediaTypeError,
)
from cortex_entrypoints.http.response_bodies import ErrorBody, ErrorFacts
from cortex_entrypoints.observation.log_lines import is_quotable

logger = logging.getLogger(__name__)

STATUSES: Final[Mapping[type[CortexError], int]] = {
    CortexError: 500,
    ContractViolationError: 500,
    RequestRefusedError: 400,
    InvalidRequestError: 400,
    MalformedJsonError: 400,
    UnsupportedMediaTypeError: 415,
    HostNotAllowedError: 421,
    OriginNotAllowedError: 403,
    UnsupportedCapabilityError: 422,
    ContextWindowExceededError: 422,
    MemoryExceededError: 422,
    InvalidModelError: 422,
    GenerationNotFoundError: 404,
    ResponseNotFoundError: 404,
    ResponseItemNotFoundError: 404,
    ToolNotFoundError: 404,
    ToolDeniedError: 403,
    InvalidToolArgumentsError: 400,
    AgentNotFoundError: 404,
    AgentReadOnlyError: 409,
    InvalidAgentError: 422,
    AgentRunNotFoundError: 404,
    AgentRunConflictError: 409,
    AgentRunBusyError: 409,
    ApprovalNotPendingError: 409,
    ToolFailedError: 500,
    PageFetchError: 500,
    WebSearchError: 500,
    WorkspaceFileError: 500,
    ModelNotFoundError: 404,
    ModelNotDownloadedError: 409,
    ModelInUseError: 409,
    ModelLoadedOtherwiseError: 409,
    LoadOptionRefusedError: 422,
    ModelAccessDeniedError: 403,
    ThreadUnsupportedError: 400,
    DuplicateRequestIdError: 409,
    UnknownRequestIdError: 404,
    TooManyChatsError: 429,
    UnknownEventError: 400,
    NothingFollowsError: 400,
    PreviousResponseNotFoundError: 400,
    ResponseNotInBackgroundError: 400,
    EventsNoLongerKeptError: 410,
    ResourceUnavailableError: 503,
    GeneratorBusyError: 503,
    MemoryPressureError: 503,
    GeneratorFailedError: 503,
    DeadlineExceededError: 504,
    ModelNotLoadedError: 503,
    ShuttingDownError: 503,
    InsufficientMemoryError: 503,
    StorageError: 503,
    InsufficientStorageError: 507,
    CodeExecutorUnavailableError: 503,
    ModelDownloadError: 502,
}

HTTP_REFUSALS: Final[Mapping[int, tuple[str, str]]] = {
    404: ("route_not_found", "There is nothing at this path. /openapi.json lists what there is."),
    405: ("method_not_allowed", "This path does not take this method. The Allow header lists those that it takes."),
    408: ("request_timeout", "The body took too long to arrive. Send it faster, or send less."),
    413: ("body_too_large", "The body is larger than 16 MiB. Send fewer or smaller messages."),
}
"""Code and message of what Quart refuses by itself, by status."""

_INTERNAL_FACTS: Final = ErrorFacts(
    code="internal_error", message="Something in the server failed. Its log has the traceback; please report it."
)
_NOT_DETAILS: Final = {"message", "parameter"}


def status_of(error_class: type[CortexError], /) -> int:
    """Finds the HTTP status of an error class, or that of its nearest base class."""
    return next(STATUSES[base] for base in error_class.__mro__ if base in STATUSES)


def error_facts(error: Exception, /) -> ErrorFacts:
    """Tells what a client may know of an error: of a bug nothing, of any other all its public facts."""
    if not isinstance(error, CortexError) or status_of(type(error)) == 500:
        return _INTERNAL_FACTS
    return ErrorFacts(
        code=error.code,
        message=error.message,
        reason=error.reason if isinstance(error, ResourceUnavailableError) else None,
        param=getattr(error, "parameter", None),
        details=_details(error) or None,
    )


def http_refusal_facts(error: HTTPException, /) -> ErrorFacts:
    """Tells what a client may know of what Quart refuses by itself."""
    status = error.code or 500
    code, message = HTTP_REFUSALS.get(status, ("bad_request", "The request is not valid HTTP for this path."))
    return _INTERNAL_FACTS if status >= 500 else ErrorFacts(code=code, message=message)


def error_response(error: CortexError, /) -> Response:
    """Builds the answer to a request that ended with this error."""
    response = _json_response(error_facts(error), status_of(type(error)))
    retry_after_s = getattr(error, "retry_after_s", None)
    if retry_after_s is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(retry_after_s)))
    return response


def http_refusal(error: HTTPException, /) -> Response:
    """Builds the answer to a request that Quart refuses by itself, as the native API has it."""
    return _json_response(http_refusal_facts(error), error.code or 500)


def log_error(error: CortexError, /, *, with_traceback: bool = False) -> None:
    """Logs an error that a client is told of; that of a bug always with its traceback.

    Of a refusal only the code, because its message may quote the request.
    """
    status = status_of(type(error))
    level = logging.INFO if status < 500 else logging.ERROR if status == 500 else logging.WARNING
    told = f"{error.code}: {error}" if is_quotable(error) else error.code
    logger.log(level, "%s", told, exc_info=error if with_traceback or status == 500 else None)


def install_error_responses(
    app: Quart, *, log_refusals: bool, refusal_of: Callable[[HTTPException], Response] = http_refusal
) -> None:
    """Makes every error of the app JSON.

    Args:
        app: The app.
        log_refusals: Whether to log the traceback of refused requests too.
        refusal_of: Answers what Quart refuses by itself.
    """

    @app.errorhandler(CortexError)
    async def answer_cortex_error(error: CortexError) -> Response:
        log_error(error, with_traceback=log_refusals)
        return error_response(error)

    @app.errorhandler(HTTPException)
    async def answer_http_exception(error: HTTPException) -> Response:
        response = refusal_of(error)
        response.headers.extend((name, value) for name, value in error.get_headers() if name == "Allow")
        return response


def _details(error: CortexError) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(error).items()
        if not (name.startswith("_") or name in _NOT_DETAILS or value is None or isinstance(value, UnavailableReason))
    }


def _json_response(facts: ErrorFacts, status: int) -> Response:
    body = ErrorBody(error=facts).model_dump_json()
    return Response(body, status=status, content_type="application/json")
