"""How a family of routes tells errors: the native API has one form, each dialect has its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cortex_domain.errors import CortexError
from cortex_entrypoints.http.error_responses import status_of
from cortex_entrypoints.http.response_bodies import ErrorBody


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorForm:
    """What `openapi.py` has to know of it.

    Attributes:
        body: Type of the JSON body.
        status_of: Finds the status of an error class.
        code_of: Finds the code that clients get for a code of the domain.
    """

    body: Any
    status_of: Callable[[type[CortexError]], int]
    code_of: Callable[[str], str]


def renamed(path: str, names: Mapping[str, str], /) -> str:
    """Builds the path of a parameter as a dialect knows it.

    Args:
        path: As the domain has it, dotted.
        names: What the dialect calls parameters of the domain, where it is something else.
    """
    parameter, dot, rest = path.partition(".")
    return f"{names.get(parameter, parameter)}{dot}{rest}"


NATIVE_ERRORS = ErrorForm(body=ErrorBody, status_of=status_of, code_of=str)
