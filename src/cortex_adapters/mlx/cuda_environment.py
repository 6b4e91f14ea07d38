"""What MLX's CUDA backend is told before it is loaded; a variable that is set already is left as it is.

Measured on one H200 with a 3B bfloat16 model: requests that come as people send them, each of another length, made
MLX build something new for nearly every piece of a prompt. Without these variables 32 of them at once ran at 275 to
1,671 tokens/s, with them at 2,486 to 2,986.
"""

import os

_VARIABLES = {
    # A fuse: after twice the capacity of lifetime misses of a cache, however rare, MLX raises for ever.
    "MLX_ENABLE_CACHE_THRASHING_CHECK": "0",
    # CUDA graphs kept for reuse; MLX's own 400 are few for batches that grow and shrink.
    "MLX_CUDA_GRAPH_CACHE_SIZE": "2048",
    # cuDNN builds a plan for every new pair of prompt and cache lengths, which takes longer than the attention itself.
    "MLX_CUDA_USE_CUDNN_SDPA": "0",
}


def set_cuda_environment() -> None:
    """Sets the variables for this process; call it before MLX is imported. Other backends do not read them."""
    for name, value in _VARIABLES.items():
        os.environ.setdefault(name, value)
