"""Models as OpenAI's API lists them."""

from collections.abc import Iterable
from typing import Literal

from typing_extensions import TypedDict

from cortex_domain.language_models import ModelDescriptor, ModelState


class ModelObject(TypedDict):
    """A model. Nobody knows when it was made, so `created` is 0; `owned_by` is its namespace."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelListObject(TypedDict):
    """The models that can answer."""

    object: Literal["list"]
    data: list[ModelObject]


def model_object(model: ModelDescriptor, /) -> ModelObject:
    """Builds a `model`."""
    namespace, _, name = model.id.rpartition("/")
    return ModelObject(id=model.id, object="model", created=0, owned_by=namespace or name)


def model_list_object(models: Iterable[ModelDescriptor], /) -> ModelListObject:
    """Builds the list of the models that are here; those of the catalogue have to be pulled first."""
    here = [model_object(model) for model in models if model.state is not ModelState.AVAILABLE]
    return ModelListObject(object="list", data=here)
