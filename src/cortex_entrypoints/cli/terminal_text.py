"""What others wrote, as a terminal may show it."""

_CONTROLS = dict.fromkeys(code for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t")


def printable(text: str, /) -> str:
    """Returns a text without what would move the cursor or retitle the window."""
    return text.translate(_CONTROLS)


def one_line(text: str, /, *, longest: int) -> str:
    """Returns a text on one line, its end cut to so many characters."""
    line = " ".join(printable(text).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
