import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_domain.errors import InvalidRequestError
from cortex_domain.messages import (
    AudioPart,
    ImagePart,
    Message,
    ReasoningPart,
    Role,
    TextPart,
    assistant_message,
    system_message,
    user_message,
)


@given(st.text())
def test_any_whole_text_is_accepted(text: str) -> None:
    assert user_message(text).text == text


@pytest.mark.parametrize("kind", [TextPart, ReasoningPart])
@given(st.text(), st.characters(categories=["Cs"]), st.text())
def test_lone_surrogate_is_refused(
    kind: type[TextPart] | type[ReasoningPart], before: str, surrogate: str, after: str
) -> None:
    with pytest.raises(InvalidRequestError, match="surrogate") as caught:
        kind(text=before + surrogate + after)
    assert caught.value.parameter == "messages"


def test_each_role_has_its_shorthand() -> None:
    built = system_message("a"), user_message("a"), assistant_message("a")
    assert [message.role for message in built] == [Role.SYSTEM, Role.USER, Role.ASSISTANT]
    assert {message.parts for message in built} == {(TextPart(text="a"),)}


def test_text_joins_text_parts_only() -> None:
    image = ImagePart(data=b"x", media_type="image/png")
    message = Message(role=Role.USER, parts=(TextPart(text="one "), image, TextPart(text="two")))
    assert message.text == "one two"


def test_reasoning_is_told_apart_from_text() -> None:
    message = Message(role=Role.ASSISTANT, parts=(ReasoningPart(text="Two?"), TextPart(text="Two.")))
    assert (message.reasoning, message.text) == ("Two?", "Two.")


@pytest.mark.parametrize("role", [Role.SYSTEM, Role.USER])
def test_only_assistants_have_reasoning(role: Role) -> None:
    with pytest.raises(InvalidRequestError, match="reasoning"):
        Message(role=role, parts=(ReasoningPart(text="x"),))


def test_message_without_parts_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="at least one part"):
        Message(role=Role.USER, parts=())


@pytest.mark.parametrize(("part", "family"), [(ImagePart, "image/"), (AudioPart, "audio/")])
def test_media_needs_bytes_of_its_family(part: type[ImagePart] | type[AudioPart], family: str) -> None:
    assert part(data=b"x", media_type=f"{family}x").data == b"x"
    with pytest.raises(InvalidRequestError, match="no bytes"):
        part(data=b"", media_type=f"{family}x")
    with pytest.raises(InvalidRequestError, match=f"does not start with '{family}'"):
        part(data=b"x", media_type="text/plain")
