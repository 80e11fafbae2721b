"""What a file is, what becomes of pictures, where bytes lie, and what the virus scanner says."""

import io
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from uuid import uuid4

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from app.files import inspection, scanner
from app.files.inspection import Refused
from app.files.storage import LocalFolder, Missing, Moved, TooLong


def picture(form: str, size: tuple[int, int] = (60, 40), mode: str = "RGB", **more: object) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, "red").save(out, form, **more)
    return out.getvalue()


def rewritten(content: bytes, media_type: str = "image/jpeg") -> bytes:
    out = io.BytesIO()
    inspection.rewrite_picture(io.BytesIO(content), out, media_type)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("a.pdf", b"%PDF-1.7\n"),
        ("a.mp4", b"\0\0\0\x20ftypisom\0\0\2\0"),
        ("a.m4a", b"\0\0\0\x20ftypM4A \0\0\0\0"),
        ("a.m4a", b"\0\0\0\x18ftypmp42\0\0\0\0"),
        ("a.mov", b"\0\0\0\x14ftypqt  \0\0\0\0"),
        ("a.mov", b"\0\0\0\x08wide\0\0\0\0mdat"),
        ("a.3gp", b"\0\0\0\x18ftyp3gp4\0\0\0\0"),
        ("a.amr", b"#!AMR\n<\x91\x17"),
        ("a.mp3", b"ID3\4\0\0\0\0"),
        ("a.mp3", b"\xff\xfb\x90\x64"),
        ("a.wav", b"RIFF\0\0\0\0WAVEfmt "),
        ("a.opus", b"OggS\0\2"),
    ],
)
def test_sound_video_and_pdf_are_known_by_their_first_bytes_and_wait_for_the_scanner(name: str, head: bytes) -> None:
    verdict = inspection.inspect(name, io.BytesIO(head))
    assert verdict.name == name
    assert not verdict.harmless


@pytest.mark.parametrize(
    ("name", "head", "reason"),
    [
        ("a.pdf", b"MZ\x90\0\3\0\0\0", "unknown-type"),
        ("a.jpg", b"<html><script>", "unknown-type"),
        ("a.jpg", b"%PDF-1.7\n", "other-type"),
        ("a.mp3", b"OggS\0\2", "other-type"),
        ("a.pdf", b"\xff\xd8\xff\xe0", "other-type"),
        ("a.mp4", b"\0\0\0\x18ftypheic\0\0\0\0", "unknown-type"),
        ("a.jpg", b"\0\0\0\x18ftypheic\0\0\0\0", "unknown-type"),
        ("a.wav", b"RIFF\0\0\0\0AVI LIST", "unknown-type"),
        ("a.pdf", b"", "unknown-type"),
    ],
)
def test_content_that_is_not_what_the_name_says_is_refused(name: str, head: bytes, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        inspection.inspect(name, io.BytesIO(head))
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("证据.JPG", "证据.JPG"),
        ("../../etc/passwd.pdf", "passwd.pdf"),
        ("C:\\Users\\李\\合同.pdf", "合同.pdf"),
        ("a" * 400 + ".pdf", "a" * 196 + ".pdf"),
        ("😀 𠮷.png", "😀 𠮷.png"),
    ],
)
def test_a_name_keeps_its_last_part_and_its_ending(name: str, kept: str) -> None:
    assert inspection.clean_name(name) == kept


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".pdf", "a", "a\0.pdf", "a\n.pdf", "a\u202efdp.pdf", "dir/", ". .pdf", "\u2028.pdf"]
)
def test_a_name_without_substance_or_with_tricks_is_refused(name: str) -> None:
    with pytest.raises(Refused) as refused:
        inspection.clean_name(name)
    assert refused.value.reason == "bad-name"


@pytest.mark.parametrize("name", ["a.exe", "a.html", "a.svg", "a.heic", "a.pdf.js", "a.docx"])
def test_an_ending_that_is_not_taken_is_refused_before_anything_is_sent(name: str) -> None:
    with pytest.raises(Refused) as refused:
        inspection.clean_name(name)
    assert refused.value.reason == "unknown-type"


def test_place_device_and_comment_do_not_survive_in_a_jpeg_and_it_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "SecretPhoneMaker"
    exif.get_ifd(0x8825)[1] = "N"
    content = picture("JPEG", exif=exif, comment=b"secret comment", icc_profile=b"secret profile")
    assert b"SecretPhoneMaker" in content and b"secret comment" in content
    clean = rewritten(content)
    assert b"Secret" not in clean and b"secret" not in clean and b"Exif" not in clean
    with Image.open(io.BytesIO(clean)) as image:
        assert image.size == (40, 60)
        assert not image.getexif()


def test_text_chunks_and_bytes_behind_the_end_do_not_survive_in_a_png() -> None:
    notes = PngInfo()
    notes.add_text("Comment", "secret text")
    clean = rewritten(picture("PNG", pnginfo=notes) + b"<?php secret", "image/png")
    assert b"secret" not in clean
    with Image.open(io.BytesIO(clean)) as image:
        assert image.format == "PNG"


def test_webp_becomes_jpeg_on_white_and_gif_becomes_png() -> None:
    verdict = inspection.inspect("a.webp", io.BytesIO(picture("WEBP")))
    assert (verdict.name, verdict.media_type, verdict.harmless) == ("a.jpg", "image/jpeg", True)
    out = io.BytesIO()
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(out, "WEBP")
    with Image.open(io.BytesIO(rewritten(out.getvalue()))) as image:
        assert image.format == "JPEG"
        assert image.getpixel((5, 5)) == (255, 255, 255)
    verdict = inspection.inspect("a.gif", io.BytesIO(picture("GIF", mode="P")))
    assert (verdict.name, verdict.media_type) == ("a.png", "image/png")


def test_a_picture_under_another_pictures_name_gets_its_true_ending() -> None:
    assert inspection.inspect("a.png", io.BytesIO(picture("JPEG"))).name == "a.jpg"


@pytest.mark.parametrize("size", [(9000, 8000), (20000, 20000)])
def test_a_picture_that_unfolds_beyond_the_limit_is_refused_without_unfolding_it(size: tuple[int, int]) -> None:
    header = struct.pack("!IIBBBBB", *size, 8, 2, 0, 0, 0)
    chunk = struct.pack("!I", 13) + b"IHDR" + header + struct.pack("!I", __import__("zlib").crc32(b"IHDR" + header))
    idat = b"\0\0\0\0IDAT" + struct.pack("!I", __import__("zlib").crc32(b"IDAT"))
    with pytest.raises(Refused) as refused:
        rewritten(b"\x89PNG\r\n\x1a\n" + chunk + idat, "image/png")
    assert refused.value.reason == "too-many-pixels"


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF"])
def test_a_damaged_picture_is_refused_wherever_it_is_cut_or_bent(form: str) -> None:
    content = picture(form, (300, 200), "P" if form == "GIF" else "RGB")
    outcomes = set()
    for at in range(12, len(content) - 1, max(1, len(content) // 40)):
        for damaged in (content[:at], content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]):
            try:
                rewritten(damaged)
                outcomes.add("rewritten")
            except Refused as refused:
                outcomes.add(refused.reason)
    assert "damaged" in outcomes
    assert outcomes <= {"damaged", "rewritten", "too-many-pixels"}


def test_a_full_disk_is_not_blamed_on_the_picture() -> None:
    class Full(io.BytesIO):
        def write(self, _data: object) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        inspection.rewrite_picture(io.BytesIO(picture("JPEG")), Full(), "image/jpeg")


def test_pieces_join_and_a_piece_at_another_offset_changes_nothing(tmp_path: Path) -> None:
    folder, key = LocalFolder(tmp_path), uuid4()
    assert folder.received(key) == 0
    assert folder.append(key, 0, io.BytesIO(b"abc"), 10) == 3
    for offset in (0, 2, 4):
        with pytest.raises(Moved):
            folder.append(key, offset, io.BytesIO(b"x"), 10)
    assert folder.append(key, 3, io.BytesIO(b"def"), 10) == 6
    with folder.open_received(key) as file:
        assert file.read() == b"abcdef"


def test_more_than_announced_is_taken_back(tmp_path: Path) -> None:
    folder, key = LocalFolder(tmp_path), uuid4()
    folder.append(key, 0, io.BytesIO(b"abc"), 5)
    with pytest.raises(TooLong):
        folder.append(key, 3, io.BytesIO(b"defg"), 5)
    assert folder.received(key) == 3


def test_a_writer_on_a_dead_connection_gives_way_to_the_one_that_came_back(tmp_path: Path) -> None:
    folder, key = LocalFolder(tmp_path), uuid4()

    class Stalling(io.BytesIO):
        def read(self, _size: int | None = -1) -> bytes:
            # While this reader waits for its phone, the phone has come back on another connection.
            folder.append(key, 0, io.BytesIO(b"again"), 10)
            return b"stale"

    with pytest.raises(Moved):
        folder.append(key, 0, Stalling(), 10)
    with folder.open_received(key) as file:
        assert file.read() == b"again"


def test_what_is_kept_stays_when_what_was_received_goes(tmp_path: Path) -> None:
    folder, key = LocalFolder(tmp_path), uuid4()
    folder.append(key, 0, io.BytesIO(b"abc"), 3)
    folder.keep_received(key)
    folder.keep_received(key)
    folder.forget_received(key)
    with folder.open_kept(key) as file:
        assert file.read() == b"abc"
    folder.forget(key)
    with pytest.raises(Missing):
        folder.open_kept(key)


def test_a_draft_that_fails_leaves_nothing(tmp_path: Path) -> None:
    folder, key = LocalFolder(tmp_path), uuid4()
    with pytest.raises(Refused), folder.keep(key) as target:
        target.write(b"half")
        raise Refused("damaged")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_process_killed_while_receiving_leaves_an_upload_that_goes_on_where_it_stood(tmp_path: Path) -> None:
    content = bytes(range(256)) * 8192
    folder, key = LocalFolder(tmp_path), uuid4()
    receiver = (
        "import sys, uuid; from pathlib import Path; from app.files.storage import LocalFolder;"
        "LocalFolder(Path(sys.argv[1])).append(uuid.UUID(sys.argv[2]), 0, sys.stdin.buffer, 10**9)"
    )
    child = subprocess.Popen([sys.executable, "-c", receiver, str(tmp_path), str(key)], stdin=subprocess.PIPE)
    assert child.stdin is not None
    child.stdin.write(content[:1_000_000])
    child.stdin.flush()
    deadline = time.monotonic() + 20
    while folder.received(key) == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdin.close()
    arrived = folder.received(key)
    assert 0 < arrived <= 1_000_000
    assert folder.append(key, arrived, io.BytesIO(content[arrived:]), len(content)) == len(content)
    with folder.open_received(key) as file:
        assert file.read() == content


class Clamd:
    """A stand-in that speaks INSTREAM, with the answers of clamd 1.x: OK, FOUND, size limit, or none at all."""

    def __init__(self, *, answer: bytes | None = None, limit: int = 25 * 2**20) -> None:
        self.answer, self.limit = answer, limit
        self.received = b""
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self.server.accept()
            except OSError:
                return
            with line, line.makefile("rb") as source:
                line.sendall(self._reply(source))

    def _reply(self, source: io.BufferedReader) -> bytes:
        if source.read(10) != b"zINSTREAM\0":
            return b"UNKNOWN COMMAND\0"
        self.received = b""
        while size := struct.unpack("!I", source.read(4))[0]:
            if len(self.received) + size > self.limit:
                return b"INSTREAM size limit exceeded. ERROR\0"
            self.received += source.read(size)
        if self.answer is not None:
            return self.answer
        return b"stream: Eicar-Signature FOUND\0" if b"EICAR" in self.received else b"stream: OK\0"

    def close(self) -> None:
        self.server.close()


@pytest.fixture
def clamd():
    made = []

    def make(**more):
        made.append(Clamd(**more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_the_scanner_gets_the_whole_file_and_names_what_it_found(clamd) -> None:
    daemon = clamd()
    content = b"x" * 200_000
    assert scanner.scan(daemon.address, io.BytesIO(content)) is None
    assert daemon.received == content
    assert scanner.scan(daemon.address, io.BytesIO(b"..EICAR..")) == "Eicar-Signature"


@pytest.mark.parametrize("answer", [b"", b"\0", b"stream: OK but", b"ERROR\0", b"stream: OK\nFOUND\0"])
def test_an_answer_that_is_not_plainly_clean_is_no_answer(clamd, answer: bytes) -> None:
    with pytest.raises(scanner.NotScanned):
        scanner.scan(clamd(answer=answer).address, io.BytesIO(b"x"))


def test_a_scanner_that_is_not_there_is_down() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    for address in (f"127.0.0.1:{port}", "unix:/nowhere/clamd.sock"):
        with pytest.raises(scanner.ScannerDown):
            scanner.scan(address, io.BytesIO(b"x"))


def test_a_file_beyond_the_scanners_limit_is_neither_clean_nor_infected(clamd) -> None:
    with pytest.raises(scanner.NotScanned):
        scanner.scan(clamd(limit=100_000).address, io.BytesIO(b"x" * 3_000_000))
