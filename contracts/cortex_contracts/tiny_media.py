"""The smallest files that are really a picture and a sound."""

import io
import struct
import wave
import zlib


def _png_section(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _draw_pixel() -> bytes:
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    sections = (b"IHDR", header), (b"IDAT", zlib.compress(b"\x00\x80")), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_section(*section) for section in sections)


def _record_silence() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(bytes(3_200))
    return file.getvalue()


PNG = _draw_pixel()
"""One grey pixel."""

WAV = _record_silence()
"""A tenth of a second of silence."""
