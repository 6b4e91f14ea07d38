"""Who uses which model, and so which ones may leave the memory."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cortex_domain.language_models import LoadedModel, LoadOptions, ModelDescriptor, ModelId, Residency
from cortex_domain.ports import Clock


@dataclass(slots=True, kw_only=True)
class _Record:
    """What is known of one model; `last_used_s` by the clock's `monotonic_s`."""

    last_used_s: float
    keep_alive_s: float | None
    pinned: bool = False
    active_requests: int = 0
    options: LoadOptions | None = None


class ModelResidency:
    """Remembers of each model who uses it, when it was used last, and how long it shall stay.

    A model is idle while no request uses it. Idle models that are not pinned may be unloaded: once their `keep_alive_s`
    is over, or before that to make room, the one that nobody used for the longest time first.

    Args:
        clock: Tells the time.
        keep_alive_s: Seconds without a request after which a model expires, unless a load or a request says otherwise;
            None never.
        pinned: Ids and aliases of models that are pinned whenever they are loaded.
    """

    def __init__(self, *, clock: Clock, keep_alive_s: float | None = None, pinned: Collection[str] = ()) -> None:
        self._clock = clock
        self._keep_alive_s = keep_alive_s
        self._pinned = frozenset(pinned)
        self._records: dict[ModelId, _Record] = {}

    @contextmanager
    def using(self, model_id: ModelId, /, *, keep_alive_s: float | None = None) -> Iterator[None]:
        """Keeps a model from being idle for as long as the block runs, also while it is still being loaded."""
        record = self._record(model_id)
        self.keep(model_id, keep_alive_s=keep_alive_s)
        record.active_requests += 1
        try:
            yield
        finally:
            record.active_requests -= 1
            record.last_used_s = self._clock.monotonic_s()

    def keep(self, model_id: ModelId, /, *, keep_alive_s: float | None = None, pinned: bool | None = None) -> None:
        """Counts as a use of the model, and says how long it stays; None leaves that as it was."""
        record = self._record(model_id)
        record.last_used_s = self._clock.monotonic_s()
        record.keep_alive_s = record.keep_alive_s if keep_alive_s is None else keep_alive_s
        record.pinned = record.pinned if pinned is None else pinned

    def settle(self, descriptor: ModelDescriptor, options: LoadOptions = LoadOptions(), /) -> None:
        """Takes the news that a model was loaded with these options, and pins it if it is one that always is."""
        self._record(descriptor.id).options = options if options.given else None
        always = any(descriptor.answers_to(name) for name in self._pinned)
        self.keep(descriptor.id, pinned=always or None)

    def options(self, model_id: ModelId, /) -> LoadOptions | None:
        """Returns the options with which a model was loaded last; None when there were none, or it was dismissed."""
        return self._record(model_id).options

    def dismiss(self, model_id: ModelId, /) -> None:
        """Forgets all that was said of a model that somebody unloads by name."""
        self.reset(model_id)
        self._record(model_id).options = None

    def reset(self, model_id: ModelId, /) -> None:
        """Forgets how long a model was to stay that is being unloaded; requests that wait for it still count."""
        record = self._record(model_id)
        record.keep_alive_s = self._keep_alive_s
        record.pinned = False

    def idle(self, models: Iterable[LoadedModel], /) -> list[LoadedModel]:
        """Picks those that may be unloaded to make room, the least recently used first."""
        free = [model for model in models if self._is_free(self._record(model.id))]
        return sorted(free, key=lambda model: self._record(model.id).last_used_s)

    def expired(self, models: Iterable[LoadedModel], /) -> list[LoadedModel]:
        """Picks those that nobody used for as long as they were to be kept."""
        now_s = self._clock.monotonic_s()
        return [model for model in self.idle(models) if self._is_over(self._record(model.id), now_s)]

    def describe(self, model_id: ModelId, /) -> Residency:
        """Tells how long a loaded model stays."""
        record = self._record(model_id)
        last_used_s = self._clock.now_s() - (self._clock.monotonic_s() - record.last_used_s)
        expires = record.keep_alive_s is not None and self._is_free(record)
        return Residency(
            pinned=record.pinned,
            keep_alive_s=record.keep_alive_s,
            active_requests=record.active_requests,
            last_used_s=int(last_used_s),
            expires_s=int(last_used_s + (record.keep_alive_s or 0)) if expires else None,
        )

    def _record(self, model_id: ModelId) -> _Record:
        if model_id not in self._records:
            self._records[model_id] = _Record(last_used_s=self._clock.monotonic_s(), keep_alive_s=self._keep_alive_s)
        return self._records[model_id]

    def _is_free(self, record: _Record) -> bool:
        return record.active_requests == 0 and not record.pinned

    def _is_over(self, record: _Record, now_s: float) -> bool:
        return record.keep_alive_s is not None and now_s - record.last_used_s >= record.keep_alive_s
