import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_adapters.mlx.reading_speed import ReadingSpeed

PIECES = (100, 800, 300, 50, 2000, 640)


def _learned(*, fixed_s: float, token_s: float, pieces: tuple[int, ...] = PIECES) -> ReadingSpeed:
    speed = ReadingSpeed()
    for tokens in pieces:
        speed.observe(tokens=tokens, seconds=fixed_s + tokens * token_s)
    return speed


@given(fixed_s=st.floats(0, 0.05), token_s=st.floats(1e-5, 1e-2))
def test_what_a_piece_and_what_a_token_takes_are_told_apart(fixed_s: float, token_s: float) -> None:
    speed = _learned(fixed_s=fixed_s, token_s=token_s)
    assert speed.fixed_s == pytest.approx(fixed_s, abs=1e-6)
    assert speed.token_s == pytest.approx(token_s, rel=1e-3)


def test_pieces_of_one_length_give_a_rate() -> None:
    speed = _learned(fixed_s=0.01, token_s=0.001, pieces=(100, 101, 99, 100))
    assert speed.fixed_s == 0
    assert speed.seconds_for(100) == pytest.approx(0.11, rel=0.01)


def test_short_pieces_do_not_make_the_next_ones_shorter_still() -> None:
    speed = _learned(fixed_s=0.02, token_s=0.0001, pieces=(*PIECES, *[8] * 20, 300, 8))
    assert speed.tokens_within(0.01) >= 75


def test_a_surprise_is_not_taken_for_the_devices_own_speed() -> None:
    speed = _learned(fixed_s=0, token_s=0.001)
    speed.observe(tokens=100, seconds=60)
    assert speed.seconds_for(100) < 0.5


def test_a_device_that_became_slower_is_followed() -> None:
    speed = _learned(fixed_s=0, token_s=0.001)
    for _ in range(12):
        for tokens in PIECES:
            speed.observe(tokens=tokens, seconds=tokens * 0.01)
    assert speed.token_s == pytest.approx(0.01, rel=0.1)


@pytest.mark.parametrize("noise", [0.0, 0.0001])
def test_pieces_that_seem_to_cost_the_same_do_not_make_the_next_one_endless(noise: float) -> None:
    speed = ReadingSpeed()
    for number in range(20):
        tokens = 20 if number % 2 else 30
        speed.observe(tokens=tokens, seconds=0.2 + noise * tokens)
    assert speed.tokens_within(0.2) <= 4 * 30
