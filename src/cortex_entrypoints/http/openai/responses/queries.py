"""What the queries of the Responses API ask for."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator
from quart import request

from cortex_domain.errors import InvalidRequestError
from cortex_domain.generation import MAX_OWNER_CHARACTERS
from cortex_entrypoints.http.json_parsing import validate_body
from cortex_entrypoints.http.openai.responses.body import Included
from cortex_entrypoints.http.request_bodies import MAX_INTEGER

QueryT = TypeVar("QueryT", bound="Query")

_LISTS: Final = ("include[]", "include")
"""A list comes as a parameter that is repeated; OpenAI's clients add brackets to its name."""


class Query(BaseModel):
    """What every query may have. `user` is an extension: it finds that user's responses alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user: Annotated[str, Field(max_length=MAX_OWNER_CHARACTERS)] | None = None

    @property
    def owner(self) -> str | None:
        """Whose responses are asked for; None stands for whoever knows the id."""
        return self.user or None


class RetrieveQuery(Query):
    """How to give a response back."""

    include: Annotated[list[Included], Field(default_factory=list)]
    include_obfuscation: Literal["false"] | None = None
    starting_after: Annotated[int, Field(ge=0, le=MAX_INTEGER)] | None = None
    stream: Literal["false", "true"] = "false"

    @property
    def is_stream(self) -> bool:
        """Whether the events are asked for."""
        return self.stream == "true"

    @property
    def after(self) -> int:
        """Number of the last event that the reader has; -1 stands before the first."""
        return -1 if self.starting_after is None else self.starting_after

    @model_validator(mode="after")
    def _require_stream(self) -> Self:
        if self.starting_after is not None and not self.is_stream:
            raise InvalidRequestError("starting_after has no effect without stream.", parameter="starting_after")
        return self


class InputItemsQuery(Query):
    """Which of the items to list."""

    after: Annotated[str, Field(max_length=200)] | None = None
    include: Annotated[list[Included], Field(default_factory=list)]
    limit: Annotated[int, Field(ge=1, le=100)] = 20
    order: Literal["asc", "desc"] = "desc"


def read_query(query_class: type[QueryT], /) -> QueryT:
    """Reads and validates the query of the current request.

    Raises:
        InvalidRequestError: It is not such a query.
    """
    values: dict[str, Any] = {}
    for name in request.args:
        if name in _LISTS:
            values.setdefault("include", []).extend(request.args.getlist(name))
        else:
            values[name] = request.args[name]
    return validate_body(values, query_class)


def parameters_of(query_class: type[Query], /) -> tuple[Mapping[str, Any], ...]:
    """Describes a query for OpenAPI."""
    schema = query_class.model_json_schema()
    return tuple({"name": name, "in": "query", "schema": field} for name, field in schema["properties"].items())
