"""Runs code in CPython, in a process that the system confines: bubblewrap on Linux, Seatbelt on macOS.

Slower to start than Monty and all of Python, with the packages of whichever environment it is given.
"""

from cortex_adapters.process_sandbox.bubblewrap import Bubblewrap
from cortex_adapters.process_sandbox.code_executor import ProcessCodeExecutor
from cortex_adapters.process_sandbox.seatbelt import Seatbelt

__all__ = ["Bubblewrap", "ProcessCodeExecutor", "Seatbelt"]
