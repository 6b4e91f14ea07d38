"""What every body that clients send has in common."""

from pydantic import BaseModel, ConfigDict


class Body(BaseModel):
    """A JSON object of which every field is known and has exactly its type."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
