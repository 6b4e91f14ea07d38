import pytest

from cortex_domain.errors import InvalidRequestError, PageFetchError, WebFailure, WebSearchError
from cortex_domain.search_hits import MAX_SNIPPET_CHARACTERS, MAX_URL_CHARACTERS, usable_hits
from cortex_domain.web_content import MAX_HITS, MAX_QUERY_CHARACTERS, SearchHit, SearchQuery


@pytest.mark.parametrize(
    "text", ["", "   ", "two\nlines", "zero\0", "\ud800", "\u202eback", "a" * (MAX_QUERY_CHARACTERS + 1)]
)
def test_a_query_is_one_line_that_says_something(text: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        SearchQuery(text=text)
    assert caught.value.parameter == "query"


@pytest.mark.parametrize("text", ["نیم‌فاصله", "👩‍👩‍👧 emoji", "a\tb", 'site:a.example "words"'])
def test_a_query_is_in_any_script(text: str) -> None:
    assert SearchQuery(text=text).text == text


@pytest.mark.parametrize("count", [0, MAX_HITS + 1])
def test_a_query_asks_for_some_hits(count: int) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        SearchQuery(text="anything", count=count)
    assert caught.value.parameter == "count"


def test_queries_that_ask_for_the_same_are_equal() -> None:
    assert SearchQuery(text="a") == SearchQuery(text="a")
    assert hash(SearchQuery(text="a")) == hash(SearchQuery(text="a"))
    assert SearchQuery(text="a" * MAX_QUERY_CHARACTERS, count=MAX_HITS).count == MAX_HITS


def test_a_hit_without_a_title_has_its_address() -> None:
    (hit,) = usable_hits([SearchHit(title=" \n", url="https://a.example/")], count=1)
    assert hit.title == "https://a.example/"


def test_long_texts_are_cut_visibly() -> None:
    (hit,) = usable_hits([SearchHit(title="t", url="https://a.example/", snippet="word " * 1000)], count=1)
    assert len(hit.snippet) <= MAX_SNIPPET_CHARACTERS
    assert hit.snippet.endswith("word…")


def test_control_characters_are_left_out() -> None:
    (hit,) = usable_hits([SearchHit(title="a\x1b[31mred\u202e", url="https://a.example/")], count=1)
    assert hit.title == "a[31mred"


@pytest.mark.parametrize(
    "url", ["https://a b/", "https:///path", "https://?q", "http://a\n/", "HTTPX://a/", "https://" + "a" * 2000]
)
def test_addresses_that_nobody_can_follow_are_left_out(url: str) -> None:
    assert usable_hits([SearchHit(title="t", url=url)], count=1) == ()


def test_addresses_may_be_in_capitals_and_long() -> None:
    url = "HTTPS://A.EXAMPLE/".ljust(MAX_URL_CHARACTERS, "a")
    assert [hit.url for hit in usable_hits([SearchHit(title="t", url=url)], count=1)] == [url]


@pytest.mark.parametrize(
    ("reason", "status", "is_transient"),
    [
        (WebFailure.TIMEOUT, None, True),
        (WebFailure.UNREACHABLE, None, True),
        (WebFailure.HTTP_STATUS, 503, True),
        (WebFailure.HTTP_STATUS, 404, False),
        (WebFailure.ADDRESS_REFUSED, None, False),
    ],
)
def test_a_failed_fetch_says_whether_to_try_again(reason: WebFailure, status: int | None, is_transient: bool) -> None:
    error = PageFetchError("?", url="https://a.example/", reason=reason, status=status, retry_after_s=3)
    assert (error.reason, error.status, error.is_transient) == (reason, status, is_transient)
    assert (error.url, error.retry_after_s) == ("https://a.example/", 3)


def test_a_failed_search_names_its_service() -> None:
    error = WebSearchError("?", provider="brave", reason=WebFailure.RATE_LIMITED, retry_after_s=3)
    assert (error.provider, error.reason, error.is_transient, error.retry_after_s) == (
        "brave",
        "rate_limited",
        False,
        3,
    )
