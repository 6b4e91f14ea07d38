"""What is refused below `/v1` before a route is found, in the form of the dialect that was meant."""

from collections.abc import Callable

from quart import Response, has_request_context, request
from werkzeug.exceptions import HTTPException

from cortex_entrypoints.http.anthropic.error_objects import anthropic_http_refusal
from cortex_entrypoints.http.dialect_model_routes import ANTHROPIC_VERSION
from cortex_entrypoints.http.error_responses import http_refusal
from cortex_entrypoints.http.openai.error_objects import openai_http_refusal


def refusal_in_dialect(error: HTTPException, /) -> Response:
    """Builds the answer to a request that Quart refuses by itself."""
    return _form()(error)


def _form() -> Callable[[HTTPException], Response]:
    if not (has_request_context() and request.path.startswith("/v1/")):
        return http_refusal
    is_anthropic = request.path.startswith("/v1/messages") or ANTHROPIC_VERSION in request.headers
    return anthropic_http_refusal if is_anthropic else openai_http_refusal
