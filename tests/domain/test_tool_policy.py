import pytest

from cortex_domain.errors import InvalidRequestError
from cortex_domain.tool_execution import ToolDescriptor, ToolEffect
from cortex_domain.tool_policy import ToolPermission, ToolPolicy, permission_of, strictest
from cortex_domain.tools import ToolDefinition


def tool(*effects: ToolEffect, name: str = "use") -> ToolDescriptor:
    return ToolDescriptor(definition=ToolDefinition(name=name), effects=frozenset(effects))


@pytest.mark.parametrize(
    ("effects", "permission"),
    [
        ((), ToolPermission.ALLOW),
        ((ToolEffect.READS_LOCAL,), ToolPermission.ALLOW),
        ((ToolEffect.NETWORK,), ToolPermission.ALLOW),
        ((ToolEffect.WRITES_LOCAL,), ToolPermission.ASK),
        ((ToolEffect.RUNS_CODE, ToolEffect.READS_LOCAL), ToolPermission.ASK),
        ((ToolEffect.SPENDS,), ToolPermission.ASK),
    ],
)
def test_reading_is_allowed_and_what_changes_something_is_asked_for(
    effects: tuple[ToolEffect, ...], permission: ToolPermission
) -> None:
    assert ToolPolicy().permission(tool(*effects), after_untrusted=False) is permission


def test_the_strictest_effect_decides() -> None:
    policy = ToolPolicy(effects={ToolEffect.NETWORK: ToolPermission.DENY})
    assert policy.permission(tool(ToolEffect.NETWORK, ToolEffect.RUNS_CODE), after_untrusted=False) == "deny"
    assert policy.permission(tool(ToolEffect.RUNS_CODE), after_untrusted=False) == "ask"


def test_a_named_tool_has_the_permission_that_names_it() -> None:
    policy = ToolPolicy(tools={"run": ToolPermission.ALLOW, "look": ToolPermission.DENY})
    assert policy.permission(tool(ToolEffect.RUNS_CODE, name="run"), after_untrusted=False) == "allow"
    assert policy.permission(tool(name="look"), after_untrusted=False) == "deny"


def test_untrusted_content_makes_everything_ask_but_what_is_named() -> None:
    policy = ToolPolicy(tools={"shut": ToolPermission.DENY}, allowed_after_untrusted=frozenset({"look"}))
    assert policy.permission(tool(), after_untrusted=True) == "ask"
    assert policy.permission(tool(name="shut"), after_untrusted=True) == "deny"
    assert policy.permission(tool(name="look"), after_untrusted=True) == "allow"
    assert policy.permission(tool(ToolEffect.RUNS_CODE, name="look"), after_untrusted=True) == "ask"


ALLOW, ASK, DENY = ToolPermission
WRITES, RUNS, NETWORK = ToolEffect.WRITES_LOCAL, ToolEffect.RUNS_CODE, ToolEffect.NETWORK


@pytest.mark.parametrize(
    ("policies", "permission"),
    [
        ([], ASK),
        ([ToolPolicy(effects={WRITES: ALLOW})], ALLOW),
        ([ToolPolicy(effects={WRITES: ALLOW}), ToolPolicy()], ALLOW),
        ([ToolPolicy(effects={WRITES: ALLOW}), ToolPolicy(effects={RUNS: DENY})], ALLOW),
        ([ToolPolicy(effects={WRITES: ALLOW}), ToolPolicy(effects={WRITES: DENY})], DENY),
        ([ToolPolicy(effects={WRITES: DENY}), ToolPolicy(tools={"use": ALLOW})], DENY),
        ([ToolPolicy(tools={"use": ALLOW}), ToolPolicy()], ALLOW),
        ([ToolPolicy(tools={"use": ALLOW}), ToolPolicy(tools={"use": ASK})], ASK),
        ([ToolPolicy(effects={RUNS: ALLOW}), ToolPolicy()], ASK),
    ],
)
def test_of_several_policies_the_strictest_that_says_something_decides(
    policies: list[ToolPolicy], permission: ToolPermission
) -> None:
    for order in (policies, policies[::-1]):
        assert permission_of(tool(WRITES), order, after_untrusted=False) is permission


def test_effects_that_nobody_speaks_of_keep_their_default() -> None:
    policies = [ToolPolicy(effects={NETWORK: ALLOW})]
    assert permission_of(tool(NETWORK, RUNS), policies, after_untrusted=False) is ASK


def test_any_policy_may_exempt_a_tool_after_untrusted_content_but_lift_no_permission() -> None:
    exempting = ToolPolicy(allowed_after_untrusted=frozenset({"use"}))
    assert permission_of(tool(NETWORK), [ToolPolicy(), exempting], after_untrusted=True) is ALLOW
    asking = ToolPolicy(tools={"use": ASK})
    assert permission_of(tool(NETWORK), [asking, exempting], after_untrusted=True) is ASK


def test_the_strictest_of_none_allows() -> None:
    assert strictest([]) is ToolPermission.ALLOW
    assert strictest(ToolPermission) is ToolPermission.DENY


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan"), float("inf")])
def test_a_tool_has_a_time_limit(timeout_s: float) -> None:
    with pytest.raises(InvalidRequestError, match="timeout_s"):
        ToolDescriptor(definition=ToolDefinition(name="use"), timeout_s=timeout_s)
