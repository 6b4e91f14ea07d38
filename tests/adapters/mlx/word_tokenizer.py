"""A tokenizer that is easy to foresee, with a chat template to choose."""

from collections.abc import Sequence

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

CHAT = "{% for m in messages %}{{ m.role }} {{ m.content }} {% endfor %}assistant"
ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"


class WordTokenizer:
    """A tokenizer of one token a word, with a chat template given as jinja source."""

    def __init__(self, template: str, *, has_chat_template: bool = True) -> None:
        self.has_chat_template = has_chat_template
        self._template = ImmutableSandboxedEnvironment().from_string(template)

    def apply_chat_template(
        self,
        conversation: Sequence[dict[str, str]],
        *,
        tokenize: bool,
        add_generation_prompt: bool,
        **arguments: object,
    ) -> str:
        assert not tokenize
        assert add_generation_prompt

        def raise_exception(message: str) -> None:
            raise jinja2.TemplateError(message)

        return self._template.render(messages=conversation, raise_exception=raise_exception, **arguments)

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        assert not add_special_tokens
        return [len(word) for word in text.split()]
