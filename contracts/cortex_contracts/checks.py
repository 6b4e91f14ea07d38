"""Ties a test to the requirement that it checks, and bounds its time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Protocol, TypeVar


class Harness(Protocol):
    """What every harness has.

    Attributes:
        patience_s: Seconds after which a test that does not end counts as hanging.
    """

    @property
    def patience_s(self) -> float: ...  # noqa: D102


ContractT = TypeVar("ContractT")
HarnessT = TypeVar("HarnessT", bound=Harness)
Check = Callable[[ContractT, HarnessT], Awaitable[None]]


def checks(requirement_id: str, /) -> Callable[[Check[ContractT, HarnessT]], Check[ContractT, HarnessT]]:
    """Marks a test method as the one that checks a requirement; the test fails when it hangs."""

    def mark(test: Check[ContractT, HarnessT]) -> Check[ContractT, HarnessT]:
        @wraps(test)
        async def bounded(contract: ContractT, harness: HarnessT) -> None:
            async with asyncio.timeout(harness.patience_s):
                await test(contract, harness)

        vars(bounded)["requirement_id"] = requirement_id
        return bounded

    return mark


def checks_of(contract: type, /) -> Mapping[str, str]:
    """Maps each test method of a contract class to the id of the requirement that it checks."""
    tests = {name: getattr(contract, name) for name in dir(contract) if name.startswith("test_")}
    return {name: vars(test)["requirement_id"] for name, test in tests.items()}
