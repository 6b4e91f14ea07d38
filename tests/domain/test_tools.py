from dataclasses import replace

import pytest

from cortex_domain.errors import InvalidRequestError
from cortex_domain.generation import MAX_TOOLS, GenerationRequest
from cortex_domain.language_models import Capability, ModelId
from cortex_domain.messages import Message, Role, TextPart, ToolCallPart, ToolResultPart, tool_message, user_message
from cortex_domain.tools import ToolChoice, ToolChoiceMode, ToolDefinition

CALL = ToolCallPart(id="call_1", name="look", arguments="{}")
CALLING = Message(role=Role.ASSISTANT, parts=(TextPart(text="Let me see."), CALL))
NONE = ToolChoice(mode=ToolChoiceMode.NONE)


def request(*tools: str, choice: ToolChoice | None = None, messages: tuple[Message, ...] = ()) -> GenerationRequest:
    return GenerationRequest(
        model=ModelId("a/b"),
        messages=messages or (user_message("hello"),),
        tools=tuple(ToolDefinition(name=name) for name in tools),
        tool_choice=choice or ToolChoice(),
    )


@pytest.mark.parametrize("name", ["", "a b", "a.b", "x" * 129, "a\n", "dür"])
def test_a_name_that_models_cannot_write_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequestError, match="cannot name a tool") as caught:
        ToolDefinition(name=name)
    assert caught.value.parameter == "tools"


def test_parameters_are_those_of_an_object() -> None:
    schema = {"type": "object", "properties": {}}
    assert ToolDefinition(name="look", parameters=schema).parameters == schema
    with pytest.raises(InvalidRequestError, match="'look' must be the JSON Schema of an object"):
        ToolDefinition(name="look", parameters={"type": "string"})


@pytest.mark.parametrize(
    ("mode", "name"), [(mode, "look" if mode is not ToolChoiceMode.NAMED else None) for mode in ToolChoiceMode]
)
def test_a_choice_has_a_name_exactly_when_it_needs_one(mode: ToolChoiceMode, name: str | None) -> None:
    with pytest.raises(InvalidRequestError, match="has a name when"):
        ToolChoice(mode=mode, name=name)


def test_a_choice_that_tools_do_not_allow_is_refused() -> None:
    for choice in (ToolChoice(mode=ToolChoiceMode.REQUIRED), ToolChoice(mode=ToolChoiceMode.NAMED, name="look")):
        with pytest.raises(InvalidRequestError, match="there are no tools"):
            request(choice=choice)
        assert choice.is_forced
    with pytest.raises(InvalidRequestError, match="'look', which is none of the tools"):
        request("listen", choice=ToolChoice(mode=ToolChoiceMode.NAMED, name="look"))


def test_tools_are_bounded_and_told_apart() -> None:
    assert len(request(*(f"t{number}" for number in range(MAX_TOOLS))).tools) == MAX_TOOLS
    with pytest.raises(InvalidRequestError, match="At most 128 tools"):
        request(*(f"t{number}" for number in range(MAX_TOOLS + 1)))
    with pytest.raises(InvalidRequestError, match="the same name"):
        request("look", "look")


def test_a_prompt_has_no_tools() -> None:
    with pytest.raises(InvalidRequestError, match="no place for tools"):
        replace(request("look"), messages=(), prompt="Once")
    assert replace(request("look", choice=NONE), messages=(), prompt="Once").needs == {Capability.RAW_PROMPT: "prompt"}


def test_what_needs_tools_says_so() -> None:
    answered = user_message("hello"), CALLING, tool_message("call_1", "nothing")
    assert request("look").needs == {Capability.TOOLS: "tools"}
    assert request(messages=answered).needs == {Capability.TOOLS: "messages"}
    assert request("look", choice=NONE).needs == {}
    assert request("look", choice=NONE).offered_tools == ()
    assert request("look", choice=NONE, messages=answered).needs == {Capability.TOOLS: "messages"}


def test_a_result_answers_a_call_before_it() -> None:
    with pytest.raises(InvalidRequestError, match="'call_2', which no message before it makes"):
        request("look", messages=(CALLING, tool_message("call_2", "nothing")))
    with pytest.raises(InvalidRequestError, match="'call_1', which no message before it makes"):
        request("look", messages=(tool_message("call_1", "nothing"), CALLING))


@pytest.mark.parametrize(
    ("role", "parts"),
    [
        (Role.TOOL, (TextPart(text="nothing"),)),
        (Role.USER, (ToolResultPart(call_id="call_1", text="nothing"),)),
        (Role.TOOL, (ToolResultPart(call_id="call_1", text="nothing"), TextPart(text="else"))),
        (Role.USER, (CALL,)),
        (Role.TOOL, (CALL,)),
    ],
)
def test_each_says_what_its_role_allows(
    role: Role, parts: tuple[TextPart | ToolCallPart | ToolResultPart, ...]
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        Message(role=role, parts=parts)
    assert caught.value.parameter == "messages"


def test_messages_tell_calls_and_results_from_text() -> None:
    assert (CALLING.text, CALLING.tool_calls, CALLING.tool_results) == ("Let me see.", (CALL,), ())
    result = ToolResultPart(call_id="call_1", text="nothing")
    assert tool_message("call_1", "nothing").tool_results == (result,)


def test_a_call_is_named_and_valid_unicode() -> None:
    for fields in ({"id": ""}, {"name": ""}, {"arguments": "\ud800"}):
        with pytest.raises(InvalidRequestError):
            ToolCallPart(**{"id": "call_1", "name": "look", "arguments": "{}", **fields})
    with pytest.raises(InvalidRequestError, match="surrogate"):
        ToolResultPart(call_id="call_1", text="\udfff")
