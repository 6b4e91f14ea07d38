"""Files that a fake loader takes for a model."""

from pathlib import PurePath

from cortex_domain.language_models import ModelFiles, ModelId

FILES = ModelFiles(model_id=ModelId("fake/echo"), directory=PurePath("nowhere"), revision=None, size_bytes=1_000_000)
