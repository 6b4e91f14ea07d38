"""Compiles grammars for one model, off the engine's thread, and keeps them warm."""

import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

from llguidance import LLMatcher, LLTokenizer
from llguidance.gbnf_to_lark import gbnf_to_lark
from mlx_lm.tokenizer_utils import TokenizerWrapper

from cortex_adapters.mlx.deep_stack import call_on_deep_stack
from cortex_adapters.mlx.grammar_trials import GrammarTrials, parser_limits
from cortex_adapters.mlx.grammars import Grammar
from cortex_adapters.mlx.token_constraint import FreeText, Thinking, TokenConstraint
from cortex_domain.errors import InvalidRequestError

KEPT_GRAMMARS = 128
_LONGEST_COMPLAINT = 300
_MOST_REPETITIONS = 10_000
"""How often `{n,m}` may repeat something; more makes a single step of the engine last for a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledGrammar:
    """A grammar that any number of answers may be held to.

    Attributes:
        grammar: What was compiled.
        matcher: Where the grammar begins, warm; nobody advances it.
        tokenizer: The model's, as llguidance knows it.
        words: The model's, as mlx-lm knows it.
    """

    grammar: Grammar
    matcher: LLMatcher
    tokenizer: LLTokenizer
    words: TokenizerWrapper

    def begin(self, prompt: Sequence[int], answer: Sequence[int], /) -> TokenConstraint:
        """Makes the constraint of one answer, at the point where it is."""
        free = () if self.grammar.trigger is None else (FreeText(end=self.grammar.trigger.encode()),)
        thought, thinking = _thinking_of(self.words, prompt)
        constraint = TokenConstraint(
            self.matcher.deep_copy(),
            self.tokenizer,
            parameter=self.grammar.parameter,
            free=(*thought, *free),
            thinking=thinking,
        )
        for token in answer:
            constraint.take(token)
        return constraint


class GrammarCompiler:
    """Compiles for one tokenizer; any thread may call it.

    Args:
        words: The model's tokenizer.
    """

    def __init__(self, words: TokenizerWrapper) -> None:
        self._words = words
        self._lock = threading.Lock()
        self._tokenizer: LLTokenizer | None = None
        self._trials: GrammarTrials | None = None
        self._kept: OrderedDict[Grammar, CompiledGrammar] = OrderedDict()

    def compile(self, grammar: Grammar, /) -> CompiledGrammar:
        """Compiles a grammar, or finds it compiled.

        Raises:
            InvalidRequestError: It is malformed, asks for what is not supported, or is too complex; or the tokenizer is
                of a kind that llguidance does not read.
        """
        with self._lock:
            if grammar in self._kept:
                self._kept.move_to_end(grammar)
                return self._kept[grammar]
        tokenizer, trials = self._read_tokenizer(grammar.parameter)
        matcher = _make_matcher(grammar, tokenizer, trials)
        compiled = CompiledGrammar(grammar=grammar, matcher=matcher, tokenizer=tokenizer, words=self._words)
        with self._lock:
            self._kept[grammar] = compiled
            if len(self._kept) > KEPT_GRAMMARS:
                self._kept.popitem(last=False)
        return compiled

    def close(self) -> None:
        """Ends what was started for it; nothing is compiled from now on."""
        with self._lock:
            self._kept.clear()
            if self._trials is not None:
                self._trials.close()

    def _read_tokenizer(self, parameter: str) -> tuple[LLTokenizer, GrammarTrials]:
        """Reads the vocabulary once, here and where grammars are tried; it takes about a second."""
        with self._lock:
            if self._tokenizer is None or self._trials is None:
                text, eos_tokens = _as_json(self._words, parameter), sorted(self._words.eos_token_ids)
                self._trials = GrammarTrials(text, eos_tokens)
                self._tokenizer = LLTokenizer(text, eos_token=eos_tokens)
            return self._tokenizer, self._trials


def _as_json(words: TokenizerWrapper, parameter: str) -> str:
    tokenizer: Any = words._tokenizer  # noqa: SLF001 - what the wrapper wraps
    backend = copy(getattr(tokenizer, "backend_tokenizer", None))
    if backend is None:
        raise InvalidRequestError("This model's tokenizer is of a kind that no grammar can hold.", parameter=parameter)
    backend.no_padding()
    backend.no_truncation()
    return str(backend.to_str())


def _make_matcher(grammar: Grammar, tokenizer: LLTokenizer, trials: GrammarTrials) -> LLMatcher:
    rules = _to_lark(grammar)
    if complaint := trials.complaint_of(rules):
        raise _refusal(grammar, complaint)
    # Rules that go on in rules, and schemas that refer to schemas, are followed by recursion.
    matcher = call_on_deep_stack(partial(_build, rules, tokenizer))
    if matcher.is_stopped() and not matcher.is_accepting():
        raise _refusal(grammar, "NoExtension")
    return matcher


def _build(rules: str, tokenizer: LLTokenizer) -> LLMatcher:
    matcher = LLMatcher(tokenizer, rules, log_level=0, limits=parser_limits())
    matcher.compute_bitmask()  # the first takes longest; copies are as warm as their original
    return matcher


def _to_lark(grammar: Grammar) -> str:
    _require_short_repetitions(grammar)
    if not grammar.is_gbnf:
        return grammar.text
    try:
        return gbnf_to_lark(grammar.text)
    except Exception as error:  # the converter raises whatever comes along
        raise _refusal(grammar, f"{type(error).__name__}: {error}") from error


def _require_short_repetitions(grammar: Grammar) -> None:
    counts = re.findall(r"\{\s*0*(\d*)\s*,?\s*0*(\d*)\s*\}", grammar.text)
    if any(len(count) > len(str(_MOST_REPETITIONS)) or int(count or 0) > _MOST_REPETITIONS for count in chain(*counts)):
        raise _refusal(grammar, f"something is repeated more than {_MOST_REPETITIONS} times")


def _refusal(grammar: Grammar, complaint: str) -> InvalidRequestError:
    told = _in_plain_words(complaint, has_own_lines=grammar.parameter == "output.grammar")
    return InvalidRequestError(f"What the output is bound to cannot be followed: {told}.", parameter=grammar.parameter)


def _in_plain_words(complaint: str, *, has_own_lines: bool) -> str:
    """Says what llguidance complains of, without its options, limits and excerpts of what nobody wrote."""
    # A panic of the library, which catches it, has only ever meant a number that outgrew its type.
    if re.match("panic|.*(limit|too large|fuel)", complaint, re.DOTALL):
        return "it is too complex"
    if complaint.startswith("NoExtension"):
        return "no text satisfies it"
    told = re.split(r"<backtrace>|<non-verbose/>|\n +\d+ \|| Enable '", complaint)[0]
    if not has_own_lines:
        told = re.sub(r"^(at )?\d+\(\d+\): ", "", told)
    return " ".join(told.replace("failed to compile JSON schema: ", "").split())[:_LONGEST_COMPLAINT].rstrip(".")


def _thinking_of(words: TokenizerWrapper, prompt: Sequence[int]) -> tuple[tuple[FreeText, ...], Thinking | None]:
    """Tells whether the answer begins in the middle of thinking, and how it may begin to think where it does not."""
    if not words.has_thinking:
        return (), None
    thought = FreeText(end=words.think_end.encode(), drops_rest=True)
    last_start, last_end = words.rfind_think_start(prompt), words.rfind_think_end(prompt)
    if last_start > last_end:
        return (thought,), None
    has_thought = last_end >= 0 and not words.decode(list(prompt[last_end + len(words.think_end_tokens) :])).strip()
    if has_thought or len(words.think_start_tokens) > 1:
        return (), None
    return (), Thinking(start_token=words.think_start_tokens[0], text=thought)
