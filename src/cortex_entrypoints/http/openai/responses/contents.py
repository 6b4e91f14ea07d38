"""The parts of a message, as the Responses API writes them."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from cortex_domain.messages import ContentPart, TextPart
from cortex_entrypoints.http.openai.data_urls import picture_in
from cortex_entrypoints.http.strict_body import Body


class InputTextBody(Body):
    """What somebody says."""

    type: Literal["input_text"]
    text: str
    prompt_cache_breakpoint: Any = None

    def to_domain(self) -> TextPart:
        """Builds the part."""
        return TextPart(text=self.text)


class OutputTextBody(Body):
    """What the model said in an earlier answer."""

    type: Literal["output_text"]
    text: str
    annotations: Annotated[list[Any], Field(default_factory=list)]
    logprobs: list[Any] | None = None

    def to_domain(self) -> TextPart:
        """Builds the part."""
        return TextPart(text=self.text)


class RefusalBody(Body):
    """What the model said when it refused."""

    type: Literal["refusal"]
    refusal: str

    def to_domain(self) -> TextPart:
        """Builds the part."""
        return TextPart(text=self.refusal)


class InputImageBody(Body):
    """A picture, for models that list the capability `image_input`."""

    type: Literal["input_image"]
    image_url: Annotated[str, Field(description="`data:image/…;base64,…`")]
    detail: Literal["auto", "low", "high", "original"] = "auto"
    file_id: None = None
    prompt_cache_breakpoint: Any = None

    def to_domain(self) -> ContentPart:
        """Builds the part.

        Raises:
            InvalidRequestError: The picture is not in the URL.
        """
        return picture_in(self.image_url, field="image_url", parameter="input")


_KINDS = ("input_text", "output_text", "refusal", "input_image")


def _tag(value: object) -> str | None:
    # What is written back comes here as the object that was read.
    kind = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return f"<{kind}>" if kind in _KINDS else None


ContentBody = Annotated[
    Annotated[InputTextBody, Tag("<input_text>")]
    | Annotated[OutputTextBody, Tag("<output_text>")]
    | Annotated[RefusalBody, Tag("<refusal>")]
    | Annotated[InputImageBody, Tag("<input_image>")],
    Discriminator(
        _tag,
        custom_error_type="content_part_type",
        custom_error_message=f"Input should be an object whose type is one of {', '.join(_KINDS)}",
    ),
]
