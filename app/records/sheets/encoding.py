"""Which encoding a text file is in. Found by trying, on the first part of the file that holds more than ASCII."""

import codecs
from typing import BinaryIO

from app.records.sheets.base import SheetError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8", "utf-8-bom"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "utf-16"),
)
_UTF32 = (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")
_CHUNK = 1 << 20
# How much of the text beyond ASCII is looked at. One wrong character in it is not taken for another encoding.
_WINDOW = 4 << 20
_TOLERATED = 0.001


def find_encoding(file: BinaryIO) -> tuple[str, str, int]:
    """The codec, the name to show a person, and how many bytes of mark to skip.

    Raises SheetError `unknown-encoding` (it is text, but not UTF-8, UTF-16 or GB 18030) or `not-text`.
    """
    file.seek(0)
    head = file.read(4096)
    if head.startswith(_UTF32):
        raise SheetError("unknown-encoding")
    for mark, codec, shown in _MARKS:
        if head.startswith(mark):
            return codec, shown, len(mark)
    zeroes = head.count(0)
    if zeroes:
        even, odd = head[0::2].count(0), head[1::2].count(0)
        # Delimiters, digits and line ends of UTF-16 have a zero byte each, always on the same side.
        if zeroes > len(head) // 50 and not (even and odd):
            return ("utf-16-le" if odd else "utf-16-be"), "utf-16", 0
        raise SheetError("not-text")
    file.seek(0)
    sample = _beyond_ascii(file)
    if not sample:
        return "utf-8", "utf-8", 0
    if _share_of_errors(sample, "utf-8") <= _TOLERATED:
        return "utf-8", "utf-8", 0
    if _share_of_errors(sample, "gb18030") <= _TOLERATED and _is_chinese(sample):
        return "gb18030", "gbk", 0
    raise SheetError("unknown-encoding")


def _beyond_ascii(file: BinaryIO) -> bytes:
    """The bytes from the first line with a byte above 127, a window long; none when all is ASCII."""
    while chunk := file.read(_CHUNK):
        if not chunk.isascii():
            first = next(at for at in range(0, len(chunk), 4096) if not chunk[at : at + 4096].isascii())
            start = chunk.rfind(b"\n", 0, first) + 1
            return chunk[start:] + file.read(_WINDOW)
    return b""


def _share_of_errors(sample: bytes, codec: str) -> float:
    """Bytes that are no characters, per byte above 127. A character cut off at the end of the sample is no error."""
    text = codecs.getincrementaldecoder(codec)("surrogateescape").decode(sample)
    try:
        text.encode()
    except UnicodeEncodeError:
        wrong = sum("\udc80" <= one <= "\udcff" for one in text)
        return wrong / max(1, sum(byte > 127 for byte in sample))
    return 0.0


def _is_chinese(sample: bytes) -> bool:
    """Whether what GB 18030 makes of the bytes is mostly everyday characters (GB 2312). Big5 and Western encodings are not."""
    text = codecs.getincrementaldecoder("gb18030")("replace").decode(sample)
    beyond = [one for one in text[:200_000] if one > "\x7f"]
    everyday = len("".join(beyond).encode("gb2312", "ignore")) // 2
    return everyday >= 0.75 * len(beyond)
