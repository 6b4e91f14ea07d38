"""The routes below `/v1/messages` that Anthropic's clients call.

They send a key as `x-api-key` or as a bearer token, a version and names of betas; nobody is authenticated here, and
every version is answered alike.
"""

from quart import Blueprint, Response
from werkzeug.exceptions import HTTPException

from cortex_domain.errors import CortexError
from cortex_domain.event_stream import collect
from cortex_entrypoints.cortex import Cortex
from cortex_entrypoints.http.anthropic.error_objects import (
    ANTHROPIC_ERRORS,
    REQUEST_ID,
    anthropic_error_response,
    anthropic_http_refusal,
    error_frame,
)
from cortex_entrypoints.http.anthropic.message_body import CountTokensBody, CreateMessageBody
from cortex_entrypoints.http.anthropic.message_events import MessageFrames, MessageStreamEvent
from cortex_entrypoints.http.anthropic.message_objects import AnswerOptions, MessageObject, TokenCount, message_object
from cortex_entrypoints.http.anthropic.thinking import count_if_it_must_think, thinking_if_able, thinking_if_it_must
from cortex_entrypoints.http.chat_routes import CHAT_ERRORS
from cortex_entrypoints.http.edge_errors import ThreadUnsupportedError
from cortex_entrypoints.http.error_responses import log_error
from cortex_entrypoints.http.event_responses import encoded_response
from cortex_entrypoints.http.in_flight import InFlight
from cortex_entrypoints.http.json_responses import json_response
from cortex_entrypoints.http.operation_notes import OperationNotes, documented
from cortex_entrypoints.http.request_bodies import ChatDefaults
from cortex_entrypoints.http.request_reading import read_body
from cortex_entrypoints.observation.request_ids import current_request_id


def anthropic_routes(cortex: Cortex, defaults: ChatDefaults, in_flight: InFlight, *, log_refusals: bool) -> Blueprint:
    """Builds the routes.

    Args:
        cortex: The use cases.
        defaults: What a chat gets that leaves something open.
        in_flight: Lets work in and ends it when the server stops.
        log_refusals: Whether to log the traceback of refused requests too.
    """
    routes = Blueprint("anthropic", __name__, url_prefix="/v1/messages")

    @routes.errorhandler(CortexError)
    async def answer_error(error: CortexError) -> Response:
        log_error(error, with_traceback=log_refusals)
        return anthropic_error_response(error)

    @routes.errorhandler(HTTPException)
    async def answer_refusal(error: HTTPException) -> Response:
        return anthropic_http_refusal(error)

    @routes.after_request
    async def name_request(response: Response) -> Response:
        response.headers[REQUEST_ID] = current_request_id() or ""
        return response

    @routes.post("")
    @documented(
        OperationNotes(
            tag="anthropic",
            body=CreateMessageBody,
            answer=MessageObject,
            answer_events=MessageStreamEvent,
            errors=(*CHAT_ERRORS, ThreadUnsupportedError),
            error_form=ANTHROPIC_ERRORS,
        )
    )
    async def create_message() -> Response:
        """Answers a chat, in one piece or, with `stream`, as it is generated."""
        body = await read_body(CreateMessageBody)
        asked, warnings = await thinking_if_able(body.to_domain(defaults), cortex.describe_model.while_loaded)
        generation = thinking_if_it_must(asked, cortex.generate_text, is_refused=body.thinking is not None)
        options = AnswerOptions(
            max_tokens=body.max_tokens, shows_thinking=body.shows_thinking, warnings=(*warnings, *body.warnings)
        )
        if body.stream:
            frames = MessageFrames(options)
            return await encoded_response(generation, in_flight, encode=frames.encode, encode_error=error_frame)
        async with in_flight.following(generation) as events:
            return json_response(message_object(await collect(events), options))

    @routes.post("/count_tokens")
    @documented(
        OperationNotes(
            tag="anthropic",
            body=CountTokensBody,
            answer=TokenCount,
            errors=CHAT_ERRORS,
            error_form=ANTHROPIC_ERRORS,
        )
    )
    async def count_message_tokens() -> Response:
        """Tells how many tokens a chat's prompt has, without answering it; a model is loaded for it."""
        body = await read_body(CountTokensBody)
        asked, _ = await thinking_if_able(body.to_domain(defaults), cortex.describe_model.while_loaded)
        async with in_flight.work():
            count = await count_if_it_must_think(asked, cortex.count_prompt, is_refused=body.thinking is not None)
        return json_response(TokenCount(input_tokens=count))

    return routes
