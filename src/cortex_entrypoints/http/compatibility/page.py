"""The page docs/compatibility.md, from what the dialects do."""

from collections.abc import Iterator, Sequence
from typing import Final

from cortex_entrypoints.http.compatibility.dialects import DIALECTS
from cortex_entrypoints.http.compatibility.treatments import Dialect, Outcome, Treatment

_WORDS: Final = {
    Treatment.HONOURED: "honoured",
    Treatment.WARNED: "without effect, with a warning",
    Treatment.REFUSED: "refused",
}
_INTRODUCTION: Final = """\
# Compatibility

<!-- Written by `make compatibility`: edit src/cortex_entrypoints/http/compatibility, not this page. -->

What becomes of every documented parameter. *Honoured* does what is documented. *Refused* is an error in the dialect's
own form that names the parameter; a value that asks for nothing is taken. What is *without effect* is taken and listed
in the answer's `warnings`. *Honoured with* a capability: by models that list it in `GET /api/models/{id}`, refused by
others, or without effect where it says so. The same answer has a manifest, `dialects`, that says all this for that
model.
"""


def page_text() -> str:
    """Renders the page."""
    return "\n".join((_INTRODUCTION, *(line for dialect in DIALECTS for line in _section(dialect))))


def _section(dialect: Dialect) -> Iterator[str]:
    yield f"## {dialect.title}: `POST {dialect.path}`\n"
    yield "| Parameter | |"
    yield "|---|---|"
    for parameter, outcomes in sorted(dialect.outcomes().items()):
        yield f"| `{parameter}` | {_cell(outcomes)} |"
    yield ""


def _cell(outcomes: Sequence[Outcome]) -> str:
    words = [_words(outcome) for outcome in outcomes]
    if len(set(words)) == 1:
        return words[0]
    cell = "; ".join(f"{outcome.of}: {word}" for outcome, word in zip(outcomes, words, strict=True))
    return cell.replace("|", "\\|")


def _words(outcome: Outcome) -> str:
    words = _WORDS[outcome.treatment]
    if outcome.needs:
        words += f" with {', '.join(f'`{capability}`' for capability in sorted(outcome.needs))}"
        words += ", else without effect" if outcome.otherwise is Treatment.WARNED else ""
    return words + (f", but for `{', '.join(outcome.idle)}`" if outcome.idle else "")
