from hypothesis import given
from hypothesis import strategies as st

from cortex_domain.stop_texts import StopTextFilter

ALPHABET = "ab<|>"


@given(
    pieces=st.lists(st.text(ALPHABET, max_size=4), max_size=12),
    stops=st.lists(st.text(ALPHABET, min_size=1, max_size=4), max_size=3),
)
def test_what_passes_is_the_text_before_the_first_stop_text_however_it_is_cut(
    pieces: list[str], stops: list[str]
) -> None:
    whole = "".join(pieces)
    ends = [whole.find(stop) for stop in stops if stop in whole]

    stop_filter = StopTextFilter(stops)
    shown = "".join(stop_filter.push(piece) for piece in pieces)
    shown += "" if stop_filter.stopped else stop_filter.flush()

    # The stop text that is completed first ends it, also when a longer one began before it.
    assert stop_filter.stopped == bool(ends)
    assert (shown, stop_filter.found) == (_before_first_completed(whole, stops) if ends else (whole, None))


def _before_first_completed(whole: str, stops: list[str]) -> tuple[str, str]:
    for end in range(len(whole) + 1):
        completed = [stop for stop in stops if whole[:end].endswith(stop)]
        if completed:
            longest = max(completed, key=len)
            return whole[: end - len(longest)], longest
    raise AssertionError("no stop text was completed")


def test_a_part_of_a_stop_text_is_held_until_it_is_decided() -> None:
    stop_filter = StopTextFilter(["STOP"])
    assert stop_filter.push("abc ST") == "abc "
    assert stop_filter.push("AY S") == "STAY "
    assert stop_filter.push("TOP def") == ""
    assert stop_filter.stopped
    assert stop_filter.rest == " def"
    assert stop_filter.push("more") == ""


def test_text_that_was_held_comes_out_at_the_end() -> None:
    stop_filter = StopTextFilter(["</s>"])
    assert stop_filter.push("a <") == "a "
    assert stop_filter.flush() == "<"
    assert stop_filter.flush() == ""


@given(
    pieces=st.lists(st.text(ALPHABET, max_size=3), max_size=8),
    stops=st.lists(st.text(ALPHABET, min_size=1, max_size=4), max_size=3),
)
def test_exactly_the_longest_open_beginning_is_held_back(pieces: list[str], stops: list[str]) -> None:
    stop_filter = StopTextFilter(stops)
    whole = shown = ""
    for piece in pieces:
        whole += piece
        shown += stop_filter.push(piece)
        if stop_filter.stopped:
            return
        beginnings = {stop[:length] for stop in stops for length in range(1, len(stop))}
        held = max((len(beginning) for beginning in beginnings if whole.endswith(beginning)), default=0)
        assert shown == whole[: len(whole) - held]
