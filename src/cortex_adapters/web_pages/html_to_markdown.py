"""A program that reads HTML and writes what it shows as Markdown; see `html_process`, which runs it.

    python -m cortex_adapters.web_pages.html_to_markdown MEMORY_BYTES CPU_S < page > page.json

The page is preceded by a line with its address, which does not stand on the command line, because everybody on the
machine reads that, and addresses may hold keys.

HTML from strangers is read in a process of its own, because there is always a page that makes a parser take minutes or
gigabytes: 440 kB of attributes keep trafilatura busy for 19 s.
"""

import json
import resource
import sys
from dataclasses import asdict
from typing import Final

import trafilatura
from lxml import etree, html
from markdownify import markdownify

from cortex_adapters.web_pages.read_page import ReadPage

UNREADABLE: Final = 65
"""Exit status (EX_DATAERR of sysexits.h): nothing can be made of this page."""

_WHOLE_ARTICLE_CHARACTERS: Final = 500
_SHARE_OF_SHOWN: Final = 0.5
_HIDING: Final = ("display:none", "visibility:hidden")
_UNSEEN: Final = (
    *("script", "style", "noscript", "template", "svg", "math", "iframe", "object", "canvas", "audio", "video", "img"),
    *("button", "input", "select", "textarea", "head"),
)


def main() -> None:
    """Reads an address and a page from stdin and writes a `ReadPage` as JSON to stdout."""
    memory_bytes, cpu_s = map(int, sys.argv[1:])
    _limit(memory_bytes, cpu_s)
    url, _, page_text = sys.stdin.buffer.read().decode().partition("\n")
    try:
        page = read_html(page_text, url)
    except (etree.LxmlError, ValueError, RecursionError, MemoryError):
        sys.exit(UNREADABLE)
    sys.stdout.buffer.write(json.dumps(asdict(page)).encode())


def read_html(page: str, url: str, /) -> ReadPage:
    """Makes Markdown of a page: of its article if it has one, otherwise of all that it shows.

    Args:
        page: The HTML.
        url: Its address, which links are relative to.

    Raises:
        lxml.etree.LxmlError, ValueError, RecursionError: Nothing can be made of it.
    """
    if not page.strip():
        return ReadPage(title=None, text="")
    tree = html.document_fromstring(page.encode(), parser=html.HTMLParser(encoding="utf-8"))
    tree.make_links_absolute(url, handle_failures="ignore")
    title = " ".join((tree.findtext(".//title") or "").split()) or None
    _drop_unseen(tree)
    seen = html.tostring(tree, encoding="unicode")
    article = _article(seen, url)
    shown = " ".join(tree.text_content().split())
    return ReadPage(title=title, text=article if _is_what_it_is_about(article, shown) else _everything(seen))


def _limit(memory_bytes: int, cpu_s: int) -> None:
    """Bounds this process; macOS takes no limit of memory."""
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def _drop_unseen(tree: html.HtmlElement) -> None:
    unseen = tree.iter(*_UNSEEN, etree.Comment, etree.ProcessingInstruction)
    for element in [*unseen, *filter(_is_hidden, tree.iter(etree.Element))]:
        if element.getparent() is not None:
            element.drop_tree()


def _is_hidden(element: html.HtmlElement) -> bool:
    """Tells what the page itself says is not shown; what its style sheets say is not known here."""
    style = "".join(element.get("style", "").lower().split())
    return element.get("hidden") is not None or any(rule in style for rule in _HIDING)


def _article(page: str, url: str) -> str:
    extracted = trafilatura.extract(
        page,
        url=url,
        output_format="markdown",
        include_links=True,
        include_formatting=True,
        include_tables=True,
        include_comments=True,
        favor_recall=True,
    )
    return extracted or ""


def _is_what_it_is_about(article: str, shown: str) -> bool:
    """Tells an article from some paragraph on a page of another kind; a short page is better told whole."""
    if len(shown) < _WHOLE_ARTICLE_CHARACTERS:
        return False
    return len(article) >= min(_WHOLE_ARTICLE_CHARACTERS, _SHARE_OF_SHOWN * len(shown))


def _everything(page: str) -> str:
    markdown = markdownify(page, heading_style="ATX", bullets="-", bs4_options="lxml")
    lines = (line.rstrip() for line in markdown.splitlines())
    return _without_gaps("\n".join(lines)).strip()


def _without_gaps(text: str) -> str:
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text


if __name__ == "__main__":
    main()
