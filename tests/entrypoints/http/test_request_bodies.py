"""What a chat body may be, what it becomes, and what is said about the ones that it may not."""

import base64
import json
from typing import Any

import pytest

from cortex_domain.errors import InvalidRequestError
from cortex_domain.generation import (
    MAX_OWNER_CHARACTERS,
    GenerationRequest,
    Priority,
    ReasoningEffort,
    SamplingParameters,
)
from cortex_domain.language_models import ModelId
from cortex_domain.messages import (
    AudioPart,
    ImagePart,
    Message,
    ReasoningPart,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    user_message,
)
from cortex_domain.output_constraints import (
    ChoiceOutput,
    GrammarOutput,
    GrammarSyntax,
    JsonSchemaOutput,
    OutputConstraint,
    RegexOutput,
)
from cortex_domain.tools import ToolChoice, ToolChoiceMode, ToolDefinition
from cortex_entrypoints.http.json_parsing import parse_body
from cortex_entrypoints.http.request_bodies import ChatBody, ChatDefaults

DEFAULTS = ChatDefaults(model=ModelId("some/default"), temperature=0.3, top_p=0.8)
MESSAGES = [{"role": "user", "content": "Hello"}]


def request_of(**fields: Any) -> GenerationRequest:
    return parse_body(json.dumps({"messages": MESSAGES, **fields}), ChatBody).to_domain(DEFAULTS)


def test_defaults() -> None:
    assert request_of() == GenerationRequest(
        model=ModelId("some/default"),
        messages=(user_message("Hello"),),
        sampling=SamplingParameters(temperature=0.3, top_p=0.8),
    )


@pytest.mark.parametrize(("prompt", "arrives"), [("Once upon", "Once upon"), ([1, 2.0, 3], (1, 2, 3))])
def test_a_prompt_stands_in_place_of_messages(prompt: object, arrives: object) -> None:
    assert request_of(messages=None, prompt=prompt).prompt == arrives
    with pytest.raises(InvalidRequestError) as caught:
        request_of(prompt=prompt)
    assert caught.value.parameter == "prompt"


def test_without_a_beginning_there_is_nothing_to_continue() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        request_of(messages=None)
    assert caught.value.parameter == "messages"


@pytest.mark.parametrize("prompt", ["", [], [-1], [1.5], ["a"], 5, {}])
def test_a_prompt_is_a_text_or_its_tokens(prompt: object) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        request_of(messages=None, prompt=prompt)
    assert (caught.value.parameter or "").split(".")[0] == "prompt"


def test_tools_arrive() -> None:
    schema = {"type": "object", "properties": {"at": {"type": "string"}}}
    call = {"type": "tool_call", "id": "call_1", "name": "look", "arguments": "{}"}
    result = {"type": "tool_result", "call_id": "call_1", "text": "blue", "is_error": True}
    request = request_of(
        messages=[
            *MESSAGES,
            {"role": "assistant", "content": [{"type": "text", "text": "Let me see."}, call]},
            {"role": "tool", "content": [result]},
        ],
        tools=[{"name": "look", "description": "Looks.", "parameters": schema}, {"name": "listen"}],
        tool_choice={"name": "look"},
        parallel_tool_calls=False,
    )
    assert request.messages[1].tool_calls == (ToolCallPart(id="call_1", name="look", arguments="{}"),)
    assert request.messages[2].tool_results == (ToolResultPart(call_id="call_1", text="blue", is_error=True),)
    assert request.tools == (
        ToolDefinition(name="look", description="Looks.", parameters=schema),
        ToolDefinition(name="listen"),
    )
    assert request.tool_choice == ToolChoice(mode=ToolChoiceMode.NAMED, name="look")
    assert not request.parallel_tool_calls


@pytest.mark.parametrize("mode", ["none", "auto", "required"])
def test_a_tool_choice_may_be_a_word(mode: str) -> None:
    choice = request_of(tools=[{"name": "look"}], tool_choice=mode).tool_choice
    assert choice == ToolChoice(mode=ToolChoiceMode(mode))


def test_every_field_arrives() -> None:
    request = request_of(
        model="a/b",
        temperature=0,
        top_p=1,
        top_k=40,
        min_p=0.1,
        max_tokens=7,
        stop=["x", "y"],
        seed=2**63 - 1,
        repetition_penalty=1.1,
        presence_penalty=-2,
        frequency_penalty=2,
        logit_bias={"0": -100, "123": 1.5},
        owner="ada",
        priority="background",
        timeout_s=1.5,
        n=3,
        reasoning_effort="low",
        logprobs=20,
    )
    assert request == GenerationRequest(
        model=ModelId("a/b"),
        messages=(user_message("Hello"),),
        sampling=SamplingParameters(
            temperature=0.0,
            top_p=1.0,
            top_k=40,
            min_p=0.1,
            seed=2**63 - 1,
            repetition_penalty=1.1,
            presence_penalty=-2.0,
            frequency_penalty=2.0,
            logit_bias={0: -100.0, 123: 1.5},
        ),
        max_tokens=7,
        stop=("x", "y"),
        owner="ada",
        priority=Priority.BACKGROUND,
        timeout_s=1.5,
        n=3,
        reasoning_effort=ReasoningEffort.LOW,
        logprobs=20,
    )


def test_null_is_the_default() -> None:
    optional = [name for name in ChatBody.model_fields if name != "messages"]
    assert not any(field.is_required() for field in ChatBody.model_fields.values())
    assert request_of(**dict.fromkeys(optional)) == request_of()


@pytest.mark.parametrize(
    ("body", "output"),
    [
        ({"type": "json_schema", "schema": {"type": "null"}}, JsonSchemaOutput(schema={"type": "null"})),
        ({"type": "regex", "pattern": "a+"}, RegexOutput(pattern="a+")),
        ({"type": "grammar", "syntax": "lark", "grammar": "start: A"}, GrammarOutput(grammar="start: A")),
        (
            {"type": "grammar", "syntax": "gbnf", "grammar": "root ::= a"},
            GrammarOutput(grammar="root ::= a", syntax=GrammarSyntax.GBNF),
        ),
        ({"type": "choice", "choices": ["a", "b"]}, ChoiceOutput(choices=("a", "b"))),
    ],
)
def test_an_output_of_each_kind_arrives(body: dict[str, Any], output: OutputConstraint) -> None:
    assert request_of(output=body).output == output


def test_what_the_domain_says_of_an_output_names_it() -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        request_of(output={"type": "choice", "choices": ["a", "a"]})
    assert refusal.value.parameter == "output.choices"


def test_a_whole_number_may_have_a_point() -> None:
    assert request_of(max_tokens=5.0, top_k=2.0, seed=1e18) == request_of(max_tokens=5, top_k=2, seed=10**18)


def test_one_stop_text_may_stand_alone() -> None:
    assert request_of(stop="END").stop == ("END",)


def test_what_an_assistant_thought_is_a_part_of_its_turn() -> None:
    content = [{"type": "reasoning", "text": "Two?"}, {"type": "text", "text": "Two."}]
    request = request_of(messages=[{"role": "assistant", "content": content}])
    assert request.messages[0].parts == (ReasoningPart(text="Two?"), TextPart(text="Two."))
    with pytest.raises(InvalidRequestError, match="Only an assistant"):
        request_of(messages=[{"role": "user", "content": content}])


def test_parts_become_parts() -> None:
    data = base64.b64encode(b"\x89PNG").decode()
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "image", "data": data, "media_type": "image/png"},
        {"type": "audio", "data": data, "media_type": "audio/wav"},
    ]
    request = request_of(messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": content}])
    assert request.messages == (
        Message(role=Role.SYSTEM, parts=(TextPart(text="Be brief."),)),
        Message(
            role=Role.USER,
            parts=(
                TextPart(text="What is this?"),
                ImagePart(data=b"\x89PNG", media_type="image/png"),
                AudioPart(data=b"\x89PNG", media_type="audio/wav"),
            ),
        ),
    )


IMAGE = {"type": "image", "data": "AAAA", "media_type": "image/png"}
BAD_FIELDS: list[tuple[str, dict[str, Any]]] = [
    ("messages", {"messages": []}),
    ("messages", {"messages": "Hello"}),
    ("messages.0", {"messages": ["Hello"]}),
    ("messages.0.role", {"messages": [{"content": "Hello"}]}),
    ("messages.0.role", {"messages": [{"role": "wizard", "content": "Hello"}]}),
    ("messages.0.content", {"messages": [{"role": "user"}]}),
    ("messages.0.content", {"messages": [{"role": "user", "content": 5}]}),
    ("messages.0.content", {"messages": [{"role": "user", "content": []}]}),
    ("messages.0.content.0", {"messages": [{"role": "user", "content": ["Hello"]}]}),
    ("messages.0.content.0", {"messages": [{"role": "user", "content": [{"type": "file", "text": "x"}]}]}),
    ("messages.0.content.0.text", {"messages": [{"role": "user", "content": [{"type": "text"}]}]}),
    ("messages.0.content.0.url", {"messages": [{"role": "user", "content": [{**IMAGE, "url": "file:///etc/passwd"}]}]}),
    ("messages.0.content.0.data", {"messages": [{"role": "user", "content": [{**IMAGE, "data": "not base64"}]}]}),
    ("messages.0.content.0.data", {"messages": [{"role": "user", "content": [{**IMAGE, "data": ""}]}]}),
    ("messages.0.content.0.data", {"messages": [{"role": "user", "content": [{**IMAGE, "data": 7}]}]}),
    ("messages.0.content.0.media_type", {"messages": [{"role": "user", "content": [{**IMAGE, "media_type": "a/b"}]}]}),
    ("messages.0.name", {"messages": [{"role": "user", "content": "Hello", "name": "me"}]}),
    ("output", {"output": "json"}),
    ("output", {"output": {"type": "xml"}}),
    ("output.schema", {"output": {"type": "json_schema"}}),
    ("output.schema", {"output": {"type": "json_schema", "schema": True}}),
    ("output.strict", {"output": {"type": "json_schema", "schema": {}, "strict": True}}),
    ("output.pattern", {"output": {"type": "regex", "pattern": ""}}),
    ("output.syntax", {"output": {"type": "grammar", "syntax": "ebnf", "grammar": "a"}}),
    ("output.choices", {"output": {"type": "choice", "choices": []}}),
    ("output.choices.1", {"output": {"type": "choice", "choices": ["a", ""]}}),
    ("tools.0.name", {"tools": [{"name": "a b"}]}),
    ("tools.0.parameters", {"tools": [{"name": "look", "parameters": "object"}]}),
    ("tools", {"tools": [{"name": "look"}] * 129}),
    ("tool_choice", {"tool_choice": "any"}),
    ("tool_choice", {"tool_choice": 1}),
    ("tool_choice.type", {"tool_choice": {"type": "tool", "name": "look"}}),
    ("parallel_tool_calls", {"parallel_tool_calls": "no"}),
    (
        "messages.0.content.0.call_id",
        {"messages": [{"role": "tool", "content": [{"type": "tool_result", "text": ""}]}]},
    ),
    ("stream", {"stream": True}),
    ("model", {"model": 1}),
    ("model", {"model": "x" * 201}),
    ("temperature", {"temperature": 2.1}),
    ("temperature", {"temperature": -0.1}),
    ("temperature", {"temperature": "0.5"}),
    ("temperature", {"temperature": True}),
    ("temperature", {"temperature": 1e400}),
    ("top_p", {"top_p": 0}),
    ("top_p", {"top_p": 1.01}),
    ("top_k", {"top_k": 0}),
    ("top_k", {"top_k": 1.5}),
    ("top_k", {"top_k": 2**31}),
    ("top_k", {"top_k": 1e400}),
    ("min_p", {"min_p": -1}),
    ("max_tokens", {"max_tokens": 0}),
    ("max_tokens", {"max_tokens": -1}),
    ("max_tokens", {"max_tokens": 10**30}),
    ("seed", {"seed": -1}),
    ("seed", {"seed": 2**63}),
    ("stop", {"stop": ""}),
    ("stop", {"stop": 5}),
    ("stop", {"stop": ["x"] * 17}),
    ("stop.1", {"stop": ["x", ""]}),
    ("repetition_penalty", {"repetition_penalty": 0}),
    ("presence_penalty", {"presence_penalty": 3}),
    ("frequency_penalty", {"frequency_penalty": -3}),
    ("logit_bias", {"logit_bias": [1]}),
    ("logit_bias.cat", {"logit_bias": {"cat": 1}}),
    ("logit_bias.-1", {"logit_bias": {"-1": 1}}),
    ("logit_bias.5", {"logit_bias": {"5": 101}}),
    ("owner", {"owner": "a" * (MAX_OWNER_CHARACTERS + 1)}),
    ("priority", {"priority": "urgent"}),
    ("n", {"n": 0}),
    ("n", {"n": 17}),
    ("logprobs", {"logprobs": -1}),
    ("logprobs", {"logprobs": 21}),
    ("timeout_s", {"timeout_s": 0.09}),
    ("timeout_s", {"timeout_s": 86_401}),
]


@pytest.mark.parametrize(("parameter", "fields"), BAD_FIELDS)
def test_names_the_field_that_is_wrong(parameter: str, fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_body(json.dumps({"messages": MESSAGES, **fields}).replace("Infinity", "1e400"), ChatBody)
    assert caught.value.parameter == parameter
    assert parameter in caught.value.message


@pytest.mark.parametrize("body", ["[]", "null", '"text"', "5"])
def test_a_body_that_is_no_object_is_refused_as_a_whole(body: str) -> None:
    with pytest.raises(InvalidRequestError, match="must be a JSON object") as caught:
        parse_body(body, ChatBody)
    assert caught.value.parameter is None
