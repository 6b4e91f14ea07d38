"""Tokens are told with the text that they bring, wherever it is held back or cut."""

from hypothesis import given
from hypothesis import strategies as st

from cortex_domain.token_logprobs import TokenLogprob, UntoldTokens


def token(number: int, text: str = "") -> TokenLogprob:
    return TokenLogprob(token_id=number, text=text, bytes=tuple(text.encode()), logprob=-float(number))


def ids(tokens: tuple[TokenLogprob, ...]) -> list[int]:
    return [told.token_id for told in tokens]


def test_a_token_comes_with_its_first_character() -> None:
    untold = UntoldTokens()
    untold.add(token(1, "hel"), characters=3)
    untold.add(token(2, "lo"), characters=2)
    assert ids(untold.show(2)) == [1]
    assert ids(untold.show(1)) == []
    assert ids(untold.show(1)) == [2]
    assert untold.tokens == ()


def test_tokens_without_a_character_come_with_the_next() -> None:
    untold = UntoldTokens()
    untold.add(token(1, "a"), characters=1)
    untold.add(token(2), characters=0)
    assert ids(untold.show(1)) == [1]
    assert ids(untold.tokens) == [2]
    untold.add(token(3, "b"), characters=1)
    assert ids(untold.show(1)) == [2, 3]


def test_what_was_told_before_only_counts() -> None:
    untold = UntoldTokens()
    untold.add(None, characters=4)
    untold.add(token(2), characters=1)
    assert ids(untold.show(4)) == []
    assert ids(untold.show(1)) == [2]


def test_what_is_no_part_of_the_answer_is_forgotten() -> None:
    untold = UntoldTokens()
    untold.add(token(1), characters=0)
    untold.forget()
    untold.add(token(2, "a"), characters=1)
    assert ids(untold.show(1)) == [2]


@given(st.lists(st.integers(0, 3)), st.data())
def test_each_token_is_told_once_in_order(lengths: list[int], data: st.DataObject) -> None:
    untold, told, held = UntoldTokens(), [], 0
    for number, characters in enumerate(lengths):
        untold.add(token(number), characters=characters)
        shown = data.draw(st.integers(0, held + characters))
        held += characters - shown
        told += ids(untold.show(shown))
    assert told + ids(untold.show_rest()) == list(range(len(lengths)))
    assert untold.tokens == ()
