"""A report as one HTML page that needs nothing but a browser: its text, then its pictures."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path

import jinja2

from photorank.utils.words import printable


def report_page(
    path: str | os.PathLike[str], title: str, text: str, pictures: Mapping[str, bytes]
) -> None:
    """Write the page.

    Args:
        pictures: PNG or JPEG by heading.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    shown = {heading: _address(picture) for heading, picture in pictures.items()}
    lines = "\n".join(printable(line) for line in text.split("\n"))
    page = environment.get_template("report.html").render(title=title, text=lines, pictures=shown)
    Path(path).write_text(page, encoding="utf-8")


def _address(picture: bytes) -> str:
    kind = "png" if picture.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"
