"""Text comes one token at a time as the tokenizer would decode it as a whole, and each token tells its bytes."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlx_lm.tokenizer_utils import NaiveStreamingDetokenizer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from cortex_adapters.mlx.streaming_detokenizer import ByteDetokenizer, WrappedDetokenizer
from cortex_adapters.mlx.token_bytes import TokenBytes

MISREAD = ["<|é|>"]
"""Control tokens that byte-level tokenizers take for bytes; here they say their name."""
WORDS = ["\u2581", "\u2581the", "\u2581cat", "s", "\u2581日本", "\u2581\u2581", "é", "."]
BYTE_PIECES = [f"<0x{byte:02X}>" for byte in range(256)]
MERGES = [("c", "a"), ("ca", "t"), ("Ġ", "cat"), ("Ã", "©")]


def _wrapped(tokenizer: Tokenizer) -> Any:
    tokenizer.add_special_tokens(["<|end|>", *MISREAD])
    make: Any = PreTrainedTokenizerFast
    return make(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False)


def _byte_level() -> Any:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = [*alphabet, *("".join(pair) for pair in MERGES)]
    tokenizer = Tokenizer(models.BPE(vocab={piece: token for token, piece in enumerate(pieces)}, merges=MERGES))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return _wrapped(tokenizer)


def _sentence_piece(*, strips: bool = True) -> Any:
    pieces = ["<unk>", *BYTE_PIECES, *WORDS]
    scores = [(piece, -float(number)) for number, piece in enumerate(pieces)]
    tokenizer = Tokenizer(models.Unigram(scores, 0, byte_fallback=True))
    steps: list[Any] = [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence([*steps, decoders.Strip(" ", 1, 0)] if strips else steps)
    return _wrapped(tokenizer)


def _metaspace() -> Any:
    # Of several spaces in the first token this decoder would leave out all.
    words = [word for word in WORDS if word.count("\u2581") < 2]
    tokenizer = Tokenizer(models.WordLevel({word: token for token, word in enumerate(words)}, unk_token="."))
    tokenizer.decoder = decoders.Metaspace()
    return _wrapped(tokenizer)


def _word_piece() -> Any:
    vocabulary = {"[UNK]": 0, "un": 1, "##happy": 2, "cat": 3}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.decoder = decoders.WordPiece()
    return _wrapped(tokenizer)


BYTE_LEVEL, SENTENCE_PIECE, METASPACE = _byte_level(), _sentence_piece(), _metaspace()
KEEPS_SPACE = _sentence_piece(strips=False)
TOKENIZERS = {"byte": BYTE_LEVEL, "sentence": SENTENCE_PIECE, "keeps": KEEPS_SPACE, "metaspace": METASPACE}
KINDS = pytest.mark.parametrize("kind", TOKENIZERS)


def _text(token_bytes: TokenBytes, tokens: Sequence[int], *, begins_text: bool = True) -> str:
    detokenizer = ByteDetokenizer(token_bytes, begins_text=begins_text)
    return "".join(map(detokenizer.push, tokens)) + detokenizer.flush()


def _tokens_of(text: str, kind: str) -> list[int]:
    """Writes a text in tokens of a byte each, which the tokenizer itself would not choose."""
    if kind == "byte":
        return [BYTE_LEVEL.convert_tokens_to_ids(piece) for piece in _byte_pieces(text)]
    return [1 + byte for byte in text.encode()]


def _byte_pieces(text: str) -> list[str]:
    return list(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(text)[0][0])


@KINDS
@given(data=st.data())
def test_streamed_text_is_the_decoded_whole(kind: str, data: st.DataObject) -> None:
    tokenizer = TOKENIZERS[kind]
    has_bytes = kind != "metaspace"
    words = range(257 if has_bytes else 0, len(tokenizer) - len(MISREAD))
    word = st.sampled_from(words).map(lambda token: [token])
    character = st.characters(exclude_categories=["Cs"]).map(lambda c: _tokens_of(c, kind))
    runs = data.draw(st.lists(word | character if has_bytes else word))
    tokens = [token for run in runs for token in run]
    assert _text(TokenBytes(tokenizer), tokens) == tokenizer.decode(tokens)


@given(st.lists(st.integers(0, len(BYTE_LEVEL) - len(MISREAD) - 1)))
def test_any_bytes_read_as_the_tokenizer_reads_them(tokens: list[int]) -> None:
    whole = BYTE_LEVEL.decode(tokens)
    streamed = _text(TokenBytes(BYTE_LEVEL), tokens)
    # What is still half a character at the end is held back; the tokenizer has to show something in its place.
    assert whole in (streamed, f"{streamed}\ufffd")


@KINDS
@given(data=st.data())
def test_the_bytes_of_tokens_are_those_of_the_text(kind: str, data: st.DataObject) -> None:
    tokenizer = TOKENIZERS[kind]
    token_bytes = TokenBytes(tokenizer)
    tokens = data.draw(st.lists(st.integers(0, len(tokenizer) - 1)))
    said = b"".join(token_bytes[token] for token in tokens)
    assert said.decode(errors="replace").startswith(_text(token_bytes, tokens, begins_text=False))


@given(st.text(min_size=1).filter(str.strip), st.integers(1, 30))
def test_text_is_whole_characters_wherever_it_is_cut(text: str, length: int) -> None:
    tokens = _tokens_of(text, "sentence")
    shown = _text(TokenBytes(KEEPS_SPACE), tokens[:length])
    assert text.startswith(shown)
    assert len(text.encode()) > length or shown == text


def test_a_text_that_goes_on_keeps_its_first_space() -> None:
    tokens = SENTENCE_PIECE.convert_tokens_to_ids(["\u2581the", "\u2581cat"])
    token_bytes = TokenBytes(SENTENCE_PIECE)
    assert _text(token_bytes, tokens) == "the cat"
    assert _text(token_bytes, tokens, begins_text=False) == " the cat"
    assert [token_bytes[token] for token in tokens] == [b" the", b" cat"]
    assert not TokenBytes(KEEPS_SPACE).drops_first_space


def test_byte_level_keeps_spaces_and_the_byte_0() -> None:
    tokens = _tokens_of(" a\x00", "byte")
    assert _text(TokenBytes(BYTE_LEVEL), tokens) == " a\x00"


def test_an_id_without_a_token_says_nothing() -> None:
    assert TokenBytes(BYTE_LEVEL)[10**6] == b""


def test_control_tokens_say_their_name() -> None:
    token = BYTE_LEVEL.convert_tokens_to_ids(MISREAD[0])
    assert TokenBytes(BYTE_LEVEL)[token].decode() == "<|é|>"


def test_what_decodes_in_a_way_of_its_own_is_left_to_mlx_lm() -> None:
    tokenizer = _word_piece()
    token_bytes = TokenBytes(tokenizer)
    assert not token_bytes.is_exact
    assert token_bytes[3] == b"cat"
    detokenizer = WrappedDetokenizer(NaiveStreamingDetokenizer(tokenizer))  # type: ignore[no-untyped-call]
    assert "".join(map(detokenizer.push, [3, 1, 2])) + detokenizer.flush() == "cat unhappy"


def test_a_tokenizer_of_another_make_is_left_to_mlx_lm() -> None:
    class Words:
        def decode(self, token_ids: list[int]) -> str:
            return " ".join(map(str, token_ids))

    token_bytes = TokenBytes(Words())
    assert (token_bytes.is_exact, token_bytes[7]) == (False, b"7")
