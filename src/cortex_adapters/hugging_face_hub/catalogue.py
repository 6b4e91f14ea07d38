"""The models that Cortex proposes before anything is downloaded.

Sizes are those of the repositories, rounded; memory is what a chat of ordinary length takes with the weights loaded.
"""

from cortex_domain.language_models import ModelDescriptor, ModelId, ModelState

CATALOGUE = (
    ModelDescriptor(
        id=ModelId("mlx-community/Llama-3.2-3B-Instruct-4bit"),
        state=ModelState.AVAILABLE,
        size_bytes=1_700_000_000,
        memory_bytes=4_000_000_000,
        context_window=131_072,
        quantization="4-bit",
        description="Fast: everyday chat on any Apple silicon machine",
    ),
    ModelDescriptor(
        id=ModelId("mlx-community/Meta-Llama-3.1-8B-Instruct-4bit"),
        state=ModelState.AVAILABLE,
        size_bytes=4_500_000_000,
        memory_bytes=8_000_000_000,
        context_window=131_072,
        quantization="4-bit",
        description="Balanced: better answers at a moderate speed",
    ),
    ModelDescriptor(
        id=ModelId("mlx-community/Qwen2.5-7B-Instruct-4bit"),
        state=ModelState.AVAILABLE,
        size_bytes=4_200_000_000,
        memory_bytes=8_000_000_000,
        context_window=32_768,
        quantization="4-bit",
        description="Follows instructions closely; strong at code and at many languages",
    ),
    ModelDescriptor(
        id=ModelId("mlx-community/Llama-3.3-70B-Instruct-4bit"),
        state=ModelState.AVAILABLE,
        size_bytes=39_000_000_000,
        memory_bytes=48_000_000_000,
        context_window=131_072,
        quantization="4-bit",
        description="Best quality: for machines with 64 GB of memory or more",
    ),
)
