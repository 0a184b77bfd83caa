"""The contact sheet: a ranking as one HTML file that needs nothing but a browser."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
from PIL import Image

from .lettering import printable
from .rows import failed

Row = Mapping[Any, Any]
Thumbnail = Callable[[str], "np.ndarray | bytes | None"]

_SIDE = 240
_QUALITY = 68  # a thumbnail takes 7 to 10 kB
_CONTRIBUTION = "_contribution"


def contact_sheet(
    table: pd.DataFrame,
    path: str | os.PathLike[str],
    thumbnail: Thumbnail,
    title: str = "",
    relative_to: str | os.PathLike[str] | None = None,
) -> None:
    """Write the photos, best first, as one self-contained HTML file.

    Each photo shows its score and what every column contributed to it, beside the raw value.
    Near-duplicates lie in a stack below their keeper; failed files stand at the end with the
    reason. Score and faces filter; the arrow keys walk. The file holds small pictures and no
    scripts but its own, loads nothing, and links to the photos where they lie.

    Args:
        table: ranked photos with `final_score`; `rank`, `file`, `path`, `dup_group`, `dup_keeper`,
            `face_present`, `quality_class`, `tags`, `tag_reasons`, `semantic_tags`,
            `semantic_scores`, `error` and `<column>_contribution` are used where they are there.
        path: where to write. The file grows as thumbnails come: write it to a temporary place and
            rename it to have it whole or not at all.
        thumbnail: takes a photo's path, returns an upright RGB array (h, w, 3) of any size, or the
            bytes of a small JPEG, or None for a photo that cannot be opened any more.
        title: the heading, such as the folder's name.
        relative_to: the folder the sheet will lie in, for links that survive moving it together
            with the photos; None: absolute links.

    Raises:
        ValueError: no column `final_score`, or a thumbnail that is neither array nor JPEG.
    """
    if "final_score" not in table:
        raise ValueError(
            "a contact sheet needs a ranked table with the column 'final_score'; "
            f"this one has {', '.join(map(str, table.columns)) or 'no columns'}"
        )
    sheet = _Sheet(table, thumbnail, relative_to)
    head, between, tail = re.split("<!--photos-->\n|<!--failed-->\n", _template())
    with Path(path).open("w", encoding="utf-8", newline="\n") as out:
        out.write(_filled(head, sheet.facts(title)))
        out.writelines(sheet.photos())
        out.write(between)
        out.writelines(sheet.failures())
        out.write(tail)


class _Sheet:
    """What the table says, as pieces of HTML."""

    def __init__(
        self,
        table: pd.DataFrame,
        thumbnail: Thumbnail,
        relative_to: str | os.PathLike[str] | None,
    ) -> None:
        unmeasured = failed(table)
        self.ranked, self.failed = table[~unmeasured], table[unmeasured]
        self.thumbnail, self.relative_to = thumbnail, relative_to
        self.most = _most_contributed(self.ranked)
        self.stacks = _stacks(self.ranked)

    def facts(self, title: str) -> dict[str, str]:
        """What the template's placeholders stand for."""
        scores = pd.to_numeric(self.ranked["final_score"], errors="coerce").dropna()
        low, high = (0.0, 1.0) if scores.empty else (float(scores.min()), float(scores.max()))
        faces = "face_present" in self.ranked and self.ranked["face_present"].notna().any()
        copies = len(self.ranked) - len(self.stacks)
        notes = [f"{copies:,} stacked under others"] if copies else []
        if len(self.failed):
            notes.append(f"{len(self.failed):,} failed, at the end")
        count = "1 photo" if len(self.ranked) == 1 else f"{len(self.ranked):,} photos"
        return {
            "title": _text(title or "Ranked photos"),
            "count": count + (f" ({', '.join(notes)})" if notes else ""),
            "lowest": f"{math.floor(low * 100) / 100:.2f}",
            "highest": f"{math.ceil(high * 100) / 100:.2f}",
            "no_faces": "" if faces else " hidden",
            "no_stacks": "" if copies else " hidden",
        }

    def photos(self) -> Iterator[str]:
        for keeper, others in self.stacks:
            yield self._open_photo(keeper)
            if others:
                word = "near-duplicate" if len(others) == 1 else "near-duplicates"
                yield f'<details class="stack"><summary>{len(others)} {word}</summary><ol class="photos">\n'
                for other in others:
                    yield self._open_photo(other) + "</li>\n"
                yield "</ol></details>"
            yield "</li>\n"

    def failures(self) -> Iterator[str]:
        if self.failed.empty:
            return
        yield f'<h2>Not ranked: {len(self.failed):,}</h2>\n<dl class="failed">\n'
        for row in self.failed.to_dict("records"):
            yield f"<dt>{_text(_name(row))}</dt><dd>{_text(row['error'])}</dd>\n"
        yield "</dl>\n"

    def _open_photo(self, position: int) -> str:
        row = self.ranked.iloc[position].to_dict()
        name, rank = _text(_name(row)), _whole(row.get("rank"))
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
            f'<a class="thumb" href="{_text(self._address(path))}" target="_blank" '
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
            got = _number(row.get(column + _CONTRIBUTION)) or 0.0
            raw = _number(row.get(column))
            lines.append(
                f'<dt title="{_text(column)}">{_text(column)}</dt>'
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
    return _marks("tags", measured, _said(row, "tag_reasons")) + _marks(
        "tags seen", _said(row, "semantic_tags"), _said(row, "semantic_scores")
    )


def _marks(kind: str, tags: str, reasons: str) -> str:
    if not tags:
        return ""
    marks = " ".join(f"<span>{tag}</span>" for tag in tags.split(", "))
    if not reasons:
        return f'<div class="{kind}">{marks}</div>'
    lines = reasons.replace("; ", "<br>")
    return f'<details class="because"><summary class="{kind}">{marks}</summary>{lines}</details>'


def _said(row: Row, column: str) -> str:
    """The text of a column, ready for the page; empty where there is none."""
    text = row.get(column)
    return _text(text) if isinstance(text, str) else ""


def _stacks(ranked: pd.DataFrame) -> list[tuple[int, list[int]]]:
    """Positions of each keeper and of the others in its group; without groups everyone keeps."""
    if "dup_group" not in ranked or "dup_keeper" not in ranked:
        return [(i, []) for i in range(len(ranked))]
    positions = pd.Series(range(len(ranked)))
    keeps = ranked["dup_keeper"].astype(bool).to_numpy()
    groups = pd.factorize(ranked["dup_group"].to_numpy())[0]
    groups = np.where(groups < 0, -1 - positions, groups)  # without a group: a stack of its own
    stacks = []
    for _, members in positions.groupby(groups, sort=False):
        first = next((i for i in members if keeps[i]), members.iloc[0])
        stacks.append((int(first), [int(i) for i in members if i != first]))
    return sorted(stacks)


def _most_contributed(ranked: pd.DataFrame) -> dict[str, float]:
    """Each ranked column and the most it can contribute, which is its share of the weights."""
    most = {}
    for name in ranked.columns:
        column = str(name).removesuffix(_CONTRIBUTION)
        if column == name or f"{column}_norm" not in ranked:
            continue
        got = pd.to_numeric(ranked[name], errors="coerce")
        norm = pd.to_numeric(ranked[f"{column}_norm"], errors="coerce")
        share = (got / norm.where(norm > 0)).max()
        if share > 0:
            most[column] = float(share)
    return most


def _template() -> str:
    """The page, with a policy that admits its own style and script and nothing else."""
    page = Path(__file__).with_name("contact_sheet.html").read_text(encoding="utf-8")
    allowed = {}
    for tag in ("style", "script"):
        source = page.split(f"<{tag}>", 1)[1].split(f"</{tag}>", 1)[0]
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        allowed[tag] = f"'sha256-{digest}'"
    policy = (
        f"default-src 'none'; img-src data:; style-src {allowed['style']}; "
        f"script-src {allowed['script']}; base-uri 'none'; form-action 'none'"
    )
    return page.replace("{{policy}}", policy)


def _filled(page: str, facts: Mapping[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda found: facts[found[1]], page)


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


def _text(value: object) -> str:
    """Text or an attribute's value: a file's name is whatever its maker liked."""
    return html.escape(printable(str(value)), quote=True)


def _name(row: Row) -> str:
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
