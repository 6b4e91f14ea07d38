"""Names of tools are legal, and no two tools share one."""

from hypothesis import given
from hypothesis import strategies as st

from cortex_adapters.mcp.tool_naming import server_prefix, tool_name
from cortex_domain.tools import ToolDefinition

_names = st.text(max_size=200) | st.text(alphabet="ab_-. ", max_size=12)


def named(server: str, tool: str) -> str:
    return tool_name(server_prefix(server), tool)


def test_plain_names_are_kept() -> None:
    assert named("git-hub", "list_issues") == "git-hub__list_issues"
    assert named("a_b", "c__d") == "a_b__c__d"


def test_what_is_not_allowed_is_replaced_the_same_way_each_time() -> None:
    assert named("my notes", "read/file").startswith("my_notes_")
    assert named("my notes", "read/file") == named("my notes", "read/file")
    assert named("a", "b.c") != named("a", "b_c")


@given(server=_names, tool=_names)
def test_every_name_is_legal(server: str, tool: str) -> None:
    ToolDefinition(name=named(server, tool))


@given(one=st.tuples(_names, _names), other=st.tuples(_names, _names))
def test_no_two_tools_share_a_name(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (named(*one) == named(*other)) == (one == other)
