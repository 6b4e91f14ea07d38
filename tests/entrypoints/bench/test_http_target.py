from collections.abc import Sequence

import pytest

from cortex_adapters.fake import ScriptedReply
from cortex_domain.errors import GeneratorFailedError
from cortex_entrypoints.bench.http_target import HttpTarget
from cortex_entrypoints.bench.measurements import Answer, Usage
from cortex_entrypoints.bench.target import Sampling, TargetError
from tests.entrypoints.bench.openai_stub import openai_stub
from tests.entrypoints.http.live_server import FakeAdapters, live_server

SAMPLING = Sampling(max_tokens=96, temperature=0.7, top_p=1.0)


async def asked(
    url: str, *, prompts: Sequence[str] = ("One two three.",), dialect: str = "auto", timeout_s: float = 20
) -> Sequence[Answer]:
    async with HttpTarget(url, model=None, dialect=dialect, timeout_s=timeout_s) as target:
        return await target.answer_all(prompts, SAMPLING, on_answer=lambda: None)


async def test_cortex_is_recognised_and_its_counts_are_believed() -> None:
    async with live_server() as server, HttpTarget(f"{server.url}/", model=None, timeout_s=20) as target:
        (answer,) = await target.answer_all(["One two three."], SAMPLING, on_answer=lambda: None)
        assert target.facts.details["dialect"] == "native"
        assert {"version", "device", "model"} <= target.facts.details.keys()
    assert answer.usage is not None
    assert (len(answer.texts_s), answer.completion_tokens) == (3, 4)  # the token that ends an answer has no text
    assert answer.sent_s < answer.texts_s[0] <= answer.texts_s[-1] <= answer.ended_s
    assert (answer.finish_reason, answer.error) == ("stop", None)


async def test_sixty_four_requests_at_once_each_get_their_answer() -> None:
    told: list[None] = []
    prompts = [" ".join(["word"] * number) for number in range(1, 65)]
    async with live_server() as server, HttpTarget(server.url, model=None, timeout_s=20) as target:
        answers = await target.answer_all(prompts, SAMPLING, on_answer=lambda: told.append(None))
    assert len(told) == 64
    assert sorted(answer.completion_tokens for answer in answers) == list(range(2, 66))


async def test_what_is_not_cortex_is_taken_to_speak_openai() -> None:
    async with openai_stub() as stub:
        (answer,) = await asked(f"{stub.url}/v1")
    assert len(answer.texts_s) == 5
    assert answer.usage == Usage(prompt_tokens=80, completion_tokens=6)
    assert (answer.finish_reason, answer.error) == ("length", None)
    assert "model" not in stub.bodies[0]


async def test_a_server_that_does_not_count_is_counted_by_its_pieces() -> None:
    async with openai_stub(counts_tokens=False) as stub:
        (answer,) = await asked(stub.url)
    assert (answer.usage, answer.completion_tokens) == (None, 5)


async def test_the_key_is_sent_as_a_bearer_token() -> None:
    async with openai_stub() as stub, HttpTarget(stub.url, model="m", api_key="sesame", timeout_s=20) as target:
        await target.answer_all(["Hello."], SAMPLING, on_answer=lambda: None)
    assert "Authorization: Bearer sesame" in stub.headers[0]
    assert stub.bodies[0]["model"] == "m"


async def test_a_refused_request_is_an_answer_with_the_reason() -> None:
    async with openai_stub(healthy_chats=0) as stub:
        answers = await asked(stub.url, prompts=["a", "b"])
    assert [answer.error for answer in answers] == ["status 503: out of order"] * 2


async def test_a_stream_that_is_cut_is_no_answer() -> None:
    async with openai_stub(cut_after=2) as stub:
        (answer,) = await asked(stub.url)
    assert answer.error == "the stream ended before the answer did"


async def test_an_error_in_the_middle_is_no_answer() -> None:
    script = [ScriptedReply(pieces=("One", " two"), failure=GeneratorFailedError("The engine is gone."))]
    async with live_server(adapters=FakeAdapters(script=script)) as server:
        (answer,) = await asked(server.url)
    assert (len(answer.texts_s), answer.error) == (2, "The engine is gone.")


async def test_a_server_that_hangs_is_left_after_a_while() -> None:
    async with live_server(adapters=FakeAdapters(script=[ScriptedReply(pieces=("One", "two"), delay_s=60)])) as server:
        (answer,) = await asked(server.url, timeout_s=0.2)
    assert answer.error == "no complete answer within 0.2 s"


async def test_the_wrong_dialect_is_an_error_of_each_request() -> None:
    async with openai_stub() as stub:
        (answer,) = await asked(stub.url, dialect="native")
    assert answer.error is not None
    assert answer.error.startswith("status 404: ")


async def test_nobody_there_is_said_at_once() -> None:
    async with openai_stub() as stub:
        url = stub.url
    with pytest.raises(TargetError, match=f"{url} cannot be reached"):
        await asked(url)
