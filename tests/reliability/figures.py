"""Figures of a run: shown at its end, for docs/reliability.md."""

FIGURES: list[str] = []


def note(figure: str, /) -> None:
    """Notes a figure, as a sentence."""
    FIGURES.append(figure)
