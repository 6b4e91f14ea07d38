"""What a model is given to answer, as the Responses API writes it."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from cortex_domain.errors import InvalidRequestError
from cortex_domain.generation import MAX_OWNER_CHARACTERS, GenerationRequest, ReasoningEffort
from cortex_domain.language_models import ModelId
from cortex_domain.messages import Message, system_message
from cortex_entrypoints.http.openai.responses.input_items import ItemBody, MessageItemBody
from cortex_entrypoints.http.openai.responses.text_format import TextBody
from cortex_entrypoints.http.openai.responses.tools import ToolChoiceBody, Tools, offered_tools, tool_choice_of
from cortex_entrypoints.http.request_bodies import MAX_MESSAGES, ChatDefaults, ModelName, ReasoningEffortName
from cortex_entrypoints.http.strict_body import Body
from cortex_entrypoints.http.tool_bodies import ParallelToolCalls

ResponseId = Annotated[str, Field(min_length=1, max_length=200)]


class ReasoningBody(Body):
    """How to think."""

    effort: ReasoningEffortName | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Literal["auto", "concise", "detailed"] | None = None
    context: Literal["auto"] | None = None
    mode: Literal["standard"] | None = None


def _input_tag(value: object) -> str | None:
    if isinstance(value, str):
        return "<text>"
    return "<items>" if isinstance(value, list) else None


Input = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[list[ItemBody], Field(max_length=MAX_MESSAGES), Tag("<items>")],
    Discriminator(
        _input_tag, custom_error_type="input_type", custom_error_message="Input should be a string or a list of items"
    ),
    Field(description="What the user says, or items."),
]


class PromptBody(Body):
    """What a model is given to answer."""

    input: Input | None = None
    instructions: str | None = None
    model: ModelName | None = None
    previous_response_id: ResponseId | None = None
    text: TextBody | None = None
    reasoning: ReasoningBody | None = None
    tools: Tools | None = None
    tool_choice: ToolChoiceBody | None = None
    parallel_tool_calls: ParallelToolCalls | None = None
    user: Annotated[str, Field(max_length=MAX_OWNER_CHARACTERS, description="Who asks; a name.")] | None = None
    truncation: Literal["disabled"] | None = None
    conversation: None = None

    @property
    def items(self) -> list[ItemBody]:
        """What is said, as items."""
        if isinstance(self.input, str):
            return [MessageItemBody.model_validate({"role": "user", "content": self.input})]
        return self.input or []

    def prompt_request(self, defaults: ChatDefaults, messages: tuple[Message, ...], *, owner: str) -> GenerationRequest:
        """Builds a request of what is known so far.

        Args:
            defaults: What a request gets that leaves something open.
            messages: What the items of the conversation say.
            owner: Who asks.

        Raises:
            InvalidRequestError: The values break a rule together.
        """
        if not messages:
            raise InvalidRequestError("A response needs something to answer.", parameter="input")
        instructions = () if self.instructions is None else (system_message(self.instructions),)
        return GenerationRequest(
            model=defaults.model if self.model is None else ModelId(self.model),
            messages=instructions + messages,
            owner=owner,
            reasoning_effort=self._reasoning_effort(),
            tools=offered_tools(self.tools or (), self.tool_choice),
            tool_choice=tool_choice_of(self.tool_choice),
            parallel_tool_calls=self.parallel_tool_calls is not False,
            output=None if self.text is None else self.text.to_domain(),
        )

    def _reasoning_effort(self) -> ReasoningEffort | None:
        effort = None if self.reasoning is None else self.reasoning.effort
        return None if effort is None else ReasoningEffort(effort)


class CountTokensBody(PromptBody):
    """A prompt whose tokens are to be counted."""

    personality: None = None
