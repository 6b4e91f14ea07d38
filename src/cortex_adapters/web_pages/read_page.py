"""What reading a page gives."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPage:
    """What a page says.

    Attributes:
        title: What it calls itself; None when it does not.
        text: What it shows, HTML as Markdown; may be empty.
    """

    title: str | None
    text: str
