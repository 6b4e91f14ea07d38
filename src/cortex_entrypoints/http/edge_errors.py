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
