"""Adapters that run models with MLX and mlx-lm. Importing this package does not import MLX.

It does load OpenBLAS where MLX needs one, because that must happen before anything imports MLX.
"""

from cortex_adapters.mlx.openblas import load_openblas

load_openblas()
