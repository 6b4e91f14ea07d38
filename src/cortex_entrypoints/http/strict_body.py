"""What every body that clients send has in common."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, WithJsonSchema


class Body(BaseModel):
    """A JSON object of which every field is known and has exactly its type."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def _only_false(value: bool) -> bool:
    if value:
        raise ValueError("Input should be false")
    return value


OnlyFalse = Annotated[bool, AfterValidator(_only_false), WithJsonSchema({"type": "boolean", "const": False})]
