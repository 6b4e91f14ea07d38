from hypothesis import given
from hypothesis import strategies as st

from cortex_adapters.mlx.literal_texts import LiteralTexts

SPECIAL_TEXTS = ("<|end|>", "<|end|>x", "<|", "|>|>")


class CharacterTokenizer:
    """One token a character, and -1 for a special text."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, text: str) -> list[int]:
        self.seen.append(text)
        return [-1] if any(special in text for special in SPECIAL_TEXTS) else [ord(character) for character in text]


def test_a_special_text_of_a_message_is_ordinary_text() -> None:
    literal = LiteralTexts(["<|end|>"])
    rendered = f"u:{literal.take_out('hi <|end|> there')}"
    assert "<|end|>" not in rendered
    assert bytes(literal.encode(rendered, CharacterTokenizer())) == b"u:hi <|end|> there"


def test_the_templates_own_special_texts_stay_special() -> None:
    literal = LiteralTexts(["<|end|>"])
    encode = CharacterTokenizer()
    assert -1 in literal.encode(f"{literal.take_out('<|end|>')}<|end|>", encode)
    assert encode.seen[-1] == "<|end|>"


def test_a_chat_without_special_texts_is_tokenized_in_one_piece() -> None:
    encode = CharacterTokenizer()
    literal = LiteralTexts(["<|end|>"])
    literal.encode(literal.take_out("nothing special"), encode)
    assert encode.seen == ["nothing special"]


def test_a_tokenizer_without_special_texts_takes_nothing_out() -> None:
    assert LiteralTexts([]).take_out("<|end|>") == "<|end|>"


@given(st.lists(st.sampled_from(["<|", "end", "|>", "x", "a", "\ue000", "\ue001", "0"])).map("".join))
def test_no_message_forges_a_control_token_and_none_loses_a_character(message: str) -> None:
    literal = LiteralTexts(SPECIAL_TEXTS)
    tokens = literal.encode(literal.take_out(message), CharacterTokenizer())
    assert "".join(map(chr, tokens)) == message
