"""Where the engine runs."""

from enum import StrEnum


class EnginePlacement(StrEnum):
    """Where models are computed.

    THREAD: In this process; nothing is copied, for programs that embed Cortex and for tests.
    PROCESS: In a worker process; a crash there is a pause for readers here, and no model leaves anything behind.
    """

    THREAD = "thread"
    PROCESS = "process"
