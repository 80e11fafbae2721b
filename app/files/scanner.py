"""The virus scanner: clamd's INSTREAM command over TCP or a local socket."""

import socket
import struct
from typing import BinaryIO

PIECE = 64 * 1024
TIMEOUT_SECONDS = 120


class ScannerDown(Exception):
    """Nobody answers at the address."""


class NotScanned(Exception):
    """The scanner took the file but gave no verdict: the file is longer than clamd's StreamMaxLength, or clamd failed."""


def scan(address: str, source: BinaryIO) -> str | None:
    """The name of what clamd found in `source`, or None when it calls the file clean.

    `address` is `host:port` or `unix:/path`. Raises ScannerDown and NotScanned: silence is not a clean bill of health.
    """
    try:
        line = _connect(address)
    except OSError as error:
        raise ScannerDown(type(error).__name__) from error
    with line:
        try:
            answer = _ask(line, source)
        except OSError as error:
            raise NotScanned(type(error).__name__) from error
    if answer == "stream: OK":
        return None
    if answer.startswith("stream: ") and answer.endswith(" FOUND"):
        return answer[len("stream: ") : -len(" FOUND")]
    raise NotScanned("size limit exceeded" if "size limit exceeded" in answer else "unexpected answer")


def _connect(address: str) -> socket.socket:
    if address.startswith("unix:"):
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            line.settimeout(TIMEOUT_SECONDS)
            line.connect(address.removeprefix("unix:"))
        except BaseException:
            line.close()
            raise
        return line
    host, _, port = address.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), timeout=TIMEOUT_SECONDS)


def _ask(line: socket.socket, source: BinaryIO) -> str:
    try:
        line.sendall(b"zINSTREAM\0")
        while piece := source.read(PIECE):
            line.sendall(struct.pack("!I", len(piece)) + piece)
        line.sendall(struct.pack("!I", 0))
    except (BrokenPipeError, ConnectionResetError):
        # clamd hangs up in the middle of a file that is too long for it, but says so first: read on.
        pass
    answer = b""
    while b"\0" not in answer and len(answer) < 4096 and (piece := line.recv(1024)):
        answer += piece
    return answer.partition(b"\0")[0].decode("utf-8", "replace").strip()
