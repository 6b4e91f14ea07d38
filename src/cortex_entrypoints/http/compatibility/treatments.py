"""How a dialect treats its parameters.

Nobody writes down what becomes of a parameter. For each there are values that ask for something; the dialect's own body
reads them, and what it does is the answer: it refuses the parameter by name, warns of it, or builds a request, which
says itself which capabilities it needs.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from cortex_domain.errors import RequestRefusedError
from cortex_domain.generation import GenerationRequest
from cortex_domain.language_models import Capability, ModelId
from cortex_entrypoints.http.request_bodies import ChatDefaults

DEFAULTS: Final = ChatDefaults(model=ModelId("starter"), temperature=0.7, top_p=0.9)
"""Stand in for a server's settings, which change no treatment."""


class Treatment(StrEnum):
    """What becomes of a value.

    HONOURED: it does what is documented. WARNED: it is taken, has no effect, and is listed in the answer's warnings.
    REFUSED: the request is refused, and the parameter named.
    """

    HONOURED = "honoured"
    WARNED = "warned"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Named:
    """A value that is called by a name, because it says little or is long.

    Attributes:
        name: In Markdown.
        value: The value.
    """

    name: str
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What becomes of one value of a parameter.

    Attributes:
        of: The value's name, or the value in JSON, in Markdown.
        value: The value.
        treatment: What becomes of it.
        idle: What is without effect within it, where the rest is honoured.
        needs: Capabilities without which it has no effect, or is refused.
        otherwise: What becomes of it without them.
    """

    of: str
    value: Any
    treatment: Treatment
    idle: tuple[str, ...] = ()
    needs: frozenset[Capability] = frozenset()
    otherwise: Treatment = Treatment.REFUSED

    def with_capabilities(self, capabilities: AbstractSet[Capability], /) -> AbstractSet[Treatment]:
        """Tells what becomes of it, or of its parts, with a model that has these."""
        if not self.needs <= capabilities:
            return {self.otherwise}
        return {self.treatment, Treatment.WARNED} if self.idle else {self.treatment}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a dialect makes of a body.

    Attributes:
        request: What is asked of the model.
        warnings: What has no effect, one sentence each.
    """

    request: GenerationRequest
    warnings: Sequence[str] = ()


def named_by(refusal: RequestRefusedError, /) -> str:
    """Returns the parameter that a refusal names, without what lies within it."""
    return str(getattr(refusal, "parameter", "")).partition(".")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """A way of asking.

    Attributes:
        name: In snake_case.
        title: For people.
        path: Where it is spoken, by `POST`.
        basis: The smallest body.
        values: For each parameter, values that ask for something, some of them `Named`; at least one.
        optional: Capabilities of which it warns, and refuses nothing, where a model lacks them.
        along: What has to be sent with a parameter to make sense of it.
        read: Reads a body, or raises what a client would be answered.
    """

    name: str
    title: str
    path: str
    basis: Mapping[str, Any]
    values: Mapping[str, Sequence[Any]]
    optional: frozenset[Capability] = frozenset()
    along: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    read: Callable[[Mapping[str, Any]], Reading]

    def basis_of(self, parameter: str, /) -> dict[str, Any]:
        """Builds the body to which a parameter is added."""
        return {**self.basis, **self.along.get(parameter, {})}

    def body_with(self, parameter: str, value: Any, /) -> dict[str, Any]:  # noqa: ANN401 - any JSON
        """Builds a body that has the parameter."""
        return {**self.basis_of(parameter), parameter: value}

    def outcomes(self) -> Mapping[str, Sequence[Outcome]]:
        """Finds out what becomes of every parameter."""
        return {parameter: tuple(self._outcomes_of(parameter)) for parameter in self.values}

    def _outcomes_of(self, parameter: str) -> Iterator[Outcome]:
        for value in self.values[parameter]:
            named = value if isinstance(value, Named) else Named(f"`{json.dumps(value, ensure_ascii=False)}`", value)
            try:
                reading = self.read(self.body_with(parameter, named.value))
            except RequestRefusedError as refusal:
                if named_by(refusal) not in {parameter, *self.along.get(parameter, ())}:
                    raise
                yield Outcome(of=named.name, value=named.value, treatment=Treatment.REFUSED)
            else:
                yield self._taken(parameter, named, reading)

    def _taken(self, parameter: str, named: Named, reading: Reading) -> Outcome:
        idle = tuple(_subject(warning) for warning in reading.warnings if warning.startswith(parameter))
        if idle and reading.request == self.read(self.basis_of(parameter)).request:
            return Outcome(of=named.name, value=named.value, treatment=Treatment.WARNED)
        anyway = () if parameter in self.basis else self.read(self.basis).request.needs
        needs = frozenset(reading.request.needs).difference(anyway)
        return Outcome(
            of=named.name,
            value=named.value,
            treatment=Treatment.HONOURED,
            idle=idle,
            needs=needs,
            otherwise=Treatment.WARNED if needs and needs <= self.optional else Treatment.REFUSED,
        )


def _subject(warning: str) -> str:
    """Returns what a warning is of: the words before its verb."""
    return warning.partition(" has no effect")[0]
