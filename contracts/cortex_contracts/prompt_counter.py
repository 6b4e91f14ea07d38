"""The contract of `cortex_domain.ports.PromptCounter`. The whole class costs about three short answers."""

from dataclasses import dataclass, replace

import pytest

from cortex_contracts.checks import checks
from cortex_contracts.conversations import COUNTING, chat, read
from cortex_contracts.text_generator import NOT_LOADED, TextGeneratorHarness
from cortex_domain.errors import ModelNotLoadedError, UnsupportedCapabilityError
from cortex_domain.language_models import Capability
from cortex_domain.messages import assistant_message, system_message, user_message
from cortex_domain.ports import PromptCounter


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptCounterHarness(TextGeneratorHarness):
    """What the contract needs beyond what the text generator's contract needs.

    Attributes:
        counter: The adapter under test; counts what `generator` reads.
    """

    counter: PromptCounter


@pytest.mark.asyncio
class PromptCounterContract:
    """Subclass this and define a fixture `harness` that returns a `PromptCounterHarness`."""

    @checks("prompt_counter.counts_what_is_read")
    async def test_counts_what_is_read(self, harness: PromptCounterHarness) -> None:
        """Compares with what answers to the same requests tell, one of them with several turns."""
        turns = system_message("Be brief."), user_message(COUNTING), assistant_message("one, two"), user_message("On!")
        plain = chat(harness.files, max_tokens=1)
        for request in (plain, replace(plain, messages=turns)):
            counted = await harness.counter.count_prompt(request)
            assert counted == (await read(harness.generator, request)).started.prompt_tokens

    @checks("prompt_counter.counts_beyond_window")
    async def test_counts_beyond_window(self, harness: PromptCounterHarness) -> None:
        """Counts twice and four times as many words as the window has tokens."""
        window = harness.model.context_window
        double, fourfold = [
            await harness.counter.count_prompt(chat(harness.files, " one" * words))
            for words in (2 * window, 4 * window)
        ]
        assert double >= 2 * window
        assert fourfold - double >= 2 * window

    @checks("prompt_counter.takes_no_place")
    async def test_takes_no_place(self, harness: PromptCounterHarness) -> None:
        """Counts, and looks at once whether anything is left of it."""
        await harness.counter.count_prompt(chat(harness.files, max_tokens=1000))
        status = harness.monitor.status()
        assert status.active_requests + status.waiting_requests == 0

    @checks("prompt_counter.unloaded_model_refused")
    async def test_unloaded_model_refused(self, harness: PromptCounterHarness) -> None:
        """Counts for a model that was never loaded."""
        with pytest.raises(ModelNotLoadedError):
            await harness.counter.count_prompt(replace(chat(harness.files), model=NOT_LOADED))

    @checks("prompt_counter.undeclared_refused")
    async def test_undeclared_refused(self, harness: PromptCounterHarness) -> None:
        """Asks for several answers; a generator that declares them has its prompt counted once."""
        request = replace(chat(harness.files), n=2)
        if Capability.CHOICES in harness.generator.capabilities:
            alone = await harness.counter.count_prompt(chat(harness.files))
            assert await harness.counter.count_prompt(request) == alone
            return
        with pytest.raises(UnsupportedCapabilityError):
            await harness.counter.count_prompt(request)
