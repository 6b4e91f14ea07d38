"""Attention of one new token a row over rows of different lengths, as one CUDA kernel.

MLX's fused attention takes no array that says where each row begins, on CUDA, and computes scores, softmax and sum one
after the other. Decoding is bound there by the number of kernels. Measured on one H200 with a 3B bfloat16 model and
rows of 60 to 100 tokens: a step of 8 rows takes 6.7 ms with this kernel and 8.8 ms without. Alone it takes 0.2 to 0.7
of the time that masked attention takes, for 2 to 32 rows of 128 to 4,096 tokens.

The kernel computes a softmax as its terms arrive (https://arxiv.org/abs/1805.02867), in 32-bit numbers: each warp goes
through some of the tokens, and what the warps found is joined at the end.
"""

import functools
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
from mlx_lm.models import base

MAX_RAGGED_TOKENS = 4096
"""Longer rows are better left to MLX: here one block reads all of a head."""
_WARPS = 8
_LANES = 32
_HEAD_SIZES = frozenset({64, 96, 128})

_SOURCE = """
    constexpr int kSizes = HEAD_SIZE / 32;
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int head = blockIdx.x, row = blockIdx.y, kv_head = head / QUERIES_PER_KEY;
    const T* query = queries + row * queries_strides[0] + head * queries_strides[1] + lane * kSizes;
    const T* key = keys + row * keys_strides[0] + kv_head * keys_strides[1] + lane * kSizes;
    const T* value = values + row * values_strides[0] + kv_head * values_strides[1] + lane * kSizes;

    float scaled[kSizes], sums[kSizes];
    for (int i = 0; i < kSizes; i++) {
        scaled[i] = scale[0] * 1.44269504f * static_cast<float>(query[i]);  // exp2 is the faster power
        sums[i] = 0.f;
    }
    float highest = -INFINITY, weight = 0.f;
    for (int token = left_padding[row] + warp; token < keys_shape[2]; token += WARPS) {
        float score = 0.f;
        for (int i = 0; i < kSizes; i++)
            score += scaled[i] * static_cast<float>(key[token * keys_strides[2] + i]);
        for (int other = 16; other; other >>= 1)
            score += __shfl_xor_sync(0xffffffff, score, other);
        const float top = fmaxf(highest, score);
        const float fading = exp2f(highest - top), share = exp2f(score - top);
        highest = top;
        weight = weight * fading + share;
        for (int i = 0; i < kSizes; i++)
            sums[i] = sums[i] * fading + share * static_cast<float>(value[token * values_strides[2] + i]);
    }

    __shared__ float all_highest[WARPS], all_weights[WARPS], all_sums[WARPS][HEAD_SIZE];
    if (lane == 0) {
        all_highest[warp] = highest;
        all_weights[warp] = weight;
    }
    for (int i = 0; i < kSizes; i++)
        all_sums[warp][lane * kSizes + i] = sums[i];
    __syncthreads();
    if (threadIdx.x < HEAD_SIZE) {
        float top = all_highest[0];
        for (int i = 1; i < WARPS; i++)
            top = fmaxf(top, all_highest[i]);
        float total = 0.f, sum = 0.f;
        for (int i = 0; i < WARPS; i++) {
            const float fading = exp2f(all_highest[i] - top);
            total += all_weights[i] * fading;
            sum += all_sums[i][threadIdx.x] * fading;
        }
        attended[(row * gridDim.x + head) * HEAD_SIZE + threadIdx.x] = static_cast<T>(sum / total);
    }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RaggedRows:
    """What each row may see, in the place of mlx-lm's mask.

    Attributes:
        left_padding: How many tokens at the beginning of each row are padding, shape (rows,).
    """

    left_padding: mx.array


def attend(  # noqa: PLR0917 - mlx-lm's signature
    queries: mx.array,
    keys: mx.array,
    values: mx.array,
    cache: Any,  # noqa: ANN401 - mlx-lm's own
    scale: float,
    mask: Any,  # noqa: ANN401 - None, a word, an array or `RaggedRows`
    sinks: mx.array | None = None,
) -> mx.array:
    """Does what mlx-lm's `scaled_dot_product_attention` does, and understands `RaggedRows`.

    Raises:
        ValueError: The kernel does not compute such heads.
    """
    if isinstance(mask, RaggedRows):
        if sinks is not None or not _is_fit(queries, keys, values):
            raise ValueError(f"heads of {queries.shape} and {keys.shape} are not for this kernel")
        return _run_kernel(queries, keys, values, mask.left_padding, scale)
    attended: mx.array = base.scaled_dot_product_attention(
        queries, keys, values, cache=cache, scale=scale, mask=mask, sinks=sinks
    )
    return attended


def _is_fit(queries: mx.array, keys: mx.array, values: mx.array) -> bool:
    is_known_size = keys.shape[-1] in _HEAD_SIZES and queries.shape[-1] == keys.shape[-1] == values.shape[-1]
    return is_known_size and queries.shape[2] == 1 and queries.dtype == keys.dtype == values.dtype


def _run_kernel(queries: mx.array, keys: mx.array, values: mx.array, left_padding: mx.array, scale: float) -> mx.array:
    rows, heads, _, head_size = queries.shape
    attended: mx.array = _kernel()(
        inputs=[queries, keys, values, left_padding, _as_array(scale)],
        template=[
            ("T", queries.dtype),
            ("HEAD_SIZE", head_size),
            ("QUERIES_PER_KEY", heads // keys.shape[1]),
            ("WARPS", _WARPS),
        ],
        grid=(heads * _WARPS * _LANES, rows, 1),
        threadgroup=(_WARPS * _LANES, 1, 1),
        output_shapes=[queries.shape],
        output_dtypes=[queries.dtype],
    )[0]
    return attended


@functools.cache
def _kernel() -> Any:  # noqa: ANN401 - MLX's own
    return mx.fast.cuda_kernel(
        name="cortex_ragged_attention",
        input_names=["queries", "keys", "values", "left_padding", "scale"],
        output_names=["attended"],
        source=_SOURCE,
        ensure_row_contiguous=False,
    )


@functools.cache
def _as_array(scale: float) -> mx.array:
    return mx.array(scale, dtype=mx.float32)
