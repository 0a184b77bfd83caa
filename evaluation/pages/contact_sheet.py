"""The contact sheet: a ranking as one HTML file that needs nothing but a browser."""

from __future__ import annotations

import base64
import hashlib
import io
import math
import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import jinja2
import numpy as np
import pandas as pd
from PIL import Image

from photorank.utils.cells import truths
from photorank.utils.rows import failed
from photorank.utils.words import plural, printable

Row = Mapping[Any, Any]
Thumbnail = Callable[[str], "np.ndarray | bytes | None"]

_CONTRIBUTION = "_contribution"
_SIDE = 240
_QUALITY = 68  # a thumbnail takes 7 to 10 kB


def contact_sheet(
    table: pd.DataFrame,
    path: str | os.PathLike[str] | IO[bytes],
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
        path: where to write, or an open file. It grows as thumbnails come: write it to a temporary
            place and rename it to have it whole or not at all.
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
    unmeasured = failed(table)
    ranked, lost = table[~unmeasured], table[unmeasured]
    stacks, most = _stacks(ranked), _most_contributed(ranked)
    copies = len(ranked) - len(stacks)
    _page().stream(
        policy=_policy(),
        title=title or "Ranked photos",
        **_ends(ranked),
        faces="face_present" in ranked and ranked["face_present"].notna().any(),
        copies=copies,
        count=_count(len(ranked), copies, len(lost)),
        unit=100 / max(most.values(), default=1.0),
        stacks=_photos(ranked, stacks, most),
        failed=[{"name": _name(row), "error": row["error"]} for row in lost.to_dict("records")],
        thumbnail=lambda path: _data_uri(thumbnail(path)),
        address=partial(_address, relative_to=relative_to),
    ).dump(os.fspath(path) if isinstance(path, os.PathLike) else path, encoding="utf-8")


def _page() -> jinja2.Template:
    """The template, which escapes what it is given, and shows what cannot be printed as escapes."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("contact_sheet.html")


def _policy() -> str:
    """It admits the page's own style and script and nothing else."""
    page = Path(__file__).with_name("contact_sheet.html").read_text(encoding="utf-8")
    allowed = {}
    for tag in ("style", "script"):
        source = page.split(f"<{tag}>", 1)[1].split(f"</{tag}>", 1)[0]
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        allowed[tag] = f"'sha256-{digest}'"
    return (
        f"default-src 'none'; img-src data:; style-src {allowed['style']}; "
        f"script-src {allowed['script']}; base-uri 'none'; form-action 'none'"
    )


def _ends(ranked: pd.DataFrame) -> dict[str, float]:
    """The lowest and the highest score, rounded outwards to hundredths."""
    scores = pd.to_numeric(ranked["final_score"], errors="coerce").dropna()
    low, high = (0.0, 1.0) if scores.empty else (float(scores.min()), float(scores.max()))
    return {"lowest": math.floor(low * 100) / 100, "highest": math.ceil(high * 100) / 100}


def _count(ranked: int, copies: int, lost: int) -> str:
    notes = [f"{copies:,} stacked under others"] if copies else []
    if lost:
        notes.append(f"{lost:,} failed, at the end")
    return plural(ranked, "photo") + (f" ({', '.join(notes)})" if notes else "")


def _photos(
    ranked: pd.DataFrame, stacks: list[tuple[int, list[int]]], most: Mapping[str, float]
) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """What the page says of each keeper and of its near-duplicates, one stack at a time."""
    for keeper, others in stacks:
        first, *rest = (_photo(ranked.iloc[i].to_dict(), most) for i in (keeper, *others))
        yield first, rest


def _photo(row: Row, most: Mapping[str, float]) -> dict[str, Any]:
    rank = _number(row.get("rank"))
    place = "" if rank is None else f"{rank:.0f}"
    raw = {column: _number(row.get(column)) for column in most}
    return {
        "name": _name(row),
        "path": _said(row, "path"),
        "rank": place,
        "place": " · ".join(filter(None, (place, _said(row, "quality_class")))),
        "score": _number(row["final_score"]),
        "faces": _number(row.get("face_present")),
        "tags": _listed(_said(row, "tags").replace("_", " "), ", "),
        "tag_reasons": _listed(_said(row, "tag_reasons"), "; "),
        "seen": _listed(_said(row, "semantic_tags"), ", "),
        "seen_reasons": _listed(_said(row, "semantic_scores"), "; "),
        "parts": [
            {
                "column": column,
                "most": share,
                "got": _number(row.get(column + _CONTRIBUTION)) or 0.0,
                "raw": "missing" if raw[column] is None else f"{raw[column]:.3g}",
            }
            for column, share in most.items()
        ],
    }


def _name(row: Row) -> str:
    return str(row.get("file") or row.get("path") or "(no name)")


def _said(row: Row, column: str) -> str:
    """The text of a column; empty where there is none."""
    said = row.get(column)
    return said if isinstance(said, str) else ""


def _listed(said: str, between: str) -> list[str]:
    return said.split(between) if said else []


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _address(path: str, relative_to: str | os.PathLike[str] | None) -> str:
    if relative_to is None:
        return Path(path).absolute().as_uri()
    return "./" + quote(os.fsencode(Path(os.path.relpath(path, relative_to)).as_posix()))


def _data_uri(picture: np.ndarray | bytes | None) -> str:
    """A small JPEG for the page; empty where there is no picture."""
    if picture is None:
        return ""
    if not isinstance(picture, bytes):
        image = Image.fromarray(picture).convert("RGB")
        image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        image.save(file, "JPEG", quality=_QUALITY, optimize=True)
        picture = file.getvalue()
    if not picture.startswith(b"\xff\xd8"):
        raise ValueError("a thumbnail given as bytes is a JPEG, got something else")
    return "data:image/jpeg;base64," + base64.b64encode(picture).decode()


def _stacks(ranked: pd.DataFrame) -> list[tuple[int, list[int]]]:
    """Positions of each keeper and of the others in its group; without groups everyone keeps."""
    if "dup_group" not in ranked or "dup_keeper" not in ranked:
        return [(i, []) for i in range(len(ranked))]
    positions = pd.Series(range(len(ranked)))
    keeps = truths(ranked["dup_keeper"])
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
