"""What a fake tool does when it is used."""

from dataclasses import dataclass

from cortex_domain.tool_execution import ToolOutput


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedToolUse:
    """One use of a tool.

    Attributes:
        progress: What it tells first: sentences, each with the share that is done, or None.
        delay_s: Seconds that it takes after that; None never ends.
        output: What it returns; None returns its arguments as JSON.
        error: What it raises instead; None raises nothing.
    """

    progress: tuple[tuple[str, float | None], ...] = ()
    delay_s: float | None = 0.0
    output: ToolOutput | None = None
    error: BaseException | None = None
