"""Which files of a hub repository are fetched, and which repositories are refused.

Only what MLX reads is fetched: weights as safetensors, JSON, tokenizer files and chat templates, from the top of the
repository. Pickles, Python code, other formats, pictures and everything in subdirectories stay where they are, and a
name that could lead out of a directory is never used.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Literal

from huggingface_hub.hf_api import RepoSibling

from cortex_adapters.hugging_face_hub.manifest import ManifestFile
from cortex_adapters.hugging_face_hub.weights import is_weights
from cortex_domain.errors import InvalidModelError
from cortex_domain.language_models import ModelId

CONFIG = "config.json"
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt", "*.tiktoken")
_FETCHED = ("*.json", "*.jinja", "merges.txt", "tokenizer.jsonl", "tiktoken.model", *_TOKENIZERS)


def select_files(model_id: ModelId, listing: Iterable[RepoSibling]) -> tuple[ManifestFile, ...]:
    """Chooses what to fetch, small files first so that a bad one shows before the weights are paid for.

    Raises:
        InvalidModelError: The repository is no model that MLX reads.
    """
    wanted = [sibling for sibling in listing if is_fetched(sibling.rfilename)]
    reason = missing_part(sibling.rfilename for sibling in wanted)
    if reason is not None:
        raise InvalidModelError(model_id=model_id, reason=reason)
    files = [_to_manifest_file(model_id, sibling) for sibling in wanted]
    return tuple(sorted(files, key=lambda file: (is_weights(file.name), file.name)))


def is_fetched(name: str) -> bool:
    """Tells whether a file of a repository, by its path there, is one that a model needs."""
    is_plain = not name.startswith(".") and not {"/", "\\", ":", "\0"}.intersection(name)
    return is_plain and (is_weights(name) or any(fnmatchcase(name, pattern) for pattern in _FETCHED))


def missing_part(names: Iterable[str]) -> str | None:
    """Says what these files lack to be a model, as a sentence without its full stop; None when nothing."""
    present = set(names)
    if CONFIG not in present:
        return f"it has no {CONFIG}, so it is not a model that MLX can run"
    if not any(is_weights(name) for name in present):
        return "it has no safetensors weights (model*.safetensors), so it is not a model that MLX can run"
    if not any(fnmatchcase(name, pattern) for name in present for pattern in _TOKENIZERS):
        return "it has no tokenizer"
    return None


def _to_manifest_file(model_id: ModelId, sibling: RepoSibling) -> ManifestFile:
    algorithm: Literal["sha256", "git-sha1"] = "sha256" if sibling.lfs else "git-sha1"
    size_bytes = sibling.lfs.size if sibling.lfs else sibling.size
    checksum = sibling.lfs.sha256 if sibling.lfs else sibling.blob_id
    if size_bytes is None or not checksum:
        reason = f"the hub tells no size or checksum of {sibling.rfilename!r}, so it could not be checked"
        raise InvalidModelError(model_id=model_id, reason=reason)
    return ManifestFile(name=sibling.rfilename, size_bytes=size_bytes, algorithm=algorithm, checksum=checksum)
