"""The models below `/v1/models`, a path of two dialects: who sends `anthropic-version` gets Anthropic's shape."""

from typing import Final

from quart import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from cortex_domain.errors import CortexError
from cortex_entrypoints.cortex import Cortex
from cortex_entrypoints.http.anthropic.error_objects import (
    REQUEST_ID,
    AnthropicError,
    anthropic_error_response,
    anthropic_http_refusal,
)
from cortex_entrypoints.http.anthropic.model_objects import (
    ModelInfoObject,
    ModelPageObject,
    model_info_object,
    model_page_object,
)
from cortex_entrypoints.http.anthropic.model_paging import MOST_MODELS, read_paging
from cortex_entrypoints.http.error_forms import ErrorForm
from cortex_entrypoints.http.error_responses import log_error
from cortex_entrypoints.http.json_responses import json_response
from cortex_entrypoints.http.model_names import resolve_model_name
from cortex_entrypoints.http.model_routes import NAMING_ERRORS
from cortex_entrypoints.http.openai.error_objects import (
    OPENAI_ERRORS,
    OpenAiError,
    openai_error_response,
    openai_http_refusal,
)
from cortex_entrypoints.http.openai.model_objects import (
    ModelListObject,
    ModelObject,
    model_list_object,
    model_object,
)
from cortex_entrypoints.http.operation_notes import OperationNotes, documented
from cortex_entrypoints.observation.request_ids import current_request_id

ANTHROPIC_VERSION: Final = "anthropic-version"
_ERRORS: Final = ErrorForm(
    body=OpenAiError | AnthropicError, status_of=OPENAI_ERRORS.status_of, code_of=OPENAI_ERRORS.code_of
)
_VERSION_PARAMETER: Final = {
    "name": ANTHROPIC_VERSION,
    "in": "header",
    "description": "Any version asks for Anthropic's shape; without it the answer has OpenAI's.",
    "schema": {"type": "string"},
}
_PAGING_PARAMETERS: Final = (
    {
        "name": "limit",
        "in": "query",
        "description": "Models on a page; OpenAI's shape has no pages and all models.",
        "schema": {"type": "integer", "minimum": 1, "maximum": MOST_MODELS, "default": 20},
    },
    {"name": "after_id", "in": "query", "description": "The page begins after it.", "schema": {"type": "string"}},
    {"name": "before_id", "in": "query", "description": "The page ends before it.", "schema": {"type": "string"}},
)


def dialect_model_routes(cortex: Cortex, *, log_refusals: bool) -> Blueprint:
    """Builds the routes.

    Args:
        cortex: The use cases.
        log_refusals: Whether to log the traceback of refused requests too.
    """
    routes = Blueprint("dialect_models", __name__, url_prefix="/v1/models")

    @routes.errorhandler(CortexError)
    async def answer_error(error: CortexError) -> Response:
        log_error(error, with_traceback=log_refusals)
        return anthropic_error_response(error) if _asks_anthropic() else openai_error_response(error, names={})

    @routes.errorhandler(HTTPException)
    async def answer_refusal(error: HTTPException) -> Response:
        return anthropic_http_refusal(error) if _asks_anthropic() else openai_http_refusal(error)

    @routes.after_request
    async def name_request(response: Response) -> Response:
        if _asks_anthropic():
            response.headers[REQUEST_ID] = current_request_id() or ""
        return response

    @routes.get("")
    @documented(
        OperationNotes(
            tag="dialects",
            answer=ModelListObject | ModelPageObject,
            parameters=(_VERSION_PARAMETER, *_PAGING_PARAMETERS),
            errors=NAMING_ERRORS,
            error_form=_ERRORS,
        )
    )
    async def list_dialect_models() -> Response:
        """Lists the models that are here."""
        paging = read_paging(request.args)
        models = await cortex.list_models()
        return json_response(model_page_object(models, paging) if _asks_anthropic() else model_list_object(models))

    @routes.get("/<model:model_id>")
    @documented(
        OperationNotes(
            tag="dialects",
            answer=ModelObject | ModelInfoObject,
            parameters=(_VERSION_PARAMETER,),
            errors=NAMING_ERRORS,
            error_form=_ERRORS,
        )
    )
    async def retrieve_dialect_model(model_id: str) -> Response:
        """Describes a model."""
        model = await cortex.describe_model(await resolve_model_name(model_id, cortex.describe_model))
        return json_response(model_info_object(model) if _asks_anthropic() else model_object(model))

    return routes


def _asks_anthropic() -> bool:
    return ANTHROPIC_VERSION in request.headers
