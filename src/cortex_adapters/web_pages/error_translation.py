"""Makes errors of the domain of whatever fails on the way to a page."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from httpcore2 import NetworkError, ProtocolError, TimeoutException
from httpx2 import URL

from cortex_adapters.web_pages.body_reading import BodyTooLargeError, DamagedBodyError, UnknownEncodingError
from cortex_adapters.web_pages.guarded_network import AddressRefusedError, HostNotFoundError
from cortex_adapters.web_pages.html_process import UnreadableHtmlError
from cortex_domain.errors import PageFetchError, WebFailure


@contextmanager
def translated(url: str, /) -> Iterator[None]:
    """Raises a `PageFetchError` for what is raised in the block on behalf of an address."""
    try:
        yield
    except AddressRefusedError as exc:
        message = f"This URL leads to {exc}. Only the public web can be fetched."
        raise PageFetchError(message, url=url, reason=WebFailure.ADDRESS_REFUSED) from exc
    except HostNotFoundError as exc:
        message = f"There is no host {exc}. Check the URL."
        raise PageFetchError(message, url=url, reason=WebFailure.HOST_NOT_FOUND) from exc
    except (TimeoutError, TimeoutException) as exc:
        raise PageFetchError("The server takes too long.", url=url, reason=WebFailure.TIMEOUT) from exc
    except (NetworkError, ssl.SSLError) as exc:
        message = f"The server cannot be reached: {exc}" if str(exc) else "The server breaks off the connection."
        raise PageFetchError(message, url=url, reason=WebFailure.UNREACHABLE) from exc
    except ProtocolError as exc:
        raise PageFetchError("The server does not speak HTTP/1.1.", url=url, reason=WebFailure.BAD_ANSWER) from exc
    except BodyTooLargeError as exc:
        raise PageFetchError("The page is too large.", url=url, reason=WebFailure.TOO_LARGE) from exc
    except DamagedBodyError as exc:
        raise PageFetchError("The page is packed, and damaged.", url=url, reason=WebFailure.BAD_ANSWER) from exc
    except UnknownEncodingError as exc:
        message = f"The page is packed as {str(exc)!r}, which was not asked for."
        raise PageFetchError(message, url=url, reason=WebFailure.BAD_ANSWER) from exc
    except UnreadableHtmlError as exc:
        message = f"The page cannot be read: {exc}."
        raise PageFetchError(message, url=url, reason=WebFailure.UNSUPPORTED_CONTENT) from exc


def failed(
    message: str, url: URL, reason: WebFailure, *, status: int | None = None, retry_after_s: float | None = None
) -> PageFetchError:
    """Builds the error of an address that was parsed."""
    return PageFetchError(message, url=str(url), reason=reason, status=status, retry_after_s=retry_after_s)
