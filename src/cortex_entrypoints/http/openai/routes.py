"""The routes below `/v1` that OpenAI's clients call."""

from quart import Blueprint, Response

from cortex_domain.event_stream import collect
from cortex_entrypoints.cortex import Cortex
from cortex_entrypoints.http.chat_routes import CHAT_ERRORS
from cortex_entrypoints.http.event_responses import encoded_response
from cortex_entrypoints.http.in_flight import InFlight
from cortex_entrypoints.http.json_responses import json_response
from cortex_entrypoints.http.openai.chat_body import ChatCompletionBody
from cortex_entrypoints.http.openai.chat_objects import (
    ChatChunks,
    ChatCompletionChunk,
    ChatCompletionObject,
    completion_object,
)
from cortex_entrypoints.http.openai.completion_body import CompletionBody
from cortex_entrypoints.http.openai.completion_objects import CompletionChunks, CompletionForm, CompletionObject
from cortex_entrypoints.http.openai.error_objects import (
    OPENAI_ERRORS,
    answer_openai_errors,
    error_frame,
)
from cortex_entrypoints.http.openai.response_format import OUTPUT_NAME
from cortex_entrypoints.http.openai.several_prompts import as_one
from cortex_entrypoints.http.operation_notes import OperationNotes, documented
from cortex_entrypoints.http.request_bodies import ChatDefaults
from cortex_entrypoints.http.request_reading import read_body


def openai_routes(cortex: Cortex, defaults: ChatDefaults, in_flight: InFlight, *, log_refusals: bool) -> Blueprint:
    """Builds the routes.

    Args:
        cortex: The use cases.
        defaults: What a chat gets that leaves something open.
        in_flight: Lets work in and ends it when the server stops.
        log_refusals: Whether to log the traceback of refused requests too.
    """
    routes = Blueprint("openai", __name__, url_prefix="/v1")
    answer_openai_errors(routes, log_refusals=log_refusals, names={"output": OUTPUT_NAME})

    @routes.post("/chat/completions")
    @documented(
        OperationNotes(
            tag="openai",
            body=ChatCompletionBody,
            answer=ChatCompletionObject,
            chunks=ChatCompletionChunk,
            errors=CHAT_ERRORS,
            error_form=OPENAI_ERRORS,
        )
    )
    async def create_chat_completion() -> Response:
        """Answers a chat, in one piece or, with `stream`, as it is generated."""
        body = await read_body(ChatCompletionBody)
        generation = cortex.generate_text(body.to_domain(defaults))
        if body.stream:
            chunks = ChatChunks(n=body.n or 1, wants_usage=body.wants_usage, warnings=body.warnings)
            return await encoded_response(generation, in_flight, encode=chunks.encode, encode_error=error_frame)
        async with in_flight.following(generation) as events:
            result = await collect(events)
        return json_response(completion_object(result, tells_tokens=bool(body.logprobs), warnings=body.warnings))

    @routes.post("/completions")
    @documented(
        OperationNotes(
            tag="openai",
            body=CompletionBody,
            answer=CompletionObject,
            chunks=CompletionObject,
            errors=CHAT_ERRORS,
            error_form=OPENAI_ERRORS,
        )
    )
    async def create_completion() -> Response:
        """Continues texts as they stand, in one piece or, with `stream`, as it happens."""
        body = await read_body(CompletionBody)
        generations = [cortex.generate_text(request) for request in body.to_domain(defaults)]
        form = CompletionForm(
            completions=len(generations) * body.returned,
            echoes=bool(body.echo),
            drawn=body.drawn,
            returned=body.returned,
            tells_tokens=body.logprobs is not None,
            wants_usage=body.wants_usage,
            warnings=body.warnings,
        )
        if body.stream:
            encode = CompletionChunks(form).encode
            stream = as_one(generations, n=body.drawn)
            return await encoded_response(stream, in_flight, encode=encode, encode_error=error_frame)
        async with in_flight.following(as_one(generations, n=body.drawn)) as events:
            return json_response(form.whole(await collect(events)))

    return routes
