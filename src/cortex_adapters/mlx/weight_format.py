"""In what numbers a model's weights are kept."""

from enum import StrEnum


class WeightFormat(StrEnum):
    """How weights are stored and multiplied; which one is fast depends on the device.

    Attributes:
        FLOAT32: Fast on CPUs, where MLX hands it to BLAS and computes the others value by value.
        FOUR_BIT: The smallest in memory; fast on GPUs.
    """

    FLOAT32 = "float32"
    FOUR_BIT = "4-bit"
