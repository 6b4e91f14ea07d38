"""What `openapi.py` cannot see in a route: its bodies, its stream and its errors, noted beside the handler."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel

from cortex_domain.errors import CortexError
from cortex_entrypoints.http.error_forms import NATIVE_ERRORS, ErrorForm

HandlerT = TypeVar("HandlerT", bound=Callable[..., Any])

_ATTRIBUTE = "cortex_operation_notes"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationNotes:
    """Notes on one operation.

    Attributes:
        tag: Group that it is listed in.
        body: Body that it reads; None reads none.
        is_body_required: Whether it has to be there.
        answer: Type of its JSON answer; None has none.
        status: Status of a success.
        events: Union of the events that it streams; None streams none.
        last_event: What the last one is called, unless the stream fails.
        chunks: Type of what it streams instead of its answer when the body asks for that; None never does.
        answer_events: Union of the named events that it streams instead of its answer when the body asks for that; None
            never does.
        parameters: Headers and query parameters that it reads, as OpenAPI describes them.
        may_be_empty: Whether it also answers with 204 and nothing.
        unhealthy: Whether it also answers with the same type and status 503.
        errors: What it can raise, besides what every operation can.
        error_form: How it tells them.
    """

    tag: str
    body: type[BaseModel] | None = None
    is_body_required: bool = True
    answer: Any = None
    status: int = 200
    events: Any = None
    last_event: str = "done"
    chunks: Any = None
    answer_events: Any = None
    parameters: tuple[Mapping[str, Any], ...] = ()
    may_be_empty: bool = False
    unhealthy: bool = False
    errors: tuple[type[CortexError], ...] = ()
    error_form: ErrorForm = NATIVE_ERRORS


def documented(notes: OperationNotes, /) -> Callable[[HandlerT], HandlerT]:
    """Decorates a handler with notes."""

    def decorate(handler: HandlerT) -> HandlerT:
        setattr(handler, _ATTRIBUTE, notes)
        return handler

    return decorate


def notes_of(handler: Callable[..., Any], /) -> OperationNotes | None:
    """Returns a handler's notes, or None for one that is not part of the API."""
    return getattr(handler, _ATTRIBUTE, None)
