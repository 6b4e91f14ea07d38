import pytest

from cortex_entrypoints.bench.measurements import Answer, compare, summarize
from tests.entrypoints.bench.rounds import answer, round_of


def test_the_tokens_of_all_clients_are_divided_by_the_time_of_the_whole_round() -> None:
    measured = round_of(answer(seconds=2, tokens=30), answer(seconds=4, tokens=50))
    assert measured.tokens_per_s == 20


def test_a_failed_answer_gives_no_tokens_but_its_time_counts() -> None:
    measured = round_of(answer(seconds=2, tokens=30), answer(seconds=10, error="gone"))
    assert measured.tokens_per_s == 3
    assert measured.errors == ["gone"]


def test_a_target_that_counts_no_tokens_is_counted_by_its_pieces_of_text() -> None:
    silent = Answer(sent_s=0, ended_s=2, texts_s=(0.5, 1.0, 2.0))
    result = summarize([round_of(silent)])
    assert (result.tokens_per_s, result.completion_tokens, result.tokens_are_counted) == (1.5, 3, False)
    assert result.prompt_tokens is None


def test_the_middle_and_the_tail_of_waiting() -> None:
    answers = [answer(texts_s=(second / 1000, second / 1000 + 0.25)) for second in range(1, 201)]
    result = summarize([round_of(*answers)])
    assert result.first_text_ms.p50 == pytest.approx(100)
    assert result.first_text_ms.p99 == pytest.approx(198)
    assert result.gap_ms.p50 == pytest.approx(250)


def test_gaps_are_those_within_one_answer() -> None:
    measured = round_of(answer(texts_s=(0.5, 0.75)), answer(texts_s=(5.0, 5.5)))
    assert list(measured.gaps_ms) == pytest.approx([250, 500])


def test_medians_are_over_the_repeats() -> None:
    rounds = [round_of(answer(seconds=seconds), repeat=number) for number, seconds in enumerate([1, 2, 10], start=1)]
    result = summarize(rounds)
    assert result.tokens_per_s == 5
    assert list(result.tokens_per_s_by_repeat) == [10, 5, 1]


def test_errors_are_counted_by_what_they_say() -> None:
    rounds = [round_of(answer(error="full"), answer(error="full")), round_of(answer(error="gone"), answer(), repeat=2)]
    result = summarize(rounds)
    assert (result.requests, result.failed_requests, result.errors) == (4, 3, {"full": 2, "gone": 1})


def test_a_round_in_which_all_failed_has_no_figures() -> None:
    result = summarize([round_of(answer(error="full"))])
    assert result.tokens_per_s == 0
    assert (result.first_text_ms.p50, result.gap_ms.p99, result.completion_tokens) == (None, None, None)


def test_a_ratio_is_the_median_of_the_repeats_own_ratios() -> None:
    mine = [round_of(answer(seconds=seconds), repeat=repeat) for repeat, seconds in enumerate((1, 2, 4), start=1)]
    theirs = [
        round_of(answer(seconds=seconds), target="second", repeat=repeat)
        for repeat, seconds in enumerate((2, 2, 12), start=1)
    ]
    ratio = compare(mine, theirs)
    assert (ratio.target, ratio.against) == ("first", "second")
    assert ratio.tokens_per_s == 2  # of 2, 1 and 3; the ratio of the medians would be 1
    assert list(ratio.tokens_per_s_by_repeat) == [2, 1, 3]
    assert ratio.first_text is None


def test_a_ratio_below_one_of_the_first_text_means_sooner() -> None:
    mine, theirs = [round_of(answer(texts_s=(0.1,)))], [round_of(answer(texts_s=(0.4,)), target="second")]
    assert compare(mine, theirs).first_text == pytest.approx(0.25)


def test_nothing_is_compared_with_a_target_that_answered_nothing() -> None:
    assert compare([round_of(answer())], [round_of(answer(error="gone"), target="second")]).tokens_per_s is None
