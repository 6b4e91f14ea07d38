import pytest

from cortex_adapters.python_functions import FunctionToolProvider, tool


async def test_two_tools_of_one_name_are_refused() -> None:
    @tool
    def add(a: int) -> int:
        return a

    with pytest.raises(ValueError, match="2 tools are named 'add'"):
        FunctionToolProvider([add, add])


async def test_tools_are_listed_in_their_order() -> None:
    @tool
    def zebra() -> None: ...

    @tool
    def ant() -> None: ...

    assert [listed.name for listed in await FunctionToolProvider([zebra, ant]).list_tools()] == ["zebra", "ant"]
