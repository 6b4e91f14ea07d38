"""Tokens are written as OpenAI writes them, parts of characters too."""

from cortex_domain.token_logprobs import TokenLogprob
from cortex_entrypoints.http.openai.logprob_objects import CompletionLogprobsWriter, chat_logprobs


def _token(said: bytes, logprob: float = -1.0, top: tuple[TokenLogprob, ...] = ()) -> TokenLogprob:
    text = said.decode(errors="replace")
    return TokenLogprob(token_id=1, text=text, bytes=tuple(said), logprob=logprob, top=top)


def test_a_chat_has_bytes_and_alternatives() -> None:
    told = chat_logprobs([_token(b"Hi", top=(_token(b"Hi"), _token(b"\xf0\x9f", -2.0)))])
    assert told == {
        "content": [
            {
                "token": "Hi",
                "logprob": -1.0,
                "bytes": [72, 105],
                "top_logprobs": [
                    {"token": "Hi", "logprob": -1.0, "bytes": [72, 105]},
                    {"token": "\\xf0\\x9f", "logprob": -2.0, "bytes": [0xF0, 0x9F]},
                ],
            }
        ],
        "refusal": None,
    }


def test_offsets_count_characters_across_pieces() -> None:
    writer = CompletionLogprobsWriter()
    first = writer.write([_token(b"a"), _token("é".encode()[:1])])
    second = writer.write([_token("é".encode()[1:]), _token(b"b")])
    assert (first["text_offset"], second["text_offset"]) == ([0, 1], [1, 2])
    assert first["tokens"] + second["tokens"] == ["a", "bytes:\\xc3", "bytes:\\xa9", "b"]


def test_of_alternatives_that_are_written_alike_the_most_probable_counts() -> None:
    top = (_token(b"x", -0.5), _token(b"y", -0.7), _token(b"y", -0.9))
    [told] = CompletionLogprobsWriter().write([_token(b"z", -3.0, top)])["top_logprobs"]
    assert told == {"x": -0.5, "y": -0.7, "z": -3.0}
    assert list(told or ()) == ["x", "y", "z"]


def test_the_first_token_of_a_text_has_no_figures() -> None:
    writer = CompletionLogprobsWriter(begins_text=True)
    pieces = [writer.write(()), writer.write([_token(b"a"), _token(b"b")]), writer.write([_token(b"c")])]
    assert [piece["token_logprobs"] for piece in pieces] == [[], [None, -1.0], [-1.0]]
    assert [piece["top_logprobs"] for piece in pieces] == [[], [None, {"b": -1.0}], [{"c": -1.0}]]
