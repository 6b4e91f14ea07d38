"""Runs code in Monty, an interpreter of a part of Python that has no way out: no files, no sockets, no processes.

Every run has a worker process of its own, which knows no state before it and is ended after it.
"""

from cortex_adapters.monty.code_executor import MontyCodeExecutor

__all__ = ["MontyCodeExecutor"]
