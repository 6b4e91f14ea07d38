"""Each error has one status, its facts reach the client, and bugs tell the client nothing."""

import json

import pytest

import cortex_domain.errors
from cortex_domain.errors import (
    ContextWindowExceededError,
    ContractViolationError,
    CortexError,
    GeneratorBusyError,
    InsufficientMemoryError,
    InvalidModelError,
    InvalidRequestError,
    ModelNotFoundError,
    RequestRefusedError,
    ResourceUnavailableError,
    ShuttingDownError,
    UnavailableReason,
    UnsupportedCapabilityError,
)
from cortex_entrypoints.http import edge_errors
from cortex_entrypoints.http.error_responses import STATUSES, error_facts, error_response, status_of


def _error_classes() -> set[type[CortexError]]:
    modules = (cortex_domain.errors, edge_errors)
    return {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, CortexError)
    }


def test_every_error_is_in_the_table_and_nothing_else() -> None:
    assert set(STATUSES) == _error_classes()


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [error.code for error in _error_classes()]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("error_class", sorted(_error_classes(), key=repr))
def test_the_status_says_who_can_act(error_class: type[CortexError]) -> None:
    status = STATUSES[error_class]
    if issubclass(error_class, RequestRefusedError):
        assert 400 <= status < 500
    elif issubclass(error_class, ResourceUnavailableError):
        assert status in (502, 503, 504, 507)
    else:
        assert status == 500


def test_an_error_that_somebody_adds_has_the_status_of_its_base() -> None:
    class StrangeRequestError(InvalidRequestError):
        code = "strange_request"

    assert status_of(StrangeRequestError) == 400


async def test_facts_are_details() -> None:
    response = error_response(ModelNotFoundError(model_id="a/x", nearest=("a/y",)))
    assert response.status_code == 404
    assert json.loads(await response.get_data(as_text=True)) == {
        "error": {
            "code": "model_not_found",
            "message": "There is no model named 'a/x'. Did you mean a/y?",
            "details": {"model_id": "a/x", "nearest": ["a/y"]},
        }
    }


def test_the_parameter_is_no_detail() -> None:
    facts = error_facts(UnsupportedCapabilityError(capability="seed", model_id="a/b", parameter="seed"))
    assert facts.param == "seed"
    assert facts.details == {"capability": "seed", "model_id": "a/b"}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (GeneratorBusyError("Full."), "queue_full"),
        (GeneratorBusyError("Full.", reason=UnavailableReason.MEMORY_PRESSURE), "memory_pressure"),
        (InsufficientMemoryError(model_id="a/b", required_bytes=2, available_bytes=1), "memory_pressure"),
        (ShuttingDownError("Bye."), "draining"),
    ],
)
async def test_a_server_that_takes_nothing_more_says_why(error: CortexError, reason: str) -> None:
    response = error_response(error)
    body = json.loads(await response.get_data(as_text=True))["error"]
    assert (response.status_code, body["code"], body["reason"]) == (503, error.code, reason)
    assert "reason" not in body.get("details", {})


def test_what_is_wrong_with_a_model_is_a_detail() -> None:
    facts = error_facts(InvalidModelError(model_id="a/b", reason="half of it is missing"))
    assert facts.reason is None
    assert facts.details == {"model_id": "a/b", "reason": "half of it is missing"}


def test_facts_that_nobody_knows_are_left_out() -> None:
    facts = error_facts(ContextWindowExceededError(prompt_tokens=9, max_tokens=None, context_window=8))
    assert facts.details == {"prompt_tokens": 9, "context_window": 8}


@pytest.mark.parametrize(("seconds", "header"), [(0.2, "1"), (1.0, "1"), (1.2, "2"), (None, None)])
def test_when_to_try_again(seconds: float | None, header: str | None) -> None:
    response = error_response(GeneratorBusyError("Busy.", retry_after_s=seconds))
    assert response.headers.get("Retry-After") == header


@pytest.mark.parametrize("bug", [ContractViolationError("secret"), ValueError("secret"), CortexError("secret")])
def test_a_bug_tells_nothing(bug: Exception) -> None:
    facts = error_facts(bug)
    assert facts.code == "internal_error"
    assert "secret" not in facts.model_dump_json()
