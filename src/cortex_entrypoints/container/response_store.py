"""Where answers are kept that callers may ask for again, whatever generates them."""

from cortex_adapters.in_memory import InMemoryResponseStore
from cortex_entrypoints.settings import Settings

_BYTES_PER_MB = 1_000_000


def build_response_store(settings: Settings) -> InMemoryResponseStore:
    """Builds the store within the settings' bounds."""
    return InMemoryResponseStore(max_bytes=settings.response_memory_mb * _BYTES_PER_MB)
