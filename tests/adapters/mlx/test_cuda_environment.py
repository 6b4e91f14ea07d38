import os

import pytest

from cortex_adapters.mlx.cuda_environment import set_cuda_environment


def test_mlx_is_told_not_to_give_up_on_shapes_that_are_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLX_ENABLE_CACHE_THRASHING_CHECK", raising=False)
    set_cuda_environment()
    assert os.environ["MLX_ENABLE_CACHE_THRASHING_CHECK"] == "0"


def test_what_the_operator_said_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLX_CUDA_USE_CUDNN_SDPA", "1")
    set_cuda_environment()
    assert os.environ["MLX_CUDA_USE_CUDNN_SDPA"] == "1"
