"""Model ids as they may stand in a path or a body."""

from collections.abc import Iterator

from werkzeug.routing import BaseConverter

from cortex_domain.errors import InvalidRequestError, ModelNotFoundError
from cortex_domain.use_cases import DescribeModel


class ModelNameConverter(BaseConverter):
    """One or two segments of a path; what can be done with a model is no second segment."""

    regex = r"[^/]+(?:/(?!(?:load|unload|pull)$)[^/]+)?"
    part_isolating = False
    weight = 200


async def resolve_model_name(written: str, describe_model: DescribeModel, /) -> str:
    """Finds the name that is meant: as written if a model has it, else with a `__` that stands for the `/`.

    An unknown name comes back with its first `__` as `/`, so that a model which is not listed can be pulled.

    Raises:
        StorageError: The disk cannot be read.
    """
    readings = list(_readings(written))
    for name in readings:
        try:
            return (await describe_model(name)).id
        except (ModelNotFoundError, InvalidRequestError):
            continue
    return readings[min(1, len(readings) - 1)]


def _readings(written: str) -> Iterator[str]:
    yield written
    position = -1 if "/" in written else written.find("__")
    while position >= 0:
        namespace, name = written[:position], written[position + 2 :]
        if namespace and name:
            yield f"{namespace}/{name}"
        position = written.find("__", position + 1)
