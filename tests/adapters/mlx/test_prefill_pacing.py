import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_adapters.mlx.prefill_pacing import (
    CROWD_PIECE_S,
    IDLE_PIECE_S,
    LIVE_PIECE_PER_DECODE,
    MAX_PIECE_TOKENS,
    MAX_PROMPT_ROWS,
    MAX_ROW_TOKENS,
    MIN_PROMPT_ROWS,
    MIN_ROW_TOKENS,
    PrefillPacing,
)


def _learned(*, tokens_per_s: float, decode_s: float) -> PrefillPacing:
    pacing = PrefillPacing()
    pacing.observe(decoding_rows=4, decode_s=decode_s, prompt_tokens=0, prompt_s=0)
    for _ in range(12):
        pacing.observe(decoding_rows=0, decode_s=0, prompt_tokens=1000, prompt_s=1000 / tokens_per_s)
    return pacing


def test_a_piece_is_large_when_nobody_waits_and_lasts_less_than_decoding_when_somebody_does() -> None:
    pacing = _learned(tokens_per_s=2000, decode_s=0.05)
    idle, live = (pacing.plan(decoding_rows=rows, prompt_rows=1) for rows in (0, 4))
    assert idle == 2000 * IDLE_PIECE_S
    assert live == pytest.approx(100 * LIVE_PIECE_PER_DECODE, abs=1)
    assert LIVE_PIECE_PER_DECODE < 1


def test_a_crowd_that_waits_may_hold_up_a_few_for_a_moment() -> None:
    pacing = _learned(tokens_per_s=10_000, decode_s=0.01)
    alone, crowd = (pacing.plan(decoding_rows=8, prompt_rows=prompts) * prompts for prompts in (1, 200))
    assert alone == pytest.approx(100 * LIVE_PIECE_PER_DECODE, abs=1)
    assert crowd == 10_000 * CROWD_PIECE_S
    assert pacing.plan(decoding_rows=60, prompt_rows=5) == alone // 5


@pytest.mark.parametrize(("decode_s", "prompt_s"), [(0.0, 0.1), (0.05, 0.05)])
def test_decoding_is_not_counted_as_reading_whichever_of_both_waits_for_it(decode_s: float, prompt_s: float) -> None:
    pacing = _learned(tokens_per_s=2000, decode_s=0.05)
    for _ in range(12):
        pacing.observe(decoding_rows=4, decode_s=decode_s, prompt_tokens=100, prompt_s=prompt_s)
    assert pacing.plan(decoding_rows=4, prompt_rows=1) == pytest.approx(100 * LIVE_PIECE_PER_DECODE, abs=1)


def test_a_faster_device_reads_more() -> None:
    slow, fast = (
        _learned(tokens_per_s=rate, decode_s=0.01).plan(decoding_rows=0, prompt_rows=1) for rate in (250, 9000)
    )
    assert slow < fast <= MAX_PIECE_TOKENS


def test_a_short_prompt_is_read_beside_a_long_one_on_the_slowest_device() -> None:
    pacing = _learned(tokens_per_s=50, decode_s=0.01)
    assert pacing.lanes(decoding_rows=4, prompts=1) == MIN_PROMPT_ROWS
    assert pacing.plan(decoding_rows=4, prompt_rows=2) == MIN_ROW_TOKENS


def test_a_prompt_is_long_by_the_time_that_it_takes() -> None:
    slow, fast = (_learned(tokens_per_s=rate, decode_s=0.01) for rate in (250, 9000))
    assert slow.is_long(1000)
    assert not fast.is_long(1000)


@given(
    tokens_per_s=st.floats(1, 1e7),
    decode_s=st.floats(0, 10),
    decoding_rows=st.integers(0, 64),
    prompt_rows=st.integers(0, MAX_PROMPT_ROWS),
)
def test_a_piece_always_advances_and_is_bounded(
    tokens_per_s: float, decode_s: float, decoding_rows: int, prompt_rows: int
) -> None:
    pacing = _learned(tokens_per_s=tokens_per_s, decode_s=decode_s)
    assert 1 <= pacing.lanes(decoding_rows=decoding_rows, prompts=prompt_rows) <= MAX_PROMPT_ROWS
    tokens = pacing.plan(decoding_rows=decoding_rows, prompt_rows=prompt_rows)
    assert MIN_ROW_TOKENS <= tokens <= MAX_ROW_TOKENS
    assert prompt_rows * tokens <= max(MAX_PIECE_TOKENS, prompt_rows * MIN_ROW_TOKENS)
