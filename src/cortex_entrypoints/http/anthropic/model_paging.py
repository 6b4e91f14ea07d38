"""Which of the models are asked for, by the query of `GET /v1/models`."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from werkzeug.datastructures import MultiDict

from cortex_entrypoints.http.json_parsing import validate_body

MOST_MODELS = 1_000


def _from_digits(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


class ModelPaging(BaseModel):
    """A page of a list.

    Attributes:
        limit: Models on the page.
        after_id: The page begins after this model.
        before_id: The page ends before this model; without effect on one that begins after another.
        lifecycle: Stages of the models that are wanted; those here are all active. None wants these.
    """

    model_config = ConfigDict(strict=True, frozen=True)

    limit: Annotated[int, Field(ge=1, le=MOST_MODELS), BeforeValidator(_from_digits)] = 20
    after_id: str | None = None
    before_id: str | None = None
    lifecycle: list[Literal["active", "deprecated", "retired"]] | None = None

    @property
    def includes_active(self) -> bool:
        """Whether models that can be used are wanted."""
        return self.lifecycle is None or "active" in self.lifecycle


def read_paging(query: MultiDict[str, str], /) -> ModelPaging:
    """Reads a query; what it does not know is left alone, as `beta` is.

    Raises:
        InvalidRequestError: A value is out of range.
    """
    values: dict[str, object] = {name: query[name] for name in ("limit", "after_id", "before_id") if name in query}
    stages = [*query.getlist("lifecycle"), *query.getlist("lifecycle[]")]
    return validate_body(values | ({"lifecycle": stages} if stages else {}), ModelPaging)
