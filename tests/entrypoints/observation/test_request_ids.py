import pytest

from cortex_entrypoints.observation.request_ids import bind_request_id, current_request_id


@pytest.mark.parametrize("offered", ["a", "trace:0af7.651-9_c", "x" * 64])
async def test_a_harmless_id_is_taken(offered: str) -> None:
    assert bind_request_id(offered) == offered
    assert current_request_id() == offered


@pytest.mark.parametrize("offered", [None, "", "x" * 65, "two words", "line\nfeed", "é", "a=b", '"'])
async def test_any_other_is_replaced(offered: str | None) -> None:
    made = bind_request_id(offered)
    assert made.startswith("req_")
    assert made != bind_request_id(offered)
