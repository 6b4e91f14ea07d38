"""Models as Anthropic's API lists them."""

from collections.abc import Sequence
from typing import Literal

from typing_extensions import TypedDict

from cortex_domain.errors import ModelNotFoundError
from cortex_domain.language_models import ModelDescriptor, ModelState
from cortex_entrypoints.http.anthropic.model_paging import ModelPaging

_UNKNOWN_DATE = "1970-01-01T00:00:00Z"


class ModelInfoObject(TypedDict):
    """A model. Nobody knows when it was made, so `created_at` is the epoch."""

    type: Literal["model"]
    id: str
    display_name: str
    created_at: str
    lifecycle: Literal["active"]
    max_input_tokens: int | None
    max_tokens: int | None


class ModelPageObject(TypedDict):
    """Some of the models that can answer."""

    data: list[ModelInfoObject]
    has_more: bool
    first_id: str | None
    last_id: str | None


def model_info_object(model: ModelDescriptor, /) -> ModelInfoObject:
    """Builds a `model`; its window is what prompt and answer may have together."""
    return ModelInfoObject(
        type="model",
        id=model.id,
        display_name=model.id.rpartition("/")[2],
        created_at=_UNKNOWN_DATE,
        lifecycle="active",
        max_input_tokens=model.context_window,
        max_tokens=model.context_window,
    )


def model_page_object(models: Sequence[ModelDescriptor], paging: ModelPaging, /) -> ModelPageObject:
    """Builds a page of the models that are here; those of the catalogue have to be pulled first.

    Raises:
        ModelNotFoundError: No model has the id at which the page is to begin or end.
    """
    here = [model for model in models if model.state is not ModelState.AVAILABLE]
    page, has_more = _page(here if paging.includes_active else [], paging)
    return ModelPageObject(
        data=[model_info_object(model) for model in page],
        has_more=has_more,
        first_id=page[0].id if page else None,
        last_id=page[-1].id if page else None,
    )


def _page(models: Sequence[ModelDescriptor], paging: ModelPaging) -> tuple[Sequence[ModelDescriptor], bool]:
    """Cuts a page out, and tells whether there is more in the direction in which it goes."""
    if paging.before_id is not None:
        before = models[: _place(models, paging.before_id)]
        return before[-paging.limit :], len(before) > paging.limit
    after = models if paging.after_id is None else models[_place(models, paging.after_id) + 1 :]
    return after[: paging.limit], len(after) > paging.limit


def _place(models: Sequence[ModelDescriptor], name: str) -> int:
    place = next((index for index, model in enumerate(models) if model.answers_to(name)), None)
    if place is None:
        raise ModelNotFoundError(model_id=name)
    return place
