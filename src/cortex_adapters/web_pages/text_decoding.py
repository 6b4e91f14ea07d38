"""Makes text of bytes, as the one who sent them says, or as they say themselves."""

import codecs
import re
from email.message import Message
from typing import Final

_READ_FOR_CHARSET: Final = 1024
"""Bytes in which HTML has to say it (https://html.spec.whatwg.org/multipage/semantics.html#charset)."""

_MARKS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_IN_HTML: Final = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w-]{1,40})""", re.IGNORECASE)
_AS_BROWSERS_DO: Final = {"ascii": "cp1252", "iso8859-1": "cp1252", "gb2312": "gb18030", "gbk": "gb18030"}
_TEXT_CODECS: Final = re.compile(
    r"utf-8|utf-16(-[lb]e)?|cp(1252|1250|1251|1253|1254|1255|1256|1257|1258|866|874|932|949)|iso8859-\d{1,2}|koi8-[ru]"
    r"|mac-(roman|cyrillic)|gb18030|big5(hkscs)?|euc_(jp|kr)|iso2022_jp|shift_jis|tis-620"
)
"""Python knows many more, some of which unpack archives or take time that grows with the square of the length."""


def decode_text(body: bytes, content_type: str, /, *, is_html: bool) -> str:
    """Decodes a body; what cannot be decoded becomes U+FFFD.

    Args:
        body: The bytes.
        content_type: The header that says what they are; may name a charset.
        is_html: Whether they may say it themselves.
    """
    for mark, codec in _MARKS:
        if body.startswith(mark):
            return body.decode(codec, errors="replace")
    stated = _codec(_stated_charset(content_type)) or (_codec(_charset_in_html(body)) if is_html else None)
    return body.decode(stated, errors="replace") if stated else _decode_unstated(body)


def _stated_charset(content_type: str) -> str:
    header = Message()
    header["Content-Type"] = content_type
    charset = header.get_param("charset", "")
    return charset if isinstance(charset, str) else ""


def _charset_in_html(body: bytes) -> str:
    found = _IN_HTML.search(body[:_READ_FOR_CHARSET])
    return found[1].decode("ascii", errors="replace") if found else ""


def _codec(charset: str) -> str | None:
    try:
        name = codecs.lookup(charset.strip()).name
    except (LookupError, ValueError):
        return None
    name = _AS_BROWSERS_DO.get(name, name)
    return name if _TEXT_CODECS.fullmatch(name) else None


def _decode_unstated(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body.decode("cp1252", errors="replace")
