"""The OpenAPI description, made from the routes and the notes beside them."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, get_args

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode
from pydantic_core.core_schema import DataclassField, ModelField, TypedDictField
from quart_schema import Info, OpenAPIProvider
from werkzeug.routing import BaseConverter, Rule

from cortex_domain.errors import CortexError
from cortex_domain.language_models import MODEL_ID_PATTERN
from cortex_entrypoints.http.docstring_fields import move_fields_to_properties
from cortex_entrypoints.http.edge_errors import (
    HostNotAllowedError,
    MalformedJsonError,
    OriginNotAllowedError,
    UnsupportedMediaTypeError,
)
from cortex_entrypoints.http.error_responses import HTTP_REFUSALS
from cortex_entrypoints.http.event_encoding import StreamEvent
from cortex_entrypoints.http.operation_notes import OperationNotes, notes_of
from cortex_entrypoints.http.response_bodies import ErrorEvent
from cortex_entrypoints.http.strict_body import Body

API_INFO: Final = Info(
    title="Cortex",
    version="1",
    summary="Chat with language models that run on this machine.",
    description="""\
Every error is `{"error": {"code", "message", "reason"?, "param"?, "details"?}}`; the message says what to do, `code`
never changes its meaning, `details` holds facts for programs. 400 means that a request breaks a rule of the API, 422
that it keeps them all and this model still cannot serve it, 503 that the same request may succeed later. A server that
takes nothing more for now says why in `reason`: `queue_full`, `memory_pressure`, or `draining` when it is stopping.

A request is served if its Host is this server's own name or in ALLOWED_HOSTS, and its Origin, if it has one, this
server's own or in ALLOWED_ORIGINS.

A stream that was cut goes on at `GET /api/generations/{generation_id}/events`. Who knows a generation_id may read and
cancel the generation; ids are random and cannot be guessed.

Besides the paths below there is a WebSocket at `/api/chat/ws` for several chats over one connection. A client sends
`{"type": "chat", "request_id"?, …}` with the fields of `POST /api/chat/completions`,
`{"type": "resume", "generation_id", "last_sequence"?, "request_id"?}`, `{"type": "cancel", "request_id"}` or
`{"type": "ping"}`, and gets the events of the chat stream, each with its `request_id` and a `sequence` number. The
whole protocol: [docs/websocket.md](/docs/websocket.md).
""",
)

_REF_TEMPLATE: Final = "#/components/schemas/{model}"
_COMMON_ERRORS: Final = (OriginNotAllowedError, HostNotAllowedError)
_BODY_ERRORS: Final = (MalformedJsonError, UnsupportedMediaTypeError)
_BODY_REFUSALS: Final = (408, 413)
_RETRY_STATUSES: Final = {502, 503, 507, 529}
_PATH_PARAMETERS: Final[Mapping[str, dict[str, Any]]] = {
    "model_id": {
        "description": "Id or alias of a model. The `/` of an id may be plain, percent-encoded, or written `__`.",
        "schema": {"type": "string", "pattern": MODEL_ID_PATTERN},
        "example": "HuggingFaceTB__SmolLM2-135M-Instruct",
    },
    "agent_name": {
        "description": "Name of an agent.",
        "schema": {"type": "string", "pattern": "^[^/]+$"},
        "example": "assistant",
    },
    "run_id": {
        "description": "Id of an agent run.",
        "schema": {"type": "string", "pattern": "^[^/]+$"},
        "example": "run_9f1c5a3e7b2d4c6f8a0b1c2d3e4f5a6b",
    },
    "call_id": {
        "description": "Id of a call that waits for a decision.",
        "schema": {"type": "string", "pattern": "^[^/]+$"},
        "example": "call_9f1c5a3e7b2d4c6f8a0b1c2d3e4f5a6b",
    },
    "tool_name": {
        "description": "Name of a tool.",
        "schema": {"type": "string", "pattern": "^[^/]+$"},
        "example": "read_file",
    },
    "response_id": {
        "description": "Id of a response.",
        "schema": {"type": "string", "pattern": "^resp_[^/]+$"},
        "example": "resp_9f1c5a3e7b2d4c6f8a0b1c2d3e4f5a6b",
    },
    "generation_id": {
        "description": "Id of a generation, as its first event tells it.",
        "schema": {"type": "string", "pattern": "^[^/]+$"},
        "example": "gen_9f1c5a3e7b2d4c6f8a0b1c2d3e4f5a6b",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Schemas:
    """JSON schemas of every type that the API takes or gives.

    Attributes:
        refs: How to point to a type's schema.
        components: The schemas, by name.
    """

    refs: Mapping[Any, dict[str, Any]]
    components: Mapping[str, Any]


class ApiDescription(OpenAPIProvider):
    """Describes the routes that have notes."""

    def schema(self) -> dict[str, Any]:
        """Builds the description."""
        description = super().schema()
        description["components"]["schemas"] = self._schemas.components
        plain: dict[str, Any] = json.loads(json.dumps(description, sort_keys=True))
        return plain

    def generate_rules(self) -> Iterable[Rule]:
        """Lists the rules to describe, by path."""
        rules = (rule for rule in self._app.url_map.iter_rules() if notes_of(self._handler(rule)) is not None)
        return sorted(rules, key=lambda rule: rule.rule)

    def build_paths(self, rule: Rule) -> tuple[dict[str, Any], dict[str, Any]]:
        """Describes one rule."""
        paths, _ = super().build_paths(rule)
        notes = self._notes(rule)
        for operations in paths.values():
            for operation in operations.values():
                operation["parameters"] = [*operation.get("parameters", ()), *notes.parameters]
                operation.update(self._operation(notes))
        return paths, {}

    def build_path_parameter(self, name: str, converter: BaseConverter) -> dict[str, Any]:
        """Describes a parameter of a path."""
        return {**super().build_path_parameter(name, converter), **_PATH_PARAMETERS[name]}

    def operation_id(self, method: str, path: str, func: Callable[..., Any]) -> str:  # noqa: ARG002
        """Names an operation as its handler."""
        return func.__name__

    def _handler(self, rule: Rule) -> Callable[..., Any]:
        handler: Callable[..., Any] = self._app.view_functions[rule.endpoint]
        return handler

    def _notes(self, rule: Rule) -> OperationNotes:
        notes = notes_of(self._handler(rule))
        assert notes is not None
        return notes

    def _operation(self, notes: OperationNotes) -> dict[str, Any]:
        operation: dict[str, Any] = {"tags": [notes.tag], "responses": dict(self._responses(notes))}
        if notes.body is not None:
            body = {"application/json": {"schema": self._ref(notes.body)}}
            operation["requestBody"] = {"required": notes.is_body_required, "content": body}
        return operation

    def _responses(self, notes: OperationNotes) -> Iterator[tuple[str, dict[str, Any]]]:
        yield str(notes.status), self._success(notes)
        if notes.may_be_empty:
            yield "204", {"description": "Nothing follows."}
        for status, codes in sorted(_codes_by_status(notes).items()):
            yield str(status), self._failure(status, codes, notes)

    def _success(self, notes: OperationNotes) -> dict[str, Any]:
        if notes.events is not None:
            return self._event_stream(notes)
        if notes.answer is None:
            return {"description": "Done."}
        content = {"application/json": {"schema": self._ref(notes.answer)}}
        if notes.chunks is not None:
            content["text/event-stream"] = {"schema": self._chunk_stream(notes.chunks)}
        if notes.answer_events is not None:
            content["text/event-stream"] = {"schema": self._named_stream(notes.answer_events)}
        return {"description": "The answer.", "content": content}

    def _failure(self, status: int, codes: list[str], notes: OperationNotes) -> dict[str, Any]:
        schema = self._ref(notes.error_form.body)
        if status == 503 and notes.unhealthy:
            schema = {"anyOf": [self._ref(notes.answer), schema]}
        response: dict[str, Any] = {
            "description": ", ".join(f"`{code}`" for code in codes),
            "content": {"application/json": {"schema": schema}},
        }
        if status in _RETRY_STATUSES:
            response["headers"] = {
                "Retry-After": {"description": "Seconds after which to ask again.", "schema": {"type": "integer"}}
            }
        return response

    def _event_stream(self, notes: OperationNotes) -> dict[str, Any]:
        kinds = (*get_args(notes.events), ErrorEvent)
        frame = {
            "type": "object",
            "description": f"One frame. The last one is exactly one `{notes.last_event}`, or one `error`.",
            "required": ["event", "id", "data"],
            "properties": {
                "event": {"type": "string", "enum": _names(kinds)},
                "id": {"type": "string", "pattern": "^(0|[1-9][0-9]*)$", "description": "Counts the frames, from 0."},
                "data": {
                    "type": "string",
                    "description": "One line of JSON, which has the type too.",
                    "contentMediaType": "application/json",
                    "contentSchema": {"oneOf": [self._ref(kind) for kind in kinds]},
                },
            },
        }
        return {"description": "Server-sent events.", "content": {"text/event-stream": {"schema": frame}}}

    def _chunk_stream(self, chunks: object) -> dict[str, Any]:
        chunk = {
            "type": "string",
            "description": "One line of JSON: a chunk, or an error, which is the last.",
            "contentMediaType": "application/json",
            "contentSchema": self._ref(chunks),
        }
        data = {"anyOf": [{"const": "[DONE]", "description": "Comes after a whole answer."}, chunk]}
        return {"type": "object", "description": "One frame.", "required": ["data"], "properties": {"data": data}}

    def _named_stream(self, events: object) -> dict[str, Any]:
        data = {
            "type": "string",
            "description": "One line of JSON, which has the type too.",
            "contentMediaType": "application/json",
            "contentSchema": {"oneOf": [self._ref(kind) for kind in get_args(events)]},
        }
        properties = {"event": {"type": "string", "description": "The type of the event."}, "data": data}
        return {"type": "object", "description": "One frame.", "required": ["event", "data"], "properties": properties}

    def _ref(self, type_: object) -> dict[str, Any]:
        return self._schemas.refs[type_]

    @cached_property
    def _schemas(self) -> _Schemas:
        types = dict.fromkeys(type_ for rule in self.generate_rules() for type_ in _types_of(self._notes(rule)))
        refs, definitions = TypeAdapter.json_schemas(
            [(type_, _mode_of(type_), TypeAdapter(type_)) for type_ in types],
            ref_template=_REF_TEMPLATE,
            schema_generator=_SchemaGenerator,
        )
        return _Schemas(
            refs={type_: schema for (type_, _), schema in refs.items()},
            components={name: move_fields_to_properties(schema) for name, schema in definitions["$defs"].items()},
        )


class _SchemaGenerator(GenerateJsonSchema):
    """Knows that an answer has all its fields, those with a default too, but for those that are left out when null."""

    def field_is_required(self, field: ModelField | DataclassField | TypedDictField, total: bool) -> bool:
        if field["type"] == "typed-dict-field":
            return bool(field.get("required", total))
        is_left_out = field.get("serialization_exclude_if") is not None
        return super().field_is_required(field, total) or (self.mode == "serialization" and not is_left_out)


def _types_of(notes: OperationNotes) -> Iterator[Any]:
    types = (notes.body, notes.answer, notes.chunks, notes.error_form.body)
    yield from (type_ for type_ in types if type_ is not None)
    if notes.events is not None:
        yield from (*get_args(notes.events), ErrorEvent)
    yield from get_args(notes.answer_events)


def _mode_of(type_: object) -> JsonSchemaMode:
    return "validation" if isinstance(type_, type) and issubclass(type_, Body) else "serialization"


def _names(kinds: Iterable[type[StreamEvent]]) -> list[str]:
    """Lists each name once, though a `done` may look one way or another."""
    return list(dict.fromkeys(map(_event_name, kinds)))


def _event_name(kind: type[StreamEvent]) -> str:
    fields = kind.model_fields if issubclass(kind, BaseModel) else kind.__dataclass_fields__
    return str(fields["type"].default)


def _codes_by_status(notes: OperationNotes) -> dict[int, list[str]]:
    form = notes.error_form
    codes: dict[int, list[str]] = {500: ["internal_error"]}
    errors: list[type[CortexError]] = [*_COMMON_ERRORS, *notes.errors]
    if notes.body is not None:
        errors += _BODY_ERRORS
        codes |= {status: [HTTP_REFUSALS[status][0]] for status in _BODY_REFUSALS}
    for error in errors:
        codes.setdefault(form.status_of(error), []).append(form.code_of(error.code))
    return codes
