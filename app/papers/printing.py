"""Values into PDF: the same values, template and font always give the same bytes.

Nothing is fetched: the templates stand beside this file, the fonts come with a pinned package, fonts of the machine are
left aside. What people wrote enters as data and is never read as markup.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import orjson
import typst
from flask import Response

from app.errors import Problem

FONT_PACKAGE = "pylopdf-fonts-zh-cn"
FONT_FILES = {"Noto Serif SC": "NotoSerifSC-Regular.otf", "Noto Sans SC": "NotoSansSC-Regular.otf"}
Template = Literal["receipt", "slip", "paper"]
# Changed with every change of a template that changes bytes, so that a kept hash says what it is the hash of.
LAYOUT = "1"
_TEMPLATES = Path(__file__).parent / "templates"
# Archive format that carries its fonts, and tags for screen readers. Both refuse a character that no font can draw.
_STANDARDS: list[Any] = ["a-2a", "ua-1"]
# 〓 is the printer's mark for a character that the type case does not hold.
GETA = "〓"
_UNDRAWN = re.compile(r'the text `"(.+?)"` could not be displayed', re.DOTALL)
_MOST_UNDRAWN = 200


def maker() -> str:
    """What makes the bytes: versions of the typesetter, the fonts and the layout. Another maker, other bytes."""
    return f"typst {typst_version()}, {FONT_PACKAGE} {version(FONT_PACKAGE)}, layout {LAYOUT}"


@cache
def typst_version() -> str:
    """The version of the typesetter, as "0.15.2"."""
    return version("typst")


def to_pdf(template: Template, values: Mapping[str, Any], at: datetime) -> bytes:
    """The PDF/A and PDF/UA of a template filled with `values` (JSON), stamped with the instant `at`.

    A character that the fonts do not hold is printed as 〓 and named in a line at the foot of the page. Raises Problem
    503 `paper-font-missing`, naming the font, when the font package is not installed.
    """
    fonts, missing = _fonts(), ""
    data = orjson.dumps(values).decode()
    while True:
        compiler = typst.Compiler(root=str(_TEMPLATES), font_paths=fonts, ignore_system_fonts=True)
        inputs = {"values": data, "missing": "、".join(f"U+{ord(one):04X}" for one in missing)}
        try:
            pdf = compiler.compile(
                str(_TEMPLATES / f"{template}.typ"),
                format="pdf",
                sys_inputs=inputs,
                timestamp=int(at.timestamp()),
                pdf_standards=_STANDARDS,
            )
        except typst.TypstError as error:
            undrawn = _undrawn(error)
            if not undrawn or len(missing) >= _MOST_UNDRAWN or not set(undrawn) & set(data):
                # The message quotes what a person wrote: it goes into no log.
                raise RuntimeError(f"the template {template} could not be set") from None
            for one in undrawn:
                data = data.replace(one, GETA)
                missing += "" if one in missing else one
            continue
        assert isinstance(pdf, bytes)
        return pdf


def pdf_answer(pdf: bytes, name: str) -> Response:
    """The PDF as an answer that no cache keeps, to be shown or saved under `name`."""
    answer = Response(pdf, mimetype="application/pdf")
    answer.headers["Content-Disposition"] = f'inline; filename="{name}.pdf"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _undrawn(error: typst.TypstError) -> str:
    found = _UNDRAWN.search(error.message)
    return found[1].encode().decode("unicode_escape") if found and found[1].startswith("\\u") else found[1] if found else ""


@cache
def _fonts() -> typst.Fonts:
    for family, path in font_paths().items():
        if path is None or not path.is_file():
            raise Problem("paper-font-missing", status=503, font=family, package=FONT_PACKAGE)
    folder = str(next(path.parent for path in font_paths().values() if path))
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[folder])


def font_paths() -> dict[str, Path | None]:
    """Where each font file lies; None where the font package is not installed."""
    try:
        import pylopdf_fonts_zh_cn
    except ImportError:
        return dict.fromkeys(FONT_FILES)
    folder = Path(pylopdf_fonts_zh_cn.__file__ or "").parent
    return {family: folder / name for family, name in FONT_FILES.items()}
