"""What disk and hub raise, in the words of the domain."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled, RemoteEntryNotFoundError
from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined] # exported lazily

from cortex_adapters.hugging_face_hub.growing_file import AlteredFileError
from cortex_adapters.hugging_face_hub.hub import UnusableAnswerError
from cortex_domain.errors import (
    CortexError,
    InvalidModelError,
    ModelAccessDeniedError,
    ModelDownloadError,
    ModelNotFoundError,
    StorageError,
)
from cortex_domain.language_models import ModelId


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turns failures of the disk into `StorageError`."""
    try:
        yield
    except OSError as exc:
        raise _from_disk(exc) from exc


@contextmanager
def hub_errors(model_id: ModelId, *, endpoint: str) -> Iterator[None]:
    """Turns failures of a pull, those of the disk included, into the errors that `ModelStore.pull` lists."""
    try:
        yield
    except HfHubHTTPError as exc:
        raise _from_status(exc, model_id, endpoint) from exc
    except OfflineModeIsEnabled as exc:
        message = f"{model_id!r} is not here and HF_HUB_OFFLINE forbids to fetch it. Unset HF_HUB_OFFLINE, then pull."
        raise ModelDownloadError(message, model_id=model_id) from exc
    except HFValidationError as exc:
        raise ModelNotFoundError(model_id=model_id) from exc
    except UnusableAnswerError as exc:
        message = f"{endpoint} does not work as a model hub: {exc}. Check HF_ENDPOINT and the proxy, then pull again."
        raise ModelDownloadError(message, model_id=model_id) from exc
    except (httpx2.RequestError, httpx2.InvalidURL) as exc:
        message = (
            f"The connection to {endpoint} failed or broke off ({type(exc).__name__}). Check the network, then pull "
            "again: what has arrived is kept."
        )
        raise ModelDownloadError(message, model_id=model_id) from exc
    except AlteredFileError as exc:
        raise InvalidModelError(model_id=model_id, reason=str(exc)) from exc
    except OSError as exc:
        raise _from_disk(exc) from exc


def _from_status(exc: HfHubHTTPError, model_id: ModelId, endpoint: str) -> CortexError:
    status = exc.response.status_code
    if status in {401, 403}:
        return ModelAccessDeniedError(model_id=model_id)
    if status == 404 and not isinstance(exc, RemoteEntryNotFoundError):
        return ModelNotFoundError(model_id=model_id)
    if status == 429:
        message = f"{endpoint} takes no more requests for now. Pull again later, or set HF_TOKEN for a higher limit."
        return ModelDownloadError(message, model_id=model_id, retry_after_s=_retry_after_s(exc.response))
    message = f"{endpoint} answered with status {status}. Pull again later: what has arrived is kept."
    return ModelDownloadError(message, model_id=model_id)


def _retry_after_s(response: httpx2.Response) -> float | None:
    rate_limit = parse_ratelimit_headers(response.headers)
    if rate_limit is not None and rate_limit.remaining == 0:
        return float(rate_limit.reset_in_seconds)
    header = response.headers.get("retry-after", "")
    return float(header) if header.isdecimal() else None


def _from_disk(exc: OSError) -> StorageError:
    if exc.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StorageError("The disk is full. Delete a model or move MODEL_CACHE_DIR to a larger disk.")
    return StorageError(f"The model cache failed: {exc}. Check that MODEL_CACHE_DIR can be read and written.")
