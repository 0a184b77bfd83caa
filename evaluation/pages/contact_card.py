"""One photo on the contact sheet: its picture, score, tags and reasons, as HTML."""

from __future__ import annotations

import base64
import html
import io
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from PIL import Image

from ..plots.lettering import printable

CONTRIBUTION = "_contribution"
Row = Mapping[Any, Any]
Thumbnail = Callable[[str], "np.ndarray | bytes | None"]

_SIDE = 240
_QUALITY = 68  # a thumbnail takes 7 to 10 kB


@dataclass(frozen=True)
class Cards:
    """How the photos of one sheet are shown.

    Attributes:
        thumbnail, relative_to: as for `contact_sheet`.
        most: each ranked column and the most it can contribute to a score.
    """

    thumbnail: Thumbnail
    relative_to: str | os.PathLike[str] | None
    most: Mapping[str, float]

    def of(self, row: Row) -> str:
        """The photo's list item, which the caller closes: a stack may follow in it."""
        name, rank = text(name_of(row)), _whole(row.get("rank"))
        score = _number(row["final_score"])
        shown = "no score" if score is None else f"{score:.3f}"
        faces = _number(row.get("face_present"))
        data = f' data-score="{"" if score is None else f"{score:.6f}"}"'
        data += f' data-faces="{"" if faces is None else int(faces > 0)}"'
        label = f"{name}, rank {rank or 'none'}, score {shown}"
        return (
            f'<li class="photo"{data}><div class="own">{self._link(row, label)}'
            f'<div class="head"><span class="rank">{_rank_and_class(row)}</span>'
            f'<span class="score">{shown}</span></div>'
            f'<div class="name" title="{name}">{name}</div>{_tags(row)}{self._reasons(row)}</div>'
        )

    def _link(self, row: Row, label: str) -> str:
        path = row.get("path")
        if not isinstance(path, str) or not path:
            return f'<span class="thumb" tabindex="0" role="img" aria-label="{label}"></span>'
        picture = self.thumbnail(path)
        inner = "cannot be opened"
        if picture is not None:
            inner = f'<img decoding="async" alt="" src="{_data_uri(picture)}">'
        return (
            f'<a class="thumb" href="{text(self._address(path))}" target="_blank" '
            f'rel="noopener" aria-label="{label}">{inner}</a>'
        )

    def _address(self, path: str) -> str:
        if self.relative_to is None:
            return Path(path).absolute().as_uri()
        return "./" + quote(os.fsencode(Path(os.path.relpath(path, self.relative_to)).as_posix()))

    def _reasons(self, row: Row) -> str:
        if not self.most:
            return ""
        unit = 100 / max(self.most.values())
        lines = []
        for column, most in self.most.items():
            got = _number(row.get(column + CONTRIBUTION)) or 0.0
            raw = _number(row.get(column))
            lines.append(
                f'<dt title="{text(column)}">{text(column)}</dt>'
                f'<dd title="contributes {got:.3f} of at most {most:.3f}">'
                '<svg viewBox="0 0 100 7" preserveAspectRatio="none" aria-hidden="true">'
                f'<rect class="most" width="{most * unit:.1f}" height="7" />'
                f'<rect class="got" width="{got * unit:.1f}" height="7" /></svg></dd>'
                f'<dd class="raw">{"missing" if raw is None else f"{raw:.3g}"}</dd>'
            )
        return f'<dl class="why">{"".join(lines)}</dl>'


def _rank_and_class(row: Row) -> str:
    return " · ".join(filter(None, (_whole(row.get("rank")), _said(row, "quality_class"))))


def _tags(row: Row) -> str:
    """The photo's tags in a line, then those of a vocabulary; each line opens to tell its reasons."""
    measured = _said(row, "tags").replace("_", " ")
    return _marks("tags", measured, row.get("tag_reasons")) + _marks(
        "tags seen", _said(row, "semantic_tags"), row.get("semantic_scores")
    )


def _marks(kind: str, tags: str, reasons: object) -> str:
    if not tags:
        return ""
    marks = " ".join(f"<span>{tag}</span>" for tag in tags.split(", "))
    if not isinstance(reasons, str) or not reasons:
        return f'<div class="{kind}">{marks}</div>'
    lines = "<br>".join(map(text, reasons.split("; ")))  # first split: "&amp; " ends in "; " too
    return f'<details class="because"><summary class="{kind}">{marks}</summary>{lines}</details>'


def _said(row: Row, column: str) -> str:
    """The text of a column, ready for the page; empty where there is none."""
    said = row.get(column)
    return text(said) if isinstance(said, str) else ""


def _data_uri(picture: np.ndarray | bytes) -> str:
    if isinstance(picture, bytes):
        if not picture.startswith(b"\xff\xd8"):
            raise ValueError("a thumbnail given as bytes is a JPEG, got something else")
        jpeg = picture
    else:
        image = Image.fromarray(picture).convert("RGB")
        image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        image.save(file, "JPEG", quality=_QUALITY, optimize=True)
        jpeg = file.getvalue()
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def text(value: object) -> str:
    """Text or an attribute's value: a file's name is whatever its maker liked."""
    return html.escape(printable(str(value)), quote=True)


def name_of(row: Row) -> str:
    return str(row.get("file") or row.get("path") or "(no name)")


def _number(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _whole(value: object) -> str:
    number = _number(value)
    return "" if number is None else f"{number:.0f}"
