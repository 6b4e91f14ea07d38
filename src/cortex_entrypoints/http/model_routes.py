"""Models: listed, described, loaded, unloaded, pulled, deleted.

An id may stand in a path with its `/` plain, percent-encoded, or written `__`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from pydantic import TypeAdapter
from quart import Blueprint, Response

from cortex_domain.errors import (
    GeneratorFailedError,
    InsufficientMemoryError,
    InsufficientStorageError,
    InvalidModelError,
    InvalidRequestError,
    LoadOptionRefusedError,
    ModelAccessDeniedError,
    ModelDownloadError,
    ModelInUseError,
    ModelLoadedOtherwiseError,
    ModelNotDownloadedError,
    ModelNotFoundError,
    ShuttingDownError,
    StorageError,
)
from cortex_domain.events import PullEvent
from cortex_domain.language_models import Capability, ModelDescriptor
from cortex_entrypoints.cortex import Cortex
from cortex_entrypoints.http.event_responses import event_response
from cortex_entrypoints.http.in_flight import InFlight
from cortex_entrypoints.http.json_responses import json_response
from cortex_entrypoints.http.lora_directory import LoraDirectory
from cortex_entrypoints.http.model_names import resolve_model_name
from cortex_entrypoints.http.operation_notes import OperationNotes, documented
from cortex_entrypoints.http.request_bodies import LoadBody
from cortex_entrypoints.http.request_reading import read_optional_body
from cortex_entrypoints.http.response_bodies import DescribedModel, DialectManifest, ModelList

_DESCRIPTOR = TypeAdapter(ModelDescriptor)
ManifestOf = Callable[[frozenset[Capability]], Sequence[DialectManifest]]
NAMING_ERRORS = (InvalidRequestError, ModelNotFoundError, StorageError)
_UNLOADING_ERRORS = (*NAMING_ERRORS, GeneratorFailedError, ShuttingDownError)
_LOADING_ERRORS = (
    *_UNLOADING_ERRORS,
    ModelNotDownloadedError,
    ModelLoadedOtherwiseError,
    LoadOptionRefusedError,
    InvalidModelError,
    InsufficientMemoryError,
)
_DELETING_ERRORS = (*NAMING_ERRORS, ModelInUseError, ShuttingDownError)
_PULLING_ERRORS = (
    *NAMING_ERRORS,
    ModelAccessDeniedError,
    InvalidModelError,
    InsufficientStorageError,
    ModelDownloadError,
    ShuttingDownError,
)


def model_routes(
    cortex: Cortex, in_flight: InFlight, lora_directory: LoraDirectory, *, manifest_of: ManifestOf
) -> Blueprint:
    """Builds the routes below `/api/models`.

    Args:
        cortex: The use cases.
        in_flight: Lets work in and ends it when the server stops.
        lora_directory: Where LoRA weights are.
        manifest_of: Tells what becomes of the parameters of each dialect with a model that has these capabilities.
    """
    routes = Blueprint("models", __name__, url_prefix="/api/models")
    encode = partial(_encode, lora_directory, manifest_of)

    @routes.get("")
    @documented(OperationNotes(tag="models", answer=ModelList, errors=(StorageError,)))
    async def list_models() -> Response:
        """Lists the models that are here and those of the catalogue, sorted by id."""
        models = [encode(model) for model in await cortex.list_models()]
        return json_response({"models": models, "default_model": cortex.default_model})

    @routes.get("/<model:model_id>")
    @documented(OperationNotes(tag="models", answer=DescribedModel, errors=NAMING_ERRORS))
    async def describe_model(model_id: str) -> Response:
        """Describes a model."""
        name = await resolve_model_name(model_id, cortex.describe_model)
        return json_response(encode(await cortex.describe_model(name)))

    @routes.post("/<model:model_id>/load")
    @documented(
        OperationNotes(
            tag="models", body=LoadBody, is_body_required=False, answer=DescribedModel, errors=_LOADING_ERRORS
        )
    )
    async def load_model(model_id: str) -> Response:
        """Brings a model into memory; answers when it is there. Idle models make room for it, if need be.

        One that is loaded with other options than those of the body is not changed: unload it first.
        """
        body = await read_optional_body(LoadBody)
        async with in_flight.work():
            name = await resolve_model_name(model_id, cortex.describe_model)
            lora_weights = None if body.lora_weights is None else lora_directory.find(body.lora_weights)
            await cortex.load_model(
                name,
                lora_weights=lora_weights,
                kv_cache_bits=body.kv_cache_bits,
                draft_model=body.draft_model,
                keep_alive_s=body.keep_alive_s,
                pinned=body.pinned,
            )
            return json_response(encode(await cortex.describe_model(name)))

    @routes.post("/<model:model_id>/unload")
    @documented(OperationNotes(tag="models", answer=DescribedModel, errors=_UNLOADING_ERRORS))
    async def unload_model(model_id: str) -> Response:
        """Frees a model's memory. Answers in flight on it end with an error."""
        async with in_flight.work():
            name = await resolve_model_name(model_id, cortex.describe_model)
            await cortex.unload_model(name)
            return json_response(encode(await cortex.describe_model(name)))

    @routes.post("/<model:model_id>/pull")
    @documented(OperationNotes(tag="models", events=PullEvent, errors=_PULLING_ERRORS))
    async def pull_model(model_id: str) -> Response:
        """Downloads a model and streams how far it is.

        The model need not be listed. A client that leaves stops the download; the next pull goes on from there.
        """
        name = await resolve_model_name(model_id, cortex.describe_model)
        return await event_response(cortex.pull_model(name), in_flight)

    @routes.delete("/<model:model_id>")
    @documented(OperationNotes(tag="models", status=204, errors=_DELETING_ERRORS))
    async def delete_model(model_id: str) -> Response:
        """Removes a model's files."""
        async with in_flight.work():
            await cortex.delete_model(await resolve_model_name(model_id, cortex.describe_model))
        return Response(status=204)

    return routes


def _encode(lora_directory: LoraDirectory, manifest_of: ManifestOf, descriptor: ModelDescriptor) -> dict[str, Any]:
    body: dict[str, Any] = _DESCRIPTOR.dump_python(descriptor, mode="json")
    if descriptor.lora_weights is not None:
        body["lora_weights"] = lora_directory.name_of(descriptor.lora_weights)
    return {**body, "capabilities": sorted(body["capabilities"]), "dialects": manifest_of(descriptor.capabilities)}
