"""The starter model fills schemas for OpenAI's client and for whoever pastes the documentation's example."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import openai
import pytest
from pydantic import BaseModel, Field

from tests.end_to_end.live_process import LiveProcess

pytestmark = pytest.mark.real_model

PAGE = Path(__file__).parents[2] / "docs" / "structured_output.md"


class Seat(BaseModel):
    row: Annotated[int, Field(ge=1, le=40)]
    side: Literal["window", "aisle"]


class Ticket(BaseModel):
    city: Annotated[str, Field(max_length=12)]
    seats: Annotated[list[Seat], Field(min_length=1, max_length=2)]
    comment: Annotated[str, Field(max_length=12)] | None


@pytest.fixture
def client(starter_server: LiveProcess) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{starter_server.url}/v1", api_key="none", max_retries=0) as opened:
        yield opened


def test_the_starter_fills_a_pydantic_model(client: openai.OpenAI) -> None:
    completion = client.chat.completions.parse(
        model="starter",
        messages=[{"role": "user", "content": "Book two seats to Paris."}],
        response_format=Ticket,
        temperature=1,
        max_tokens=150,
    )
    assert isinstance(completion.choices[0].message.parsed, Ticket)
    assert completion.choices[0].finish_reason == "stop"


def test_the_starter_fills_one_in_a_stream(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model="starter",
        messages=[{"role": "user", "content": "Which seat?"}],
        response_format=Seat,
        temperature=1,
        max_tokens=100,
    ) as stream:
        deltas = [event.delta for event in stream if event.type == "content.delta"]
        completion = stream.get_final_completion()
    assert isinstance(completion.choices[0].message.parsed, Seat)
    assert len(deltas) > 1


def test_the_example_of_the_page(starter_server: LiveProcess) -> None:
    [code] = re.findall(r"^```bash\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    code = code.replace("localhost:8000", starter_server.url.removeprefix("http://"))
    run = subprocess.run(["bash", "-c", code], capture_output=True, text=True, timeout=300, check=True)
    place = json.loads(json.loads(run.stdout)["message"]["content"])
    assert place.keys() == {"city", "in_europe"}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "not": {"required": ["a"]}},
        {"$ref": "https://example.com/schema.json"},
        {"type": "string", "pattern": "(?=a)b"},
        {"type": "array", "uniqueItems": True},
    ],
)
def test_what_cannot_be_followed_is_refused_before_anything_is_said(
    client: openai.OpenAI, schema: dict[str, Any]
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(
            model="starter",
            messages=[{"role": "user", "content": "?"}],
            response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": schema}},
            stream=True,
        )
    assert refused.value.param == "response_format.json_schema.schema"
