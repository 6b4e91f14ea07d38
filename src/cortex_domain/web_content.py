"""What the web says: hits of a search, and pages. Strangers wrote all of it."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from cortex_domain.errors import InvalidRequestError
from cortex_domain.legible_text import is_legible

MAX_QUERY_CHARACTERS: Final = 400
"""What Brave takes, the least of the search services that are spoken to."""

MAX_HITS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """What the web is searched for.

    Attributes:
        text: The words; one line of 1 to 400 characters that are not all blank, and none that nobody sees.
        count: How many hits are wanted at most; 1 to 20.
    """

    text: str
    count: int = 5

    def __post_init__(self) -> None:
        is_one_line = is_legible(self.text) and "\n" not in self.text
        if not (self.text.strip() and is_one_line and len(self.text) <= MAX_QUERY_CHARACTERS):
            raise InvalidRequestError(
                f"Search for one line of 1 to {MAX_QUERY_CHARACTERS} characters that are not all blank.",
                parameter="query",
            )
        if not 1 <= self.count <= MAX_HITS:
            raise InvalidRequestError(f"Ask for 1 to {MAX_HITS} hits.", parameter="count")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    """A page that a search found.

    Attributes:
        title: Its title, as plain text in one line; not empty.
        url: Its address, absolute, http or https.
        snippet: What it says about the query, as plain text; may be empty.
        published: Day on which it was published or last changed; None when the service does not tell.
    """

    title: str
    url: str
    snippet: str = ""
    published: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedPage:
    """A page of the web, to be read.

    Attributes:
        url: The address that was asked for.
        final_url: The address that answered, after redirects.
        title: What the page calls itself; None when it does not.
        text: All that it says: Markdown when `media_type` is that of HTML, otherwise the text as it was sent.
        media_type: What was sent, for example `text/html`, without parameters.
    """

    url: str
    final_url: str
    title: str | None = None
    text: str
    media_type: str
