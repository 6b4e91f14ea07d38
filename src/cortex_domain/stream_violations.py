"""Says what is wrong with a stream of events."""

from cortex_domain.errors import ContractViolationError


def require(holds: bool, violation: str) -> None:
    """Raises unless a rule of event streams holds.

    Raises:
        ContractViolationError: It does not.
    """
    if not holds:
        raise ContractViolationError(f"The adapter broke its event stream: {violation}.")
