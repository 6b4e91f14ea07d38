"""What the HTTP server itself refuses, before a use case is asked."""

from cortex_domain.errors import RequestRefusedError


class MalformedJsonError(RequestRefusedError):
    """The text is not JSON as RFC 8259 has it, or not such that everybody reads the same in it."""

    code = "malformed_json"


class UnsupportedMediaTypeError(RequestRefusedError):
    """The body is not declared to be JSON."""

    code = "unsupported_media_type"


class HostNotAllowedError(RequestRefusedError):
    """The request was meant for a host name that is not this server's."""

    code = "host_not_allowed"


class OriginNotAllowedError(RequestRefusedError):
    """A page of another web origin sent the request."""

    code = "origin_not_allowed"


class ThreadUnsupportedError(RequestRefusedError):
    """A request wants the server to keep its chat. Anthropic's clients know the code, and send all of the chat then.

    Attributes:
        parameter: The parameter that asks for it.
        unsupported: Names what is not supported.
    """

    code = "thread_unsupported_request"

    def __init__(self) -> None:
        super().__init__("thread: Chats are not kept here. Send the whole chat, without thread.")
        self.parameter = "thread"
        self.unsupported = ("thread",)


class DuplicateRequestIdError(RequestRefusedError):
    """A chat of this id is still running on the connection.

    Attributes:
        request_id: The id.
    """

    code = "duplicate_request_id"

    def __init__(self, *, request_id: str) -> None:
        super().__init__(f"A chat with the request_id {request_id!r} is still running. Choose another request_id.")
        self.request_id = request_id


class UnknownRequestIdError(RequestRefusedError):
    """No chat of this id is running on the connection.

    Attributes:
        request_id: The id.
    """

    code = "unknown_request_id"

    def __init__(self, *, request_id: str) -> None:
        super().__init__(f"No chat with the request_id {request_id!r} is running. It may have ended already.")
        self.request_id = request_id


class TooManyChatsError(RequestRefusedError):
    """The connection runs as many chats as it may.

    Attributes:
        limit: How many that is.
    """

    code = "too_many_chats"

    def __init__(self, *, limit: int) -> None:
        super().__init__(f"{limit} chats are running on this connection. Wait for one to end, or cancel one.")
        self.limit = limit


class UnknownEventError(RequestRefusedError):
    """A reader names an event as its last one that the generation has not emitted yet.

    Attributes:
        last_event_id: The event that it names.
        events: How many there are; the first is 0.
    """

    code = "unknown_event"

    def __init__(self, *, last_event_id: int, events: int) -> None:
        super().__init__(f"There is no event {last_event_id} yet: the generation has emitted {events}, from 0 on.")
        self.last_event_id = last_event_id
        self.events = events


class EventsNoLongerKeptError(RequestRefusedError):
    """A reader asks for events of a long answer that had to make room.

    Attributes:
        first_event_id: The oldest event that is still there.
    """

    code = "events_no_longer_kept"

    def __init__(self, *, first_event_id: int) -> None:
        super().__init__(f"Events before {first_event_id} are no longer kept. Ask for those after a later one.")
        self.first_event_id = first_event_id


class NothingFollowsError(RequestRefusedError):
    """A client wants to read a generation on of which it has had the last event.

    Attributes:
        last_event_id: That event.
    """

    code = "nothing_follows"

    def __init__(self, *, last_event_id: int) -> None:
        super().__init__(f"The generation ended with event {last_event_id}; nothing follows it.")
        self.last_event_id = last_event_id


class PreviousResponseNotFoundError(RequestRefusedError):
    """The response that a client wants to go on from is not stored, or one before it is not.

    Attributes:
        parameter: The parameter that names it.
        response_id: The one that is missing.
    """

    code = "previous_response_not_found"

    def __init__(self, *, response_id: str) -> None:
        super().__init__(
            f"There is no stored response {response_id!r} to go on from, or no longer: how many are kept is bounded. "
            "Send the conversation itself."
        )
        self.parameter = "previous_response_id"
        self.response_id = response_id


class ResponseNotInBackgroundError(RequestRefusedError):
    """A client wants to cancel a response, or read its stream again, that was not asked for in the background.

    Attributes:
        response_id: The response.
    """

    code = "response_not_in_background"

    def __init__(self, *, response_id: str) -> None:
        super().__init__(
            f"The response {response_id!r} was not asked for with background, so that it can neither be cancelled nor "
            "streamed again. To cancel one that is streamed, close the connection."
        )
        self.response_id = response_id
