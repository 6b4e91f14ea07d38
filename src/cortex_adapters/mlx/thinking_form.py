"""How a model thinks before it answers: the marks around its thoughts, and what its chat template makes of an effort.

mlx-lm knows the marks by the vocabulary, but for the channels of gpt-oss. What a template can be told shows in its
source: `enable_thinking` or `thinking` switches thoughts on and off, `reasoning_effort` takes the name of an effort. A
template with a switch alone knows every effort but `none` as "on"; one with neither thinks, or does not, as it likes.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from cortex_adapters.mlx.channel_text import CHANNEL, END, MESSAGE, START
from cortex_domain.errors import UnsupportedCapabilityError
from cortex_domain.generation import ReasoningEffort
from cortex_domain.language_models import Capability, ModelId

_SWITCHES = ("enable_thinking", "thinking")
_EFFORT = "reasoning_effort"
_MESSAGE_KEYS = ("reasoning_content", "reasoning", "thinking")
_TAIL_TOKENS = 32
"""More than the marks and the line ends that a template may put at the end of a prompt."""


class ThinkingTokenizer(Protocol):
    """What is used of mlx-lm's tokenizer wrapper."""

    @property
    def think_start(self) -> str | None:
        """Text that begins thoughts; None for a model that does not think."""

    @property
    def think_end(self) -> str | None:
        """Text that ends them."""

    @property
    def chat_template(self) -> str | Mapping[str, str] | None:
        """The template's source, or several by name; None for one that is no jinja."""

    def get_vocab(self) -> Mapping[str, int]:
        """Returns all tokens."""

    def decode(self, token_ids: Sequence[int], /) -> str:
        """Turns token ids into text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinkingForm:
    """How one model thinks.

    Attributes:
        start: Text that begins its thoughts.
        end: Text that ends them.
        switch: The template's variable that is true or false; None when it has none.
        effort: The template's variable that takes the name of an effort; None when it has none.
        efforts: The efforts that the template names itself; one with `effort` alone is kept from thinking only if it
            names `none`.
        has_channels: Whether thoughts and answer are messages on channels; `start` and `end` are then those of a
            message that is thought.
        message_key: Where the template looks for what an assistant's message thought; None when it does not look.
    """

    start: str
    end: str
    switch: str | None
    effort: str | None
    efforts: frozenset[ReasoningEffort]
    message_key: str | None
    has_channels: bool = False

    @property
    def marks(self) -> frozenset[str]:
        """The texts that no message may forge."""
        return frozenset({self.start, self.end})

    def is_open(self, tokenizer: ThinkingTokenizer, prompt: Sequence[int], /) -> bool:
        """Tells whether the template has begun the thoughts already: its prompt ends with their mark.

        That of a model with channels leaves it to the model to name one.
        """
        return tokenizer.decode(prompt[-_TAIL_TOKENS:]).rstrip().endswith(self.start)

    def arguments(self, effort: ReasoningEffort, /) -> Mapping[str, object] | None:
        """Returns what to tell the template; None when it cannot be told."""
        arguments: dict[str, object] = {}
        thinks = effort is not ReasoningEffort.NONE
        if self.switch is not None:
            arguments[self.switch] = thinks
        if self.effort is not None and (thinks or effort in self.efforts):
            arguments[self.effort] = effort.value
        return arguments or None


def thinking_form_of(tokenizer: ThinkingTokenizer, /) -> ThinkingForm | None:
    """Finds out how a model thinks; None for one that does not."""
    if tokenizer.think_start is not None and tokenizer.think_end is not None:
        return _form(tokenizer, tokenizer.think_start, tokenizer.think_end)
    if {CHANNEL, MESSAGE, START, END} <= tokenizer.get_vocab().keys():
        return _form(tokenizer, CHANNEL, END, has_channels=True)
    return None


def template_arguments(
    form: ThinkingForm | None, effort: ReasoningEffort | None, /, *, model_id: ModelId
) -> Mapping[str, object]:
    """Returns what to tell a model's template about an effort.

    Raises:
        UnsupportedCapabilityError: The model does not think and should, or the template cannot be told.
    """
    if effort is None or (form is None and effort is ReasoningEffort.NONE):
        return {}
    arguments = None if form is None else form.arguments(effort)
    if arguments is None:
        capability = Capability.REASONING_EFFORT
        raise UnsupportedCapabilityError(capability=capability, model_id=model_id, parameter=capability.value)
    return arguments


def _form(tokenizer: ThinkingTokenizer, start: str, end: str, *, has_channels: bool = False) -> ThinkingForm:
    source = _source_of(tokenizer.chat_template)
    return ThinkingForm(
        start=start,
        end=end,
        has_channels=has_channels,
        switch=next((name for name in _SWITCHES if _has_variable(name, source)), None),
        effort=_EFFORT if _has_variable(_EFFORT, source) else None,
        efforts=frozenset(effort for effort in ReasoningEffort if re.search(rf"['\"]{effort.value}['\"]", source)),
        message_key=next((key for key in _MESSAGE_KEYS if _reads_of_message(key, source)), None),
    )


def _source_of(chat_template: str | Mapping[str, str] | None) -> str:
    """Returns a template's source; those that mlx-lm has in Python take `enable_thinking` and `reasoning_content`."""
    if chat_template is None:
        return "enable_thinking message.reasoning_content"
    return chat_template if isinstance(chat_template, str) else "\n".join(chat_template.values())


def _has_variable(name: str, source: str) -> bool:
    """Tells whether a template knows a variable of this name, as against an attribute or a text."""
    return re.search(rf"(?<![\w.'\"]){name}(?![\w'\"])", source) is not None


def _reads_of_message(key: str, source: str) -> bool:
    return re.search(rf"\w\.{key}\b|\[\s*['\"]{key}['\"]\s*\]|['\"]{key}['\"] in \w", source) is not None
