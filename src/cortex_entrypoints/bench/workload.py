"""What is asked: prompts that no server can have seen before, the same for every target of one run."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

# Short, common words: with a space before them each is one token of nearly every vocabulary.
_WORDS = """
apple arm baby back bag ball bank bear bed bell bird blue boat body book box boy bread bridge brother cake car
card cat chair child city clock cloud coat coffee cold cook corn cow cup dance day desk dinner dog door dream
dress dust ear east egg eye face farm father field fire fish flag floor flower food foot forest fruit game
garden gate girl glass gold grass green hair hand hat head heart hill home horse hotel house ice island job
kitchen king knife lake lamp land leaf leg letter light line lion map market milk moon morning mother mountain
mouse mouth music name night north nose ocean office oil orange page paper park party pen picture plane plant
plate queen rain river road rock room rose salt sand school sea seat ship shirt shoe shop silver sister sky snow
song south spring star stone street summer sun table tea tiger tooth tower town train tree valley village wall
watch water west wheel wind window winter wood world yellow
""".split()  # noqa: SIM905 - a word a line is no easier to read
# Of a few tasks the one that SmolLM2-135M was least often done with before 64 tokens: never in 24 prompts.
_TASK = "Write a very long story about these words."


class Prefix(StrEnum):
    """What the requests of a round begin with.

    COLD: Each with words of its own, so no server can reuse what it computed for another.
    WARM: All with the same words, which the server has seen before the round.
    """

    COLD = "cold"
    WARM = "warm"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundPlan:
    """One burst of requests.

    Attributes:
        clients: Requests at once.
        prefix: What they begin with.
        repeat: Number of the repeat, from 1; 0 warms up and does not count.
    """

    clients: int
    prefix: Prefix
    repeat: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Makes prompts of about so many tokens; the same seed makes the same prompts.

    Attributes:
        seed: Where the words are drawn from.
        prefix_tokens: Length of what the requests begin with, in tokens; 0 for none.
        prompt_tokens: Length of the whole prompt without the prefix, in tokens.
        overhead_tokens: What the chat template and the task add, as a server counted it.
    """

    seed: int
    prefix_tokens: int
    prompt_tokens: int
    overhead_tokens: int = 0

    def prompts(self, plan: RoundPlan) -> Sequence[str]:
        """Makes one prompt a client."""
        return [self._prompt(plan, client) for client in range(plan.clients)]

    def probe(self) -> str:
        """Makes a prompt that no round has; unless it was fitted, it has as many words as it should have tokens."""
        return self._prompt(RoundPlan(clients=0, prefix=Prefix.COLD, repeat=0), 0)

    def fitted(self, probe_tokens: int) -> "Workload":
        """Corrects the number of words by what a server counted for the probe."""
        return replace(self, overhead_tokens=probe_tokens - self.prefix_tokens - self.prompt_tokens)

    def _prompt(self, plan: RoundPlan, client: int) -> str:
        own = f"{self.seed} {plan.clients} {plan.prefix} {plan.repeat} {client}"
        start = own if plan.prefix is Prefix.COLD else f"{self.seed} {plan.clients}"
        own_words = max(1, self.prompt_tokens - self.overhead_tokens)
        texts = [_words(f"{start} prefix", self.prefix_tokens), _words(own, own_words), _TASK]
        return "\n\n".join(text for text in texts if text)


def _words(seed: str, count: int) -> str:
    return " ".join(random.Random(seed).choices(_WORDS, k=count))  # noqa: S311
