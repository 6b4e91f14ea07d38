"""A language model with no weights: it is almost sure that the answer is what the user said.

The next word of the user's text has a logit of 50, all other words and the end of the text have 0. Biases and penalties
move these logits as they would move those of a real model. What remains is so likely that the temperature and the cuts
by top_p, top_k and min_p never change which word is drawn.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from cortex_adapters.fake.words import split_words
from cortex_domain.generation import SamplingParameters

END = ""
"""The token that ends an answer; no word is empty."""

_EXPECTED_LOGIT = 50.0


def echo(text: str, sampling: SamplingParameters, bias: Mapping[str, float], /) -> Iterator[str]:
    """Draws the words of an answer; ends when the model draws the end of the text.

    Args:
        text: What the user said last.
        sampling: How words are drawn; its biases are those of `bias`.
        bias: Values that are added to the logits of these words.
    """
    said: Counter[str] = Counter()
    expected = iter(split_words(text))
    prompt = set(split_words(text))
    while (word := _draw(next(expected, END), prompt, said, sampling, bias)) != END:
        said[word] += 1
        yield word


def _draw(
    expected: str, prompt: set[str], said: Counter[str], sampling: SamplingParameters, bias: Mapping[str, float]
) -> str:
    logits = dict.fromkeys((expected, END, *bias), 0.0)
    logits[expected] = _EXPECTED_LOGIT
    for word in logits:
        logit = logits[word] + bias.get(word, 0.0)
        if word in prompt or word in said:
            logit *= sampling.repetition_penalty if logit < 0 else 1 / sampling.repetition_penalty
        logits[word] = logit - sampling.presence_penalty * (word in said) - sampling.frequency_penalty * said[word]
    return max(logits, key=logits.__getitem__)
