"""What a model honours, dialect by dialect."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from cortex_domain.language_models import Capability
from cortex_entrypoints.http.compatibility.dialects import DIALECTS
from cortex_entrypoints.http.compatibility.treatments import Dialect, Outcome, Treatment
from cortex_entrypoints.http.response_bodies import DialectManifest


@cache
def manifest_of(capabilities: frozenset[Capability], /) -> Sequence[DialectManifest]:
    """Tells what becomes of every parameter with a model that has these capabilities."""
    return tuple(_manifest(dialect, capabilities) for dialect in DIALECTS)


def _manifest(dialect: Dialect, capabilities: frozenset[Capability]) -> DialectManifest:
    treatments = {
        parameter: frozenset().union(*(outcome.with_capabilities(capabilities) for outcome in outcomes))
        for parameter, outcomes in outcomes_of(dialect.name).items()
    }
    return DialectManifest(
        dialect=dialect.name,
        path=dialect.path,
        honoured=_only(Treatment.HONOURED, treatments),
        partly=sorted(parameter for parameter, found in treatments.items() if len(found) > 1),
        warned=_only(Treatment.WARNED, treatments),
        refused=_only(Treatment.REFUSED, treatments),
    )


@cache
def outcomes_of(name: str, /) -> Mapping[str, Sequence[Outcome]]:
    """Finds out once what becomes of a dialect's parameters."""
    [dialect] = (dialect for dialect in DIALECTS if dialect.name == name)
    return dialect.outcomes()


def _only(treatment: Treatment, treatments: Mapping[str, Iterable[Treatment]]) -> list[str]:
    return sorted(parameter for parameter, found in treatments.items() if set(found) == {treatment})
