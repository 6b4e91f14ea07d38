"""Makes hits of what a search service answered."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from cortex_domain.legible_text import legible
from cortex_domain.web_content import SearchHit

MAX_TITLE_CHARACTERS: Final = 300
MAX_SNIPPET_CHARACTERS: Final = 2000
MAX_URL_CHARACTERS: Final = 2000

_CUT = "…"


def usable_hits(hits: Iterable[SearchHit], /, *, count: int) -> Sequence[SearchHit]:
    """Keeps what can be read and followed: the first hits of different addresses on the web, each text in one line.

    Args:
        hits: In the service's order, with plain text. A hit without a title takes its address for one; texts that are
            too long are cut.
        count: How many are kept at most.
    """
    by_url: dict[str, SearchHit] = {}
    for hit in hits:
        if _leads_to_a_page(hit.url):
            by_url.setdefault(hit.url, _in_lines(hit))
    return tuple(islice(by_url.values(), count))


def _leads_to_a_page(url: str) -> bool:
    scheme, _, rest = url.partition("://")
    has_host = bool(rest) and rest[0] not in "/?#"
    is_one_word = url.isprintable() and " " not in url
    return scheme.lower() in ("http", "https") and has_host and is_one_word and len(url) <= MAX_URL_CHARACTERS


def _in_lines(hit: SearchHit) -> SearchHit:
    title = _one_line(hit.title, MAX_TITLE_CHARACTERS) or hit.url
    return replace(hit, title=title, snippet=_one_line(hit.snippet, MAX_SNIPPET_CHARACTERS))


def _one_line(text: str, limit: int) -> str:
    line = legible(" ".join(text.split()))
    return line if len(line) <= limit else line[: limit - 1].rstrip() + _CUT
