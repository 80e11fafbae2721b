"""What a file is, judged by its first bytes, and pictures made harmless.

A name and a declared type prove nothing. The first bytes must be of a known kind and of the kind that the name promises.
Pictures are decoded and written anew: whatever was hidden in them, and the place and device that phones write into them,
does not survive. Everything else keeps its bytes and waits for the virus scanner.
"""

import struct
import threading
import unicodedata
import warnings
import zlib
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image, ImageOps

NAME_LENGTH = 200

# A small file can unfold into gigabytes. Pillow warns above this size, and the warning is made an error.
Image.MAX_IMAGE_PIXELS = 64_000_000
warnings.simplefilter("error", Image.DecompressionBombWarning)

# Fifty-megapixel phone pictures are halved while decoding, which only JPEG can; other formats unfold completely.
FULL_DECODE_PIXELS = 25_000_000

# Ending of the name -> (kind of content, media type).
ENDINGS = {
    "jpg": ("jpeg", "image/jpeg"),
    "jpeg": ("jpeg", "image/jpeg"),
    "png": ("png", "image/png"),
    "webp": ("webp", "image/webp"),
    "gif": ("gif", "image/gif"),
    "pdf": ("pdf", "application/pdf"),
    "mp4": ("mp4", "video/mp4"),
    "m4v": ("mp4", "video/mp4"),
    "mov": ("mp4", "video/quicktime"),
    "3gp": ("mp4", "video/3gpp"),
    "m4a": ("mp4", "audio/mp4"),
    "amr": ("amr", "audio/amr"),
    "mp3": ("mp3", "audio/mpeg"),
    "wav": ("wav", "audio/wav"),
    "ogg": ("ogg", "audio/ogg"),
    "oga": ("ogg", "audio/ogg"),
    "opus": ("ogg", "audio/ogg"),
}

# (offset, bytes, kind). The MP4 family (mp4, mov, 3gp, m4a) shares one container, and recorders name its brand freely.
_SIGNATURES = (
    (0, b"\xff\xd8\xff", "jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"GIF87a", "gif"),
    (0, b"GIF89a", "gif"),
    (0, b"%PDF-", "pdf"),
    (4, b"ftyp", "mp4"),
    (4, b"moov", "mp4"),
    (4, b"mdat", "mp4"),
    (4, b"wide", "mp4"),
    (0, b"#!AMR\n", "amr"),
    (0, b"#!AMR-WB\n", "amr"),
    (0, b"ID3", "mp3"),
    (0, b"\xff\xfb", "mp3"),
    (0, b"\xff\xfa", "mp3"),
    (0, b"\xff\xf3", "mp3"),
    (0, b"\xff\xf2", "mp3"),
    (0, b"OggS", "ogg"),
)
_PICTURE_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis"})
_PICTURES = frozenset({"jpeg", "png", "webp", "gif"})

# Everything that Pillow's decoders were seen to raise on damaged files.
_DAMAGED = (
    OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError,
    MemoryError, struct.error, zlib.error, Warning,
)  # fmt: skip

# Directions that make "fdp.exe" read "exe.pdf".
_TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

_one_picture_at_a_time = threading.Lock()


class Refused(Exception):
    """The file can not be accepted; `reason` is a stable code."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a file turned out to be. `harmless` files need no scanner: they are pictures that were written anew."""

    name: str
    media_type: str
    harmless: bool


def clean_name(name: str) -> str:
    """The name without folders, as one line of at most 200 characters that keeps its ending.

    Raises Refused: `bad-name` (empty, control or text-turning characters), `unknown-type` (an ending that is not taken).
    """
    text = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2].strip()
    if any(unicodedata.category(mark) in ("Cc", "Cs", "Zl", "Zp") or mark in _TURNING for mark in text):
        raise Refused("bad-name")
    stem, dot, ending = text.rpartition(".")
    if not stem.strip(". ") or not dot:
        raise Refused("bad-name")
    if ending.lower() not in ENDINGS:
        raise Refused("unknown-type")
    return f"{stem[: NAME_LENGTH - len(ending) - 1]}.{ending}"


def kind_of(head: bytes) -> str | None:
    """The kind of content that a file's first 32 bytes announce, or None."""
    if head[:4] == b"RIFF":
        return {b"WEBP": "webp", b"WAVE": "wav"}.get(head[8:12])
    if head[4:8] == b"ftyp" and head[8:12] in _PICTURE_BRANDS:
        return None
    for offset, mark, kind in _SIGNATURES:
        if head[offset : offset + len(mark)] == mark:
            return kind
    return None


def inspect(name: str, source: BinaryIO) -> Verdict:
    """Judge `source` by its first bytes against the ending of `name` (from `clean_name`); `source` is rewound.

    Raises Refused: `unknown-type`, `other-type` (the content is not what the name says).
    """
    stem, _, ending = name.rpartition(".")
    expected, media_type = ENDINGS[ending.lower()]
    found = kind_of(source.read(32))
    source.seek(0)
    if found is None:
        raise Refused("unknown-type")
    if found in _PICTURES and expected in _PICTURES:
        # Chat programs rename pictures carelessly, and we write them anew under their true type anyway.
        new_ending, media_type = ("jpg", "image/jpeg") if found in ("jpeg", "webp") else ("png", "image/png")
        return Verdict(name=f"{stem}.{new_ending}", media_type=media_type, harmless=True)
    if found != expected:
        raise Refused("other-type")
    return Verdict(name=name, media_type=media_type, harmless=False)


def rewrite_picture(source: BinaryIO, target: BinaryIO, media_type: str) -> None:
    """Decode the picture in `source`, turn it upright and write only its pixels to `target` as `media_type`.

    JPEG and WebP become JPEG (transparent parts white), PNG and GIF become PNG (the first frame of an animation).
    Raises Refused: `too-many-pixels`, `damaged`.
    """
    form = "JPEG" if media_type == "image/jpeg" else "PNG"
    # One picture in memory for each process, however many people send one at the same moment.
    with _one_picture_at_a_time:
        try:
            pixels = _pixels(source, opaque=form == "JPEG")
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise Refused("too-many-pixels") from error
        except _DAMAGED as error:
            raise Refused("damaged") from error
        # Outside the `try`: a full disk is not a damaged picture.
        pixels.save(target, form, **({"quality": 90, "optimize": True} if form == "JPEG" else {}))


def _pixels(source: BinaryIO, *, opaque: bool) -> Image.Image:
    with Image.open(source, formats=["JPEG", "PNG", "WEBP", "GIF"]) as picture:
        width, height = picture.size
        if width * height > FULL_DECODE_PIXELS:
            if picture.format not in ("JPEG", "MPO"):
                raise Refused("too-many-pixels")
            picture.draft("RGB", (width // 2, height // 2))
        upright = ImageOps.exif_transpose(picture)
        if upright.has_transparency_data:
            plain = upright.convert("RGBA")
            if opaque:
                plain = Image.alpha_composite(Image.new("RGBA", plain.size, "white"), plain).convert("RGB")
        else:
            plain = upright.convert("L" if upright.mode in ("1", "L") else "RGB")
        # `info` carries comments, positions and profiles, and some writers take them from there.
        plain.info.clear()
        return plain
