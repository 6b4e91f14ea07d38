"""Gets the models ready that a newcomer meets first, and tells how far that is."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from cortex_domain import CortexError, ModelId, ModelState, collect_pull
from cortex_domain.use_cases import DescribeModel, PullModel

logger = logging.getLogger(__name__)


class DefaultModelState(StrEnum):
    """How far the default model is."""

    UNKNOWN = "unknown"
    DOWNLOADING = "downloading"
    READY = "ready"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultModelStatus:
    """How the default model is doing.

    Attributes:
        id: Its id or alias, as configured.
        state: How far it is; `unknown` before anyone prepared it.
        reason: Why it is unavailable, and what to do; None otherwise.
    """

    id: ModelId
    state: DefaultModelState
    reason: str | None = None


class DefaultModelPreparation:
    """Fetches what is missing of the default model and of the models that came with the installation."""

    def __init__(
        self,
        *,
        default_model: ModelId,
        bundled_models: Sequence[ModelId],
        describe_model: DescribeModel,
        pull_model: PullModel,
    ) -> None:
        """Prepares nothing yet.

        Args:
            default_model: The model that answers when a caller names none.
            bundled_models: Models that are made from installed files, without a network.
            describe_model: Tells what is here.
            pull_model: Fetches what is not.
        """
        self._bundled_models = bundled_models
        self._describe_model = describe_model
        self._pull_model = pull_model
        self._status = DefaultModelStatus(id=default_model, state=DefaultModelState.UNKNOWN)

    @property
    def status(self) -> DefaultModelStatus:
        """How the default model is doing now."""
        return self._status

    async def prepare_bundled(self) -> None:
        """Makes the bundled models ready; takes seconds, once. One that cannot be made is logged and left out."""
        for model_id in self._bundled_models:
            try:
                await self._fetch(model_id)
            except CortexError as error:
                logger.warning("The bundled model %s is not available: %s", model_id, error.message)

    async def prepare_default(self) -> DefaultModelStatus:
        """Downloads the default model if it is not here; a failure is told by the status, never raised."""
        self._enter(DefaultModelState.DOWNLOADING)
        try:
            await self._fetch(self._status.id)
        except CortexError as error:
            logger.warning("The default model %s is not available: %s", self._status.id, error.message)
            self._enter(DefaultModelState.UNAVAILABLE, reason=error.message)
        else:
            self._enter(DefaultModelState.READY)
        return self._status

    async def _fetch(self, model_id: ModelId) -> None:
        descriptor = await self._describe_model(model_id)
        if descriptor.state is ModelState.AVAILABLE:
            async with self._pull_model(descriptor.id) as events:
                await collect_pull(events)

    def _enter(self, state: DefaultModelState, *, reason: str | None = None) -> None:
        self._status = DefaultModelStatus(id=self._status.id, state=state, reason=reason)
