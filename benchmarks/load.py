"""Serving, loading over loopback, and looking at memory."""

import asyncio
import os
import secrets
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import aiohttp
import psutil

ROOT = Path(__file__).parent.parent


async def drive(method, paths, bodies, headers, clients, seconds):
    """Closed loop; returns (requests a second, latencies in ms, unexpected answers)."""
    latencies, bad = [], []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        stop = time.perf_counter() + seconds

        async def one():
            while time.perf_counter() < stop:
                more = {"Idempotency-Key": secrets.token_urlsafe(24)} if method == "POST" else {}
                path = paths() if callable(paths) else paths
                start = time.perf_counter()
                async with session.request(
                    method, path, json=bodies() if bodies else None, headers={**headers, **more}
                ) as r:
                    text = await r.read()
                    if r.status >= 300:
                        bad.append((r.status, text[:200]))
                latencies.append((time.perf_counter() - start) * 1000)

        begin = time.perf_counter()
        await asyncio.gather(*[one() for _ in range(clients)])
        wall = time.perf_counter() - begin
    return len(latencies) / wall, latencies, bad


def serve(target, port, env):
    """Two gunicorn workers of four threads, ready to answer."""
    command = [str(Path(sys.executable).parent / "gunicorn"), "-k", "gthread", "-w", "2", "--threads", "4", "--keep-alive", "30",
               "--log-level", "error", "-b", f"127.0.0.1:{port}", target]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **env})
    for _ in range(300):
        time.sleep(0.1)
        if len(psutil.Process(process.pid).children()) == 2 and any(
            one.laddr.port == port for one in psutil.Process(process.pid).net_connections("inet")
        ):
            time.sleep(2)
            return process
    raise RuntimeError(f"{target} does not listen on {port}")


def pss(pid):
    """PSS in MiB of the whole process tree, and of its largest process."""
    root = psutil.Process(pid)
    each = [one.memory_full_info().pss / 2**20 for one in [root, *root.children(recursive=True)]]
    return sum(each), max(each)


class Cpu:
    """CPU seconds of a process tree since the last look."""

    def __init__(self, pid):
        self.pid, self.last = pid, 0.0
        self.since()

    def since(self):
        """Seconds used since the last call; processes that ended meanwhile are not counted."""
        total = 0.0
        root = psutil.Process(self.pid)
        for one in [root, *root.children(recursive=True)]:
            try:
                times = one.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system
        used, self.last = total - self.last, total
        return used


def stream(url, headers, pid):
    """Read a streamed answer to its end: (lines, seconds, peak PSS in MiB of the largest process while it ran)."""
    peaks, done = [], threading.Event()

    def watch():
        while not done.wait(0.05):
            peaks.append(pss(pid)[1])

    watcher = threading.Thread(target=watch)
    watcher.start()
    started, lines = time.perf_counter(), 0
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
        while block := answer.read(65536):
            lines += block.count(b"\n")
    seconds = time.perf_counter() - started
    done.set()
    watcher.join()
    return lines, seconds, max(peaks)
