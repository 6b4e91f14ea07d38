"""Reads results out of JSON that a service answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from cortex_domain.web_content import SearchHit

_ISO_DAY: Final = len("2026-11-24")


class NotResultsError(Exception):
    """What there is are no results."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFields:
    """What a service calls the parts of a result.

    Attributes:
        title: The title.
        url: The address.
        snippets: What may hold the snippet; the first that says something does.
        published: When it was published or changed, in the form of ISO 8601.
    """

    title: str = "title"
    url: str = "url"
    snippets: tuple[str, ...]
    published: str


def read_results(results: object, fields: ResultFields, /) -> Sequence[SearchHit]:
    """Makes hits of results; those without an address are left out.

    Raises:
        NotResultsError: These are no results, or none of them has an address.
    """
    if not isinstance(results, list) or not all(isinstance(result, Mapping) for result in results):
        raise NotResultsError
    hits = [_hit(result, fields) for result in results if _text(result.get(fields.url))]
    if results and not hits:
        raise NotResultsError
    return hits


def _hit(result: Mapping[str, object], fields: ResultFields) -> SearchHit:
    snippets = (_text(result.get(name)) for name in fields.snippets)
    return SearchHit(
        title=_text(result.get(fields.title)),
        url=_text(result.get(fields.url)),
        snippet=next(filter(None, snippets), ""),
        published=_day(result.get(fields.published)),
    )


def _text(value: object) -> str:
    if isinstance(value, list):
        return " … ".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(_text(value)[:_ISO_DAY])
    except ValueError:
        return None
