"""Tools that are Python functions of this program.

@tool(effects=[ToolEffect.NETWORK], is_idempotent=True)
async def weather(city: str, days: Annotated[int, Field(ge=1, le=7)] = 1) -> dict[str, float]:
    '''Tells the weather of the next days.

Args:
        city: Name of a city, in English.
        days: How many days.
    '''

provider = FunctionToolProvider([weather])
"""

from cortex_adapters.python_functions.function_tool import FunctionTool
from cortex_adapters.python_functions.tool_decorator import tool
from cortex_adapters.python_functions.tool_provider import FunctionToolProvider

__all__ = ["FunctionTool", "FunctionToolProvider", "tool"]
