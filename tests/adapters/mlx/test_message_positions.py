"""A token of a rendered chat is told to lie in the right message, one character being one token here."""

from collections.abc import Sequence

import pytest

from cortex_adapters.mlx.message_positions import message_at
from cortex_domain.messages import Message, assistant_message, system_message, user_message

CHAT = (system_message("be kind"), user_message(" hello "), assistant_message("hello"), user_message("bye"))
PROMPT = "<s>be kind</s><u>hello</u><a>hello</a><u>bye</u><a>"


class Characters:
    def decode(self, token_ids: Sequence[int], /) -> str:
        return "".join(map(chr, token_ids))


def _message_at(position: int, messages: Sequence[Message] = CHAT) -> int | None:
    return message_at(Characters(), messages, [ord(character) for character in PROMPT], position)


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("", 0),
        ("<s>", 0),
        ("<s>be ki", 0),
        ("<s>be kind", 0),
        ("<s>be kind</", 1),
        ("<s>be kind</s><u>hel", 1),
        ("<s>be kind</s><u>hello</u>", 2),
        ("<s>be kind</s><u>hello</u><a>hello</a><u>b", 3),
        ("<s>be kind</s><u>hello</u><a>hello</a><u>bye</u>", None),
    ],
)
def test_the_message_is_the_first_that_does_not_end_before(text: str, index: int | None) -> None:
    assert PROMPT.startswith(text)
    assert _message_at(len(text)) == index


def test_behind_a_message_that_the_template_changed_nothing_is_told() -> None:
    messages = (CHAT[0], user_message("HELLO"), *CHAT[2:])
    assert _message_at(5, messages) == 0
    assert _message_at(PROMPT.index("hello"), messages) is None


@pytest.mark.parametrize("position", [0, 3])
def test_a_prompt_without_messages_has_none(position: int) -> None:
    assert _message_at(position, ()) is None
