"""The routes below `/v1/responses`."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Literal

from quart import Blueprint, Response
from typing_extensions import TypedDict

from cortex_domain.errors import ResponseItemNotFoundError
from cortex_domain.events import GenerationEvent
from cortex_entrypoints.cortex import Cortex
from cortex_entrypoints.http.chat_routes import CHAT_ERRORS
from cortex_entrypoints.http.edge_errors import PreviousResponseNotFoundError
from cortex_entrypoints.http.event_responses import encoded_response
from cortex_entrypoints.http.in_flight import InFlight
from cortex_entrypoints.http.json_responses import json_response
from cortex_entrypoints.http.openai.error_objects import OPENAI_ERRORS, answer_openai_errors
from cortex_entrypoints.http.openai.responses.background import BackgroundResponse, BackgroundResponses
from cortex_entrypoints.http.openai.responses.body import ResponseBody
from cortex_entrypoints.http.openai.responses.conversation import Conversation, conversation_of, stored_response
from cortex_entrypoints.http.openai.responses.kept_routes import add_kept_routes
from cortex_entrypoints.http.openai.responses.prompt_body import CountTokensBody
from cortex_entrypoints.http.openai.responses.response_object import ResponseObject
from cortex_entrypoints.http.openai.responses.response_stream import ResponseStream
from cortex_entrypoints.http.openai.responses.stream_events import ResponseStreamEvent
from cortex_entrypoints.http.operation_notes import OperationNotes, documented
from cortex_entrypoints.http.request_bodies import ChatDefaults
from cortex_entrypoints.http.request_reading import read_body
from cortex_entrypoints.http.stream_ending import until_last

_NAMES = {
    "logprobs": "top_logprobs",
    "max_tokens": "max_output_tokens",
    "messages": "input",
    "output": "text.format",
    "owner": "user",
    "reasoning_effort": "reasoning.effort",
}
_ERRORS = (*CHAT_ERRORS, PreviousResponseNotFoundError, ResponseItemNotFoundError)


class InputTokens(TypedDict):
    """How long a prompt is."""

    object: Literal["response.input_tokens"]
    input_tokens: int


def response_routes(cortex: Cortex, defaults: ChatDefaults, in_flight: InFlight, *, log_refusals: bool) -> Blueprint:
    """Builds the routes.

    Args:
        cortex: The use cases.
        defaults: What a request gets that leaves something open.
        in_flight: Lets work in and ends it when the server stops.
        log_refusals: Whether to log the traceback of refused requests too.
    """
    routes = Blueprint("responses", __name__, url_prefix="/v1/responses")
    answer_openai_errors(routes, log_refusals=log_refusals, names=_NAMES)
    background = BackgroundResponses(in_flight)
    add_kept_routes(routes, cortex.response_store, background)

    async def keep(stream: ResponseStream, conversation: Conversation, events: bytes = b"") -> None:
        if stream.response["store"]:
            await cortex.response_store.put(stored_response(stream.response, conversation, events=events))

    @routes.post("")
    @documented(
        OperationNotes(
            tag="openai",
            body=ResponseBody,
            answer=ResponseObject,
            answer_events=ResponseStreamEvent,
            errors=_ERRORS,
            error_form=OPENAI_ERRORS,
        )
    )
    async def create_response() -> Response:
        """Answers, in one piece or, with `stream`, as it is generated.

        With `background` the answer is the response as it begins.
        """
        body = await read_body(ResponseBody)
        conversation = await conversation_of(body, cortex.response_store)
        request = body.to_domain(defaults, conversation.messages, owner=conversation.owner)
        stream = ResponseStream(body, request, now_s=cortex.clock.now_s)
        generation = cortex.generate_text(request)
        if body.background:
            running = BackgroundResponse(stream, owner=conversation.owner, keep=partial(keep, stream, conversation))
            await background.begin(running, generation)
            return background.follow(running) if body.stream else json_response(stream.response)
        if body.stream:
            return await encoded_response(
                generation,
                in_flight,
                encode=stream.encode,
                encode_error=stream.encode_error,
                before_last=partial(keep, stream, conversation),
            )
        async with in_flight.following(generation) as events:
            await _read(events, stream)
            await keep(stream, conversation)
        return json_response(stream.response)

    @routes.post("/input_tokens")
    @documented(
        OperationNotes(tag="openai", body=CountTokensBody, answer=InputTokens, errors=_ERRORS, error_form=OPENAI_ERRORS)
    )
    async def count_input_tokens() -> Response:
        """Tells how many tokens a response's prompt would have, without answering it; a model is loaded for it."""
        body = await read_body(CountTokensBody)
        conversation = await conversation_of(body, cortex.response_store)
        request = body.prompt_request(defaults, conversation.messages, owner=conversation.owner)
        async with in_flight.work():
            tokens = await cortex.count_prompt(request)
        return json_response(InputTokens(object="response.input_tokens", input_tokens=tokens))

    return routes


async def _read(events: AsyncIterator[GenerationEvent], stream: ResponseStream) -> None:
    async for event in until_last(events):
        for _ in stream.take(event):
            pass
