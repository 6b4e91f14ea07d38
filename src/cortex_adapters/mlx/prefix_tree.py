"""Which token sequences are kept, in blocks that share their beginnings, within a budget of bytes.

A sequence is cut into blocks of a fixed number of tokens and a shorter tail. A block is named by all tokens up to its
end, so sequences that begin alike share blocks. What a block holds at one token depends on the tokens before it alone:
a block serves as far as its tokens agree, also when it goes on differently.

Plain values only: what a block holds is the caller's, as long as it has a size.
"""

import hashlib
from array import array
from bisect import bisect_left, insort
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

from cortex_domain.generation import CacheMissReason

BLOCK_TOKENS = 64
REMEMBERED_EVICTIONS = 4096
"""Names of evicted blocks that are kept, so that a miss can say so; 32 bytes and an owner each."""


class Sized(Protocol):
    """What a block holds."""

    @property
    def nbytes(self) -> int:
        """Bytes that it takes."""


ContentT = TypeVar("ContentT", bound=Sized)


class BlockName(NamedTuple):
    """Names a block.

    Attributes:
        owner: Whose it is.
        digest: Of the model and all tokens up to the block's end; the same for every owner.
    """

    owner: str
    digest: bytes


class SequenceRoot(NamedTuple):
    """Where sequences begin that may share blocks.

    Attributes:
        owner: Whose they are.
        model: Names everything besides tokens that the content depends on.
    """

    owner: str
    model: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Match(Generic[ContentT]):
    """What is kept of a sequence.

    Attributes:
        contents: What the blocks hold, in order.
        tokens: How many of the sequence's tokens they cover; the last block may hold more.
        reason: Why it is not more; None when nothing more of the sequence was ever kept or could be.
    """

    contents: tuple[ContentT, ...]
    tokens: int
    reason: CacheMissReason | None


@dataclass(slots=True)
class _Block(Generic[ContentT]):
    parent: BlockName
    model: bytes
    tokens: tuple[int, ...]
    content: ContentT


class PrefixTree(Generic[ContentT]):
    """Keeps blocks, the least recently used ones first to go, and never one without those before it.

    `_blocks` is in the order of use. Whenever a block is used, so are all before it, the first one last; therefore the
    block at the front of the order never has another one behind it in its sequence, and can go.

    Attributes:
        nbytes: Bytes of all blocks; never above the budget.
        evictions: Blocks that had to make room so far.
    """

    def __init__(self, budget_bytes: int) -> None:
        self.nbytes = 0
        self.evictions = 0
        self._budget_bytes = budget_bytes
        self._blocks: OrderedDict[BlockName, _Block[ContentT]] = OrderedDict()
        self._children: dict[BlockName, list[tuple[tuple[int, ...], BlockName]]] = {}
        self._owners_of: Counter[bytes] = Counter()
        self._evicted: OrderedDict[BlockName, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._blocks)

    def __contains__(self, name: BlockName) -> bool:
        return name in self._blocks

    def content(self, name: BlockName, /) -> ContentT | None:
        """Returns what a block holds, if it is here; no use of it in the sense of the order."""
        block = self._blocks.get(name)
        return None if block is None else block.content

    def find(self, root: SequenceRoot, tokens: Sequence[int], /) -> Match[ContentT]:
        """Finds the longest beginning of a sequence that is kept."""
        path, missing = self._walk(root, tokens)
        position = len(path) * BLOCK_TOKENS
        rest = tuple(tokens[position : position + BLOCK_TOKENS])
        nearest, agreeing = self._nearest(path[-1] if path else _name_of_root(root), rest)
        reason = self._reason(missing, nearest, position=position, agreeing=agreeing, wanted=len(rest))
        if nearest is not None and agreeing:
            path.append(nearest)
        self._use(path)
        contents = tuple(self._blocks[name].content for name in path)
        return Match(contents=contents, tokens=position + agreeing, reason=reason)

    def keep(
        self, root: SequenceRoot, tokens: Sequence[int], cut: Callable[[int, int], ContentT], *, token_bytes: int
    ) -> list[BlockName]:
        """Keeps a sequence, as much of its beginning as fits.

        Args:
            root: Where it begins.
            tokens: The sequence.
            cut: Makes the content of the tokens from one position up to another; called only for what is new.
            token_bytes: Bytes that a content takes for each of its tokens.

        Returns:
            The names of its full blocks that are kept.
        """
        names = list(block_names(root, tokens))
        held = [name for name in names if name in self._blocks]
        self._use(held)
        path = list(held)
        for start, name in self._missing(root, tokens, names, after=len(held)):
            stop = min(start + BLOCK_TOKENS, len(tokens))
            if not self._make_room((stop - start) * token_bytes, path):
                break
            parent = path[-1] if path else _name_of_root(root)
            self._add(name, _Block(parent, root.model, tuple(tokens[start:stop]), cut(start, stop)))
            path.append(name)
        self._use(path)
        return path[: len(names)]

    def forget_model(self, model: bytes, /) -> None:
        """Drops all blocks of a model."""
        for name in [name for name, block in self._blocks.items() if block.model == model]:
            self._remove(name)

    def shrink(self, size_bytes: int, /) -> int:
        """Evicts until no more bytes than these are left; returns how many went."""
        before_bytes = self.nbytes
        while self.nbytes > size_bytes:
            self._evict(next(iter(self._blocks)))
        return before_bytes - self.nbytes

    # Finding.

    def _walk(self, root: SequenceRoot, tokens: Sequence[int]) -> tuple[list[BlockName], BlockName | None]:
        """Returns the full blocks that are here, and the first that is not."""
        path: list[BlockName] = []
        for name in block_names(root, tokens):
            if name not in self._blocks:
                return path, name
            path.append(name)
        return path, None

    def _nearest(self, parent: BlockName, rest: tuple[int, ...]) -> tuple[BlockName | None, int]:
        """Finds the block after `parent` that agrees longest with `rest`, and how long."""
        children = self._children.get(parent, [])
        place = bisect_left(children, (rest,))
        # In alphabetical order, what agrees longest stands right beside.
        beside = [(_agreeing(tokens, rest), name) for tokens, name in children[max(place - 1, 0) : place + 1]]
        agreeing, nearest = max(beside, default=(0, None))
        return nearest, agreeing

    def _reason(
        self, missing: BlockName | None, nearest: BlockName | None, *, position: int, agreeing: int, wanted: int
    ) -> CacheMissReason | None:
        if agreeing == wanted:
            return None
        if missing in self._evicted:
            return CacheMissReason.EVICTED
        if missing is not None and missing.digest in self._owners_of:
            return CacheMissReason.OTHER_OWNER
        if position + agreeing == 0:
            return CacheMissReason.NOT_CACHED
        goes_on = nearest is not None and len(self._blocks[nearest].tokens) > agreeing
        return CacheMissReason.DIVERGED if goes_on else None

    # Keeping.

    def _missing(
        self, root: SequenceRoot, tokens: Sequence[int], names: Sequence[BlockName], *, after: int
    ) -> Iterator[tuple[int, BlockName]]:
        """Yields where each block begins that is not here, and its name; the tail last, unless a block begins so."""
        for index in range(after, len(names)):
            yield index * BLOCK_TOKENS, names[index]
        start = len(names) * BLOCK_TOKENS
        tail = tuple(tokens[start:])
        parent = names[-1] if names else _name_of_root(root)
        if tail and self._nearest(parent, tail)[1] < len(tail):
            yield start, _name_after(parent, tail)

    def _make_room(self, nbytes: int, path: Sequence[BlockName]) -> bool:
        """Evicts until there is room; returns whether there is, without touching `path`."""
        protected = set(path)
        while self.nbytes + nbytes > self._budget_bytes:
            oldest = next(iter(self._blocks), None)
            if oldest is None or oldest in protected:
                return False
            self._evict(oldest)
        return True

    def _add(self, name: BlockName, block: _Block[ContentT]) -> None:
        self._supersede(block)
        insort(self._children.setdefault(block.parent, []), (block.tokens, name))
        self._blocks[name] = block
        self._owners_of[name.digest] += 1
        self._evicted.pop(name, None)
        self.nbytes += block.content.nbytes

    def _supersede(self, block: _Block[ContentT]) -> None:
        """Drops the tail that the new block holds too; there is at most one, and it stands right before."""
        children = self._children.get(block.parent, [])
        place = bisect_left(children, (block.tokens,))
        if place:
            tokens, name = children[place - 1]
            if _agreeing(tokens, block.tokens) == len(tokens):
                self._remove(name)

    def _use(self, path: Sequence[BlockName]) -> None:
        for name in reversed(path):
            self._blocks.move_to_end(name)

    # Dropping.

    def _evict(self, name: BlockName) -> None:
        self._remove(name)
        self.evictions += 1
        self._evicted[name] = None
        if len(self._evicted) > REMEMBERED_EVICTIONS:
            self._evicted.popitem(last=False)

    def _remove(self, name: BlockName) -> None:
        block = self._blocks.pop(name)
        self.nbytes -= block.content.nbytes
        self._owners_of[name.digest] -= 1
        if not self._owners_of[name.digest]:
            del self._owners_of[name.digest]
        children = self._children[block.parent]
        children.remove((block.tokens, name))
        if not children:
            del self._children[block.parent]


def block_names(root: SequenceRoot, tokens: Sequence[int], /) -> Iterator[BlockName]:
    """Names the full blocks of a sequence, in order."""
    name = _name_of_root(root)
    for start in range(0, len(tokens) - BLOCK_TOKENS + 1, BLOCK_TOKENS):
        name = _name_after(name, tokens[start : start + BLOCK_TOKENS])
        yield name


def _name_of_root(root: SequenceRoot) -> BlockName:
    return BlockName(root.owner, root.model)


def _name_after(parent: BlockName, tokens: Sequence[int]) -> BlockName:
    return BlockName(parent.owner, hashlib.sha256(parent.digest + array("I", tokens).tobytes()).digest())


def _agreeing(one: Sequence[int], other: Sequence[int]) -> int:
    """Counts the tokens up to which two sequences are the same."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
