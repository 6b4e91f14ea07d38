"""Text generators that are wrong in one way each."""

from collections.abc import Callable
from dataclasses import replace

from cortex_contracts.broken_adapters.breakage import Breakage
from cortex_contracts.broken_adapters.wrong_events import (
    Alter,
    Altering,
    Holding,
    LosesHeldText,
    counts_no_thoughts,
    going_on_when,
    hides_the_stop_text,
    miscounts_prefill,
    miscounts_prompt,
    names_another_request,
    ranks_backwards,
    reports_before_starting,
    says_the_stop_text,
    splits_characters,
    tells_tokens_twice,
    thinks_aloud,
    waits_less_than_nothing,
)
from cortex_contracts.broken_adapters.wrong_neighbours import (
    FailsTogether,
    MixesAnswers,
    NeverLeaves,
    OneAtATime,
    ReusesLastAnswer,
)
from cortex_contracts.broken_adapters.wrong_refusals import RefusesLate, RemembersModels, cuts_answers, cuts_prompts
from cortex_contracts.broken_adapters.wrong_requests import (
    Ask,
    Asking,
    Undeclaring,
    always_thinks,
    answers_prompts,
    doubles_short_answers,
    forgets_required_properties,
    ignores_bans,
    ignores_choices,
    ignores_deadlines,
    ignores_echo,
    ignores_logprobs,
    ignores_stop_texts,
    ignoring,
    ignoring_output,
    ignoring_parts,
    makes_sense_of_nonsense,
    never_shortens,
    never_thinks,
)
from cortex_contracts.broken_adapters.wrong_tool_calls import (
    CallsTwice,
    calls_any_tool,
    forgets_results,
    ignores_tools,
    keeps_arguments_to_itself,
    leaves_calls_open,
    tells_of_tools_it_must_not_use,
)
from cortex_contracts.text_generator import TextGeneratorHarness
from cortex_domain.events import GenerationStarted, PrefillProgress, TextDelta
from cortex_domain.generation import SamplingParameters
from cortex_domain.language_models import Capability
from cortex_domain.messages import AudioPart, ImagePart
from cortex_domain.ports import TextGenerator

OUTPUTS = (
    Capability.JSON_SCHEMA_OUTPUT,
    Capability.REGEX_OUTPUT,
    Capability.LARK_OUTPUT,
    Capability.GBNF_OUTPUT,
    Capability.CHOICE_OUTPUT,
)


def _breakage(
    requirement_id: str, name: str, broken: Callable[[TextGenerator], TextGenerator]
) -> Breakage[TextGeneratorHarness]:
    return Breakage(requirement_id, name, lambda harness: replace(harness, generator=broken(harness.generator)))


def _asking(requirement_id: str, ask: Ask) -> Breakage[TextGeneratorHarness]:
    return _breakage(requirement_id, ask.__name__, lambda inner: Asking(inner, ask))


def _altering(requirement_id: str, alter: Alter) -> Breakage[TextGeneratorHarness]:
    return _breakage(requirement_id, alter.__name__, lambda inner: Altering(inner, alter))


def _undeclared(capability: Capability, ask: Ask) -> Breakage[TextGeneratorHarness]:
    name = f"_ignores_undeclared_{capability}"
    return _breakage(f"text_generator.{capability}", name, lambda inner: Undeclaring(inner, ask, capability))


def _declared(capability: Capability, applies: Callable[[SamplingParameters], bool]) -> Breakage[TextGeneratorHarness]:
    name = f"_ignores_declared_{capability}"
    return _breakage(f"text_generator.{capability}", name, lambda inner: Altering(inner, going_on_when(applies)))


BROKEN_TEXT_GENERATORS = (
    _altering("text_generator.stream_order", reports_before_starting),
    _altering("text_generator.started_names_request", names_another_request),
    _altering("text_generator.prefill_counts_prompt", miscounts_prefill),
    _altering("text_generator.usage_adds_up", miscounts_prompt),
    _altering("text_generator.timings_are_durations", waits_less_than_nothing),
    _breakage(
        "text_generator.started_before_work",
        "_starts_late",
        lambda inner: Holding(inner, GenerationStarted, PrefillProgress),
    ),
    _breakage("text_generator.deltas_as_produced", "_says_all_at_once", lambda inner: Holding(inner, TextDelta)),
    _altering("text_generator.whole_characters", splits_characters),
    _asking("text_generator.max_tokens_bounds_answer", doubles_short_answers),
    _asking("text_generator.stop_text_ends_answer", ignores_stop_texts),
    _altering("text_generator.stop_text_ends_answer", says_the_stop_text),
    _altering("text_generator.stop_text_ends_answer", hides_the_stop_text),
    _breakage("text_generator.held_back_text_is_released", LosesHeldText.__name__, LosesHeldText),
    _breakage("text_generator.temperature_0_repeats", ReusesLastAnswer.__name__, ReusesLastAnswer),
    _breakage(
        "text_generator.top_p_cuts",
        "_ignores_top_p",
        lambda inner: Altering(inner, going_on_when(lambda sampling: sampling.top_p < 1)),
    ),
    _declared(Capability.SEED, lambda sampling: sampling.seed is not None),
    _declared(Capability.TOP_K, lambda sampling: sampling.top_k is not None),
    _declared(Capability.MIN_P, lambda sampling: sampling.min_p > 0),
    _asking("text_generator.logit_bias", ignores_bans),
    *(
        _undeclared(capability, ignoring(capability.value))
        for capability in Capability
        if hasattr(SamplingParameters(), capability.value)
    ),
    _asking("text_generator.choices", ignores_choices),
    _undeclared(Capability.CHOICES, ignores_choices),
    _asking("text_generator.json_schema_output", forgets_required_properties),
    _asking("text_generator.choice_output", ignoring_output(Capability.CHOICE_OUTPUT)),
    _asking("text_generator.impossible_output_refused", makes_sense_of_nonsense),
    *(_undeclared(capability, ignoring_output(capability)) for capability in OUTPUTS),
    _asking("text_generator.reasoning_effort", never_thinks),
    _asking("text_generator.reasoning_effort", always_thinks),
    _altering("text_generator.reasoning_effort", thinks_aloud),
    _altering("text_generator.reasoning_effort", counts_no_thoughts),
    _undeclared(Capability.REASONING_EFFORT, never_thinks),
    _asking("text_generator.logprobs", ignores_logprobs),
    _altering("text_generator.logprobs", tells_tokens_twice),
    _altering("text_generator.logprobs", ranks_backwards),
    _undeclared(Capability.LOGPROBS, ignores_logprobs),
    _asking("text_generator.raw_prompt", answers_prompts),
    _undeclared(Capability.RAW_PROMPT, answers_prompts),
    _asking("text_generator.echo", ignores_echo),
    _undeclared(Capability.ECHO, ignores_echo),
    _asking("text_generator.tools", leaves_calls_open),
    _undeclared(Capability.TOOLS, ignores_tools),
    _asking("text_generator.named_tool_is_called", calls_any_tool),
    _altering("text_generator.no_tool_when_none", tells_of_tools_it_must_not_use),
    _breakage("text_generator.single_tool_call", CallsTwice.__name__, CallsTwice),
    _altering("text_generator.tool_call_deltas", keeps_arguments_to_itself),
    _asking("text_generator.tool_results_are_read", forgets_results),
    _undeclared(Capability.IMAGE_INPUT, ignoring_parts(ImagePart)),
    _undeclared(Capability.AUDIO_INPUT, ignoring_parts(AudioPart)),
    _breakage("text_generator.refused_on_entering", RefusesLate.__name__, RefusesLate),
    _breakage("text_generator.unloaded_model_refused", RemembersModels.__name__, RemembersModels),
    _breakage("text_generator.long_prompt_refused", cuts_prompts.__name__, cuts_prompts),
    _breakage("text_generator.long_answer_refused", cuts_answers.__name__, cuts_answers),
    _asking("text_generator.shortens_to_fit", never_shortens),
    _asking("text_generator.deadline_ends_answer", ignores_deadlines),
    _breakage("text_generator.leaving_frees_place", NeverLeaves.__name__, NeverLeaves),
    _breakage("text_generator.concurrent_as_alone", MixesAnswers.__name__, MixesAnswers),
    _breakage("text_generator.failure_stays_alone", FailsTogether.__name__, FailsTogether),
    _breakage("text_generator.unread_stream_stalls_no_other", OneAtATime.__name__, OneAtATime),
)
