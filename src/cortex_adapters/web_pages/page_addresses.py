"""Takes the address of a page apart, once, for all that follows."""

from typing import Final

from httpx2 import URL, InvalidURL

from cortex_domain.errors import PageFetchError, WebFailure

MAX_URL_CHARACTERS: Final = 2000

_SCHEMES = ("http", "https")


def parse_page_url(url: str, /) -> URL:
    """Reads an address that somebody wrote.

    Returns:
        It, with a host and without a fragment.

    Raises:
        PageFetchError: It cannot be the address of a page.
    """
    if not url or len(url) > MAX_URL_CHARACTERS or not url.isprintable() or any(sign in url for sign in " \\"):
        raise _invalid(url, f"A URL is 1 to {MAX_URL_CHARACTERS} characters without spaces and backslashes.")
    try:
        parsed = URL(url)
    except InvalidURL as exc:
        raise _invalid(url, f"This is no URL: {exc}") from exc
    return _checked(parsed, url)


def redirected(page: URL, location: str, /) -> URL:
    """Reads where a page redirects to.

    Raises:
        PageFetchError: It cannot be the address of a page.
    """
    if not location.isprintable() or "\\" in location:
        raise _invalid(location, "The page redirects to what is no URL.")
    try:
        target = page.join(location)
    except InvalidURL as exc:
        raise _invalid(location, f"The page redirects to what is no URL: {exc}") from exc
    return parse_page_url(str(target))


def _checked(parsed: URL, url: str) -> URL:
    if parsed.scheme not in _SCHEMES:
        raise _invalid(url, "Only pages of http:// and https:// can be fetched.")
    if parsed.userinfo:
        raise _invalid(url, "A URL must not hold a user name or a password.")
    host = parsed.host.rstrip(".")
    if not host or "%" in host:
        raise _invalid(url, "The URL names no host.")
    return parsed.copy_with(host=host, fragment=None)


def _invalid(url: str, message: str) -> PageFetchError:
    return PageFetchError(message, url=url, reason=WebFailure.INVALID_URL)
