"""Says what is wrong with arguments, in words that let a model write better ones."""

from collections.abc import Sequence
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails, to_json

_MOST_PROBLEMS: Final = 5
_LONGEST_VALUE: Final = 80


def describe_problems(error: ValidationError, /, *, known: Sequence[str]) -> str:
    """Names the parameters that are wrong, what each should be, and what it was; the first few of many.

    Args:
        error: What pydantic found.
        known: Names of the parameters that there are.
    """
    problems = error.errors(include_url=False, include_context=False)
    told = [_describe(problem, known) for problem in problems[:_MOST_PROBLEMS]]
    if len(problems) > _MOST_PROBLEMS:
        told.append(f"and {len(problems) - _MOST_PROBLEMS} more")
    return "; ".join(told)


def _describe(problem: ErrorDetails, known: Sequence[str]) -> str:
    path = ".".join(map(str, problem["loc"]))
    if problem["type"] == "missing":
        return f"{path}: it is required"
    if problem["type"] == "extra_forbidden" and len(problem["loc"]) == 1:
        return f"{path}: there is no such parameter; there are {', '.join(known) or 'none'}"
    return f"{path or 'All'}: {problem['msg']}, not {_shown(problem['input'])}"


def _shown(value: object) -> str:
    text = to_json(value, fallback=repr).decode()
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
