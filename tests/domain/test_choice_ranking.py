"""The best answers are those whose tokens are the most probable on average, however long they are."""

from cortex_domain.choice_ranking import best_choices
from cortex_domain.generation import Choice, FinishReason
from cortex_domain.token_logprobs import TokenLogprob


def _choice(*logprobs: float) -> Choice:
    tokens = tuple(TokenLogprob(token_id=1, text="x", bytes=(120,), logprob=logprob) for logprob in logprobs)
    return Choice(text="x" * len(tokens), finish_reason=FinishReason.STOP, logprobs=tokens)


LONG, SHORT, SILENT = _choice(-1.0, -1.0, -1.0), _choice(-2.0), _choice()


def test_the_best_come_first() -> None:
    assert best_choices([SILENT, SHORT, LONG], 1) == (LONG,)
    assert best_choices([SILENT, SHORT, LONG], 2) == (LONG, SHORT)


def test_all_of_them_keep_their_order() -> None:
    assert best_choices([SHORT, LONG], 2) == (SHORT, LONG)
