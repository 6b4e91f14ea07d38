"""Text generation with MLX and mlx-lm; the only package that imports them."""

from cortex_adapters.mlx.cuda_environment import set_cuda_environment
from cortex_adapters.mlx.openblas import load_openblas

# Before any module of this package imports MLX: afterwards MLX has bound its own, slow BLAS, and read its environment.
load_openblas()
set_cuda_environment()
