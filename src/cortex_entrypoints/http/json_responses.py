"""JSON answers."""

from pydantic_core import to_json
from quart import Response


def json_response(value: object, *, status: int = 200) -> Response:
    """Encodes a body, a dataclass or plain values."""
    return Response(to_json(value), status=status, content_type="application/json")
