import json
from typing import Any

import pytest

from cortex_adapters.hugging_face_hub.model_config import ModelConfig, parse_model_config


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, ModelConfig()),
        ({"model_type": "llama"}, ModelConfig(model_type="llama")),
        ({"max_position_embeddings": 4096}, ModelConfig(context_window=4096)),
        ({"text_config": {"max_position_embeddings": 4096}}, ModelConfig(context_window=4096)),
        ({"max_position_embeddings": "many"}, ModelConfig()),
        ({"quantization": {"bits": 4, "group_size": 64}, "torch_dtype": "float16"}, ModelConfig(quantization="4-bit")),
        ({"quantization_config": {"bits": 8}}, ModelConfig(quantization="8-bit")),
        ({"torch_dtype": "bfloat16"}, ModelConfig(quantization="bfloat16")),
        ({"dtype": "torch.float32"}, ModelConfig(quantization="float32")),
        ({"text_config": {"dtype": "bfloat16"}}, ModelConfig(quantization="bfloat16")),
        ({"quantization": "yes", "text_config": 1, "torch_dtype": None}, ModelConfig()),
        ({"model_file": "code.py"}, ModelConfig(code_file="code.py")),
    ],
)
def test_a_config_tells_what_it_can(config: dict[str, Any], expected: ModelConfig) -> None:
    assert parse_model_config(json.dumps(config).encode()) == expected


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"[" * 200_000])
def test_what_is_no_config_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_model_config(content)
