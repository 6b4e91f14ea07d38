"""One way to be wrong."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

HarnessT = TypeVar("HarnessT")


@dataclass(frozen=True, slots=True)
class Breakage(Generic[HarnessT]):
    """Spoils a harness that conforms.

    Attributes:
        requirement_id: The one requirement that is no longer kept.
        name: What goes wrong, in a few words.
        spoil: Returns the harness with a broken adapter in place of the right one.
    """

    requirement_id: str
    name: str
    spoil: Callable[[HarnessT], HarnessT]
