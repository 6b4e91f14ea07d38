"""Models from the Hugging Face hub, kept in a directory of their own."""

from cortex_adapters.hugging_face_hub.catalogue import CATALOGUE
from cortex_adapters.hugging_face_hub.model_store import HuggingFaceModelStore

__all__ = ["CATALOGUE", "HuggingFaceModelStore"]
