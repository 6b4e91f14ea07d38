"""How sure a host must be that an engine died of what it was asked, and what it then says.

An engine that crashes did so over something that it had not finished. One that was killed from outside most likely did
not, unless the kill was for its hunger for memory; so that counts less, but it counts.
"""

from cortex_adapters.mlx.engine_link import EngineEnd
from cortex_adapters.mlx.engine_messages import LoadModel, UnloadModel
from cortex_domain.errors import CortexError, GeneratorFailedError, InvalidModelError

MAX_SUSPICION = 8
"""At this much suspicion a job, a load or a reload is taken for what engines die of: two crashes, or eight kills."""
_CRASH_SUSPICION = 4
_OUTSIDE_SUSPICION = 1


def suspicion_by(ended: EngineEnd, /) -> int:
    """Tells by how much an engine's end makes each thing suspect that it had not finished."""
    return _OUTSIDE_SUSPICION if ended.is_from_outside else _CRASH_SUSPICION


def died_of_job(ended: EngineEnd, /) -> CortexError:
    """Builds the error of a job that engines die of."""
    return GeneratorFailedError(
        f"The engine {ended.description} each time it worked on this request. Other requests go on; change this one."
    )


def died_of_call(command: LoadModel | UnloadModel, ended: EngineEnd, /) -> CortexError:
    """Builds the error of a command that engines die of."""
    if isinstance(command, LoadModel):
        reason = f"whenever it is loaded, the engine {ended.description}"
        return InvalidModelError(model_id=command.files.model_id, reason=reason)
    return GeneratorFailedError(f"The engine {ended.description} while it unloaded {command.model_id!r}.")
