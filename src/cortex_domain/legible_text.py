"""Takes out of text what nobody sees and a model reads all the same.

Orders to a model have been hidden in such characters: whoever looks at a page, or approves what was found on it, does
not see them.
"""

from typing import Final

_CONTROLS: Final = (*range(0x09), *range(0x0B, 0x20), *range(0x7F, 0xA0))
_UNSEEN: Final = (0xAD, 0x200B, *range(0x2060, 0x2065), *range(0x206A, 0x2070), 0xFEFF, *range(0xFFF9, 0xFFFC))
_DIRECTIONS: Final = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_TAGS_AND_VARIATIONS: Final = range(0xE0000, 0xE01F0)
_SURROGATES: Final = range(0xD800, 0xE000)
_TAKEN_OUT: Final = dict.fromkeys((*_CONTROLS, *_UNSEEN, *_DIRECTIONS, *_TAGS_AND_VARIATIONS, *_SURROGATES))


def legible(text: str, /) -> str:
    """Returns text without control characters other than tab and line feed, and without what is never drawn.

    Joiners stay, without which Persian and families of emoji are not what they were.
    """
    return text.translate(_TAKEN_OUT)


def is_legible(text: str, /) -> bool:
    """Tells whether `legible` would leave the text as it is."""
    return legible(text) == text
