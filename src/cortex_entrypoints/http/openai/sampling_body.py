"""How tokens are drawn, as all bodies of OpenAI's dialect write it."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from cortex_domain.generation import MAX_SEED, SamplingParameters
from cortex_entrypoints.http.request_bodies import (
    ChatDefaults,
    FrequencyPenalty,
    LogitBias,
    MinP,
    PresencePenalty,
    RepetitionPenalty,
    StopTexts,
    Temperature,
    TopK,
    whole_number,
)
from cortex_entrypoints.http.strict_body import Body

_LEAST_TOP_P = 1e-9
"""What OpenAI's top_p of 0 asks for: the most probable token alone."""

TopP = Annotated[float, Field(ge=0, le=1, description="Keep the smallest set of tokens of this probability.")]
Seed = Annotated[
    int,
    Field(ge=-MAX_SEED - 1, le=MAX_SEED, description="Same seed and request, same answer."),
    BeforeValidator(whole_number),
]
_FIELDS = ("temperature", "presence_penalty", "frequency_penalty", "top_k", "min_p", "repetition_penalty")


class SamplingBody(Body):
    """How tokens are drawn.

    `top_k`, `min_p` and `repetition_penalty` are extensions that clients send as extra fields.
    """

    temperature: Temperature | None = None
    top_p: TopP | None = None
    stop: StopTexts | None = None
    seed: Seed | None = None
    presence_penalty: PresencePenalty | None = None
    frequency_penalty: FrequencyPenalty | None = None
    logit_bias: LogitBias | None = None
    top_k: TopK | None = None
    min_p: MinP | None = None
    repetition_penalty: RepetitionPenalty | None = None

    def sampling(self, defaults: ChatDefaults) -> SamplingParameters:
        """Builds the domain's parameters."""
        fields: dict[str, Any] = {"temperature": defaults.temperature, "top_p": defaults.top_p}
        fields |= {name: value for name in _FIELDS if (value := getattr(self, name)) is not None}
        if self.top_p is not None:
            fields["top_p"] = self.top_p or _LEAST_TOP_P
        if self.seed is not None:
            fields["seed"] = self.seed & MAX_SEED  # the domain's seeds have no sign
        biases = {int(token_id): bias for token_id, bias in (self.logit_bias or {}).items()}
        return SamplingParameters(**fields, logit_bias=biases)

    @property
    def stop_texts(self) -> tuple[str, ...]:
        """Texts that end the answer."""
        if self.stop is None:
            return ()
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)
