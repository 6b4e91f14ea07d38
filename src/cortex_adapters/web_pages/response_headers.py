"""Reads the headers of a response that matter here; one that makes no sense counts as absent."""

from httpcore2 import Response


def header(response: Response, name: bytes, /) -> str:
    """Returns a header's value, several of the same name joined by commas; empty when there is none."""
    return ", ".join(value.decode("latin-1") for key, value in response.headers if key.lower() == name)


def media_type_of(content_type: str, /) -> str:
    """Returns the media type without parameters, in lower case; empty when there is none."""
    return content_type.partition(";")[0].strip().lower()


def content_length(response: Response, /) -> int:
    """Returns how many bytes are announced; 0 when that is not told."""
    stated = header(response, b"content-length")
    return int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 20 else 0


def retry_after_s(response: Response, /) -> float | None:
    """Returns after how many seconds the server wants to be asked again; None when it tells none."""
    stated = header(response, b"retry-after")
    return float(stated) if stated.isascii() and stated.isdigit() and len(stated) < 10 else None
