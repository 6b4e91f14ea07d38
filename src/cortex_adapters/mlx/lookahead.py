"""Follows what a row is held to along guesses that may be wrong."""

from collections.abc import Sequence

import mlx.core as mx

from cortex_adapters.mlx.output_masks import AllowedTokens, mask_rows
from cortex_adapters.mlx.token_constraint import TokenConstraint


class Lookahead:
    """Goes ahead with a constraint, token by token, and back to where the guesses went wrong.

    Args:
        constraint: The row's, before the row's last token.
    """

    def __init__(self, constraint: TokenConstraint) -> None:
        self._constraint = constraint
        self._allowed: list[AllowedTokens | None] = []

    def take(self, token: int, /) -> None:
        """Takes the next token: first the row's last one, then each guess."""
        self._constraint.take(token)
        self._allowed.append(self._constraint.allowed())

    def mask_next(self, logits: mx.array, /) -> mx.array:
        """Takes from logits of shape (1, vocabulary) what may not follow the tokens that were taken."""
        return mask_rows(logits, self._allowed[-1:])

    def mask_all(self, logits: mx.array, /) -> mx.array:
        """Does so for logits of shape (tokens taken, vocabulary), each row for what follows one of them."""
        return mask_rows(logits, self._allowed)

    def settle(self, guesses: Sequence[int], /, *, right: int) -> None:
        """Goes back to before the first wrong guess."""
        self._constraint.undo(len(guesses) - right)
