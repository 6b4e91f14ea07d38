"""Keeps sequences of very different lengths in batches of their own.

A batch pads all its rows to the longest one. Four chats of 100 tokens beside one of 6,000 would be copied, kept and
attended to as five of 6,000: with the starter model on two CPU cores a step takes 0.4 s then, and 0.15 s in two
batches. A second batch costs another pass over the weights, so it is worth it when there would be more padding than
there are weights.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cortex_adapters.mlx.batch_generation import LeanBatchGenerator
from cortex_adapters.mlx.batch_sampling import RowSampler

MAX_GROUPS = 3
_UIDS = 2**40
"""Sequence numbers of one group; those of the next begin there."""


@dataclass(slots=True, kw_only=True)
class GroupedStep:
    """What one step of all groups did.

    Attributes:
        prompt_responses: mlx-lm's, about prompts.
        token_responses: mlx-lm's, about tokens.
        decode_s: Seconds spent on tokens.
        prompt_tokens: Tokens of prompts that were read.
        prompt_s: Seconds spent on those.
    """

    prompt_responses: list[Any] = field(default_factory=list)
    token_responses: list[Any] = field(default_factory=list)
    decode_s: float = 0.0
    prompt_tokens: int = 0
    prompt_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    generator: LeanBatchGenerator
    lengths: dict[int, int] = field(default_factory=dict)
    """Tokens with which each sequence began."""

    def padding_with(self, length: int, rows: int) -> int:
        """Tokens of padding that there are when so many rows of a length join."""
        lengths = [*self.lengths.values(), *[length] * rows]
        return max(lengths) * len(lengths) - sum(lengths)


class LengthGroups:
    """Several batch generators of one model, as if they were one.

    Args:
        make_generator: Makes one whose sequence numbers begin with the one given.
        max_padding_tokens: Tokens of padding that are cheaper than another group; None has a single group.
    """

    def __init__(self, make_generator: Callable[[int], LeanBatchGenerator], *, max_padding_tokens: int | None) -> None:
        self._make_generator = make_generator
        self._max_padding_tokens = max_padding_tokens
        self._groups = [_Group(generator=make_generator(0))]

    @property
    def stream(self) -> Any:  # noqa: ANN401 - MLX's own
        """What all of them compute on."""
        return self._groups[0].generator.stream

    @property
    def decoding_rows(self) -> int:
        """Sequences that are past their prompt."""
        return sum(group.generator.decoding_rows for group in self._groups)

    @property
    def prompt_rows(self) -> int:
        """Sequences whose prompt is being read or waits for it."""
        return sum(group.generator.prompt_rows for group in self._groups)

    def insert_row(self, tokens: list[int], *, copies: Sequence[RowSampler] = (), **options: Any) -> int:  # noqa: ANN401
        """Adds a sequence where it fits best; see `LeanBatchGenerator.insert_row`."""
        rows = 1 + len(copies)
        group = self._group_for(len(tokens), rows)
        uid = group.generator.insert_row(tokens, copies=copies, **options)
        group.lengths.update(dict.fromkeys(range(uid, uid + rows), len(tokens)))
        return uid

    def remove(self, uids: Sequence[int], /) -> None:
        """Takes sequences out, also such as have ended."""
        for uid in uids:
            group = self._group_of(uid)
            group.lengths.pop(uid, None)
            group.generator.remove([uid])

    def extract_cache(self, uid: int, /) -> tuple[list[Any], list[int]] | None:
        """Looks at a sequence's caches, one a layer, and the tokens that they hold; None when it has ended."""
        found: dict[int, Any] = self._group_of(uid).generator.extract_cache([uid])
        return found.get(uid)

    def next(self, *, piece_tokens: int) -> GroupedStep:
        """Advances all sequences: by a token, or by so many tokens of their prompt."""
        step = GroupedStep()
        for group in self._groups:
            self._advance(group.generator, piece_tokens, step)
        return step

    def close(self) -> None:
        """Ends all of them."""
        for group in self._groups:
            group.generator.close()

    def _group_of(self, uid: int) -> _Group:
        return self._groups[uid // _UIDS]

    def _group_for(self, length: int, rows: int) -> _Group:
        """Finds the group that has the least padding then, an empty one last of all; or makes one."""
        best = min(self._groups, key=lambda group: (not group.lengths, group.padding_with(length, rows)))
        if self._max_padding_tokens is None or best.padding_with(length, rows) <= self._max_padding_tokens:
            return best
        empty = next((group for group in self._groups if not group.lengths), None)
        if empty is None and len(self._groups) < MAX_GROUPS:
            empty = _Group(generator=self._make_generator(len(self._groups) * _UIDS))
            self._groups.append(empty)
        return empty or best

    @staticmethod
    def _advance(generator: LeanBatchGenerator, piece_tokens: int, step: GroupedStep) -> None:
        if not generator.decoding_rows and not generator.prompt_rows:
            return
        generator.read_at_most(rows=max(generator.prompt_rows, 1), tokens=piece_tokens)
        with generator.stats() as stats:
            prompt_responses, token_responses = generator.next()
        step.prompt_responses += prompt_responses
        step.token_responses += token_responses
        step.decode_s += stats.decode_time
        step.prompt_tokens += stats.prompt_tokens
        step.prompt_s += stats.prompt_time
