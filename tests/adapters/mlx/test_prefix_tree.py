"""What is found is what was kept, owners share nothing, and the budget holds, whatever is kept in whatever order."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_adapters.mlx.prefix_tree import BLOCK_TOKENS, BlockName, PrefixTree, SequenceRoot
from cortex_domain.generation import CacheMissReason

TOKEN_BYTES = 3
ME = SequenceRoot("me", b"model")
YOU = SequenceRoot("you", b"model")
OTHER_MODEL = SequenceRoot("me", b"other model")
LONG = tuple(range(4 * BLOCK_TOKENS + 10))


@dataclass(frozen=True)
class Text:
    """Holds the tokens themselves, so that a test sees what it gets."""

    tokens: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return TOKEN_BYTES * len(self.tokens)


class Kept:
    """A tree of texts, and what was cut for it."""

    def __init__(self, budget_tokens: int) -> None:
        self.tree = PrefixTree[Text](budget_tokens * TOKEN_BYTES)
        self.cut_tokens = 0

    def keep(self, root: SequenceRoot, tokens: Sequence[int]) -> list[BlockName]:
        def cut(start: int, stop: int) -> Text:
            self.cut_tokens += stop - start
            return Text(tuple(tokens[start:stop]))

        return self.tree.keep(root, tokens, cut, token_bytes=TOKEN_BYTES)

    def found(self, root: SequenceRoot, tokens: Sequence[int]) -> tuple[int, CacheMissReason | None]:
        """Finds a beginning, and holds what it consists of against the tokens."""
        match = self.tree.find(root, tokens)
        held = [token for text in match.contents for token in text.tokens]
        assert tuple(held[: match.tokens]) == tuple(tokens[: match.tokens])
        assert len(held) - match.tokens < BLOCK_TOKENS
        return match.tokens, match.reason


@pytest.fixture
def kept() -> Kept:
    return Kept(budget_tokens=100 * BLOCK_TOKENS)


@pytest.mark.parametrize("length", [1, 5, BLOCK_TOKENS - 1, BLOCK_TOKENS, BLOCK_TOKENS + 1, len(LONG)])
def test_a_sequence_is_found_whole_and_so_is_each_of_its_beginnings(kept: Kept, length: int) -> None:
    kept.keep(ME, LONG[:length])
    for asked in range(length + 1):
        assert kept.found(ME, LONG[:asked]) == (asked, None)


@pytest.mark.parametrize("length", [1, 10, BLOCK_TOKENS, 2 * BLOCK_TOKENS + 7])
def test_what_goes_on_beyond_what_is_kept_misses_nothing(kept: Kept, length: int) -> None:
    kept.keep(ME, LONG[:length])
    assert kept.found(ME, LONG) == (length, None)


@pytest.mark.parametrize("position", [1, 30, BLOCK_TOKENS - 1, BLOCK_TOKENS, BLOCK_TOKENS + 1, len(LONG) - 1])
def test_a_sequence_that_goes_on_differently_is_found_up_to_there(kept: Kept, position: int) -> None:
    kept.keep(ME, LONG)
    assert kept.found(ME, (*LONG[:position], 1000, *LONG)) == (position, CacheMissReason.DIVERGED)


def test_of_several_that_go_on_differently_the_longest_is_found(kept: Kept) -> None:
    for position in (3, 40, 20, 60, 59):
        kept.keep(ME, (*LONG[:position], 500, *LONG))
    assert kept.found(ME, LONG) == (60, CacheMissReason.DIVERGED)


def test_what_was_never_seen_is_not_cached(kept: Kept) -> None:
    assert kept.found(ME, LONG) == (0, CacheMissReason.NOT_CACHED)
    kept.keep(ME, LONG[1:])
    assert kept.found(ME, LONG) == (0, CacheMissReason.NOT_CACHED)


def test_nothing_is_asked_for_nothing_missed(kept: Kept) -> None:
    assert kept.found(ME, ()) == (0, None)
    assert kept.keep(ME, ()) == []


def test_owners_share_nothing_and_are_told(kept: Kept) -> None:
    kept.keep(ME, LONG)
    assert kept.found(YOU, LONG) == (0, CacheMissReason.OTHER_OWNER)
    kept.keep(YOU, LONG[:BLOCK_TOKENS])
    assert kept.found(YOU, LONG) == (BLOCK_TOKENS, CacheMissReason.OTHER_OWNER)
    assert kept.cut_tokens == len(LONG) + BLOCK_TOKENS


def test_models_share_nothing_and_one_can_be_forgotten(kept: Kept) -> None:
    kept.keep(ME, LONG)
    assert kept.found(OTHER_MODEL, LONG) == (0, CacheMissReason.NOT_CACHED)
    kept.keep(OTHER_MODEL, LONG)
    kept.tree.forget_model(ME.model)
    assert kept.found(ME, LONG) == (0, CacheMissReason.NOT_CACHED)
    assert kept.found(OTHER_MODEL, LONG) == (len(LONG), None)
    kept.tree.forget_model(OTHER_MODEL.model)
    assert (len(kept.tree), kept.tree.nbytes) == (0, 0)


def test_what_is_kept_already_is_not_cut_again(kept: Kept) -> None:
    kept.keep(ME, LONG)
    kept.keep(ME, LONG)
    kept.keep(ME, LONG[:-3])
    assert kept.cut_tokens == len(LONG)


def test_a_tail_gives_way_to_the_block_that_holds_it(kept: Kept) -> None:
    kept.keep(ME, LONG[:10])
    kept.keep(ME, LONG[:30])
    kept.keep(ME, LONG[:BLOCK_TOKENS])
    assert kept.tree.nbytes == BLOCK_TOKENS * TOKEN_BYTES


def test_what_had_to_make_room_is_told(kept: Kept) -> None:
    kept = Kept(budget_tokens=len(LONG))
    kept.keep(ME, LONG)
    kept.keep(ME, LONG[::-1])
    assert kept.tree.evictions > 0
    assert kept.found(ME, LONG) == (0, CacheMissReason.EVICTED)
    kept.keep(ME, LONG)
    assert kept.found(ME, LONG) == (len(LONG), None)


def test_what_was_used_last_stays(kept: Kept) -> None:
    kept = Kept(budget_tokens=2 * BLOCK_TOKENS)
    first, second, third = ([token] * BLOCK_TOKENS for token in (1, 2, 3))
    kept.keep(ME, first)
    kept.keep(ME, second)
    kept.found(ME, first)
    kept.keep(ME, third)
    assert [kept.found(ME, tokens)[0] for tokens in (first, second, third)] == [BLOCK_TOKENS, 0, BLOCK_TOKENS]


def test_a_sequence_beyond_the_budget_is_kept_as_far_as_it_fits(kept: Kept) -> None:
    kept = Kept(budget_tokens=2 * BLOCK_TOKENS + 5)
    assert len(kept.keep(ME, LONG)) == 2
    assert kept.found(ME, LONG) == (2 * BLOCK_TOKENS, None)
    kept.keep(ME, LONG)
    assert kept.cut_tokens == 2 * BLOCK_TOKENS


def test_it_can_be_told_to_make_room(kept: Kept) -> None:
    kept.keep(ME, LONG)
    kept.keep(ME, LONG[::-1])
    freed_bytes = kept.tree.shrink(len(LONG) * TOKEN_BYTES)
    assert freed_bytes >= len(LONG) * TOKEN_BYTES
    assert kept.found(ME, LONG[::-1])[0] > 0
    assert kept.tree.shrink(10**6) == 0
    assert kept.tree.shrink(0) > 0
    assert len(kept.tree) == 0


def test_without_a_budget_nothing_is_kept() -> None:
    kept = Kept(budget_tokens=0)
    assert kept.keep(ME, LONG) == []
    assert kept.cut_tokens == 0


ROOTS = st.sampled_from([ME, YOU, OTHER_MODEL])
SEQUENCES = st.builds(
    lambda begin, length, end, more: [begin] * length + [end] * more,
    st.integers(0, 2),
    st.integers(0, 3 * BLOCK_TOKENS),
    st.integers(0, 2),
    st.integers(0, BLOCK_TOKENS),
)


@given(
    st.integers(0, 8 * BLOCK_TOKENS),
    st.lists(st.tuples(st.sampled_from(["keep", "find", "forget", "shrink"]), ROOTS, SEQUENCES), max_size=30),
)
def test_the_budget_holds_and_no_block_is_without_those_before_it(
    budget_tokens: int, steps: list[tuple[str, SequenceRoot, list[int]]]
) -> None:
    kept = Kept(budget_tokens)
    ever: set[tuple[SequenceRoot, tuple[int, ...]]] = set()
    for act, root, tokens in steps:
        if act == "keep":
            kept.keep(root, tokens)
            ever |= {(root, tuple(tokens[:length])) for length in range(len(tokens) + 1)}
        elif act == "find":
            found, _ = kept.found(root, tokens)
            assert not found or (root, tuple(tokens[:found])) in ever
        elif act == "shrink":
            kept.tree.shrink(len(tokens) * TOKEN_BYTES)
            assert kept.tree.nbytes <= len(tokens) * TOKEN_BYTES
        else:
            kept.tree.forget_model(root.model)
        _require_sound(kept.tree)
        assert kept.tree.nbytes <= budget_tokens * TOKEN_BYTES


def _require_sound(tree: PrefixTree[Text]) -> None:
    blocks = tree._blocks
    assert tree.nbytes == sum(block.content.nbytes for block in blocks.values())
    order = {name: place for place, name in enumerate(blocks)}
    for name, block in blocks.items():
        if block.parent in blocks:
            assert order[block.parent] > order[name]
        else:
            assert block.parent.digest == block.model
    assert sum(map(len, tree._children.values())) == len(blocks) == sum(tree._owners_of.values())
