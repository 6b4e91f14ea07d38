"""The composition root: chooses adapters by the settings and wires them to the use cases.

The only package that imports adapters. Those that need MLX are imported when they are chosen, so that the fake models
start at once and run where MLX is not installed.
"""

from cortex_adapters.python_functions import FunctionToolProvider, tool
from cortex_entrypoints.container.composition import build_container, open_cortex
from cortex_entrypoints.container.engine_placement import EnginePlacement
from cortex_entrypoints.container.use_cases import CortexContainer

__all__ = ["CortexContainer", "EnginePlacement", "FunctionToolProvider", "build_container", "open_cortex", "tool"]
