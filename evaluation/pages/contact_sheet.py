"""The contact sheet: a ranking as one HTML file that needs nothing but a browser."""

from __future__ import annotations

import base64
import hashlib
import math
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from photorank.utils.rows import failed

from .contact_card import CONTRIBUTION, Cards, Thumbnail, name_of, text


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
        self.cards = Cards(thumbnail, relative_to, _most_contributed(self.ranked))
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
            "title": text(title or "Ranked photos"),
            "count": count + (f" ({', '.join(notes)})" if notes else ""),
            "lowest": f"{math.floor(low * 100) / 100:.2f}",
            "highest": f"{math.ceil(high * 100) / 100:.2f}",
            "no_faces": "" if faces else " hidden",
            "no_stacks": "" if copies else " hidden",
        }

    def photos(self) -> Iterator[str]:
        for keeper, others in self.stacks:
            yield self._card(keeper)
            if others:
                word = "near-duplicate" if len(others) == 1 else "near-duplicates"
                yield f'<details class="stack"><summary>{len(others)} {word}</summary><ol class="photos">\n'
                for other in others:
                    yield self._card(other) + "</li>\n"
                yield "</ol></details>"
            yield "</li>\n"

    def _card(self, position: int) -> str:
        return self.cards.of(self.ranked.iloc[position].to_dict())

    def failures(self) -> Iterator[str]:
        if self.failed.empty:
            return
        yield f'<h2>Not ranked: {len(self.failed):,}</h2>\n<dl class="failed">\n'
        for row in self.failed.to_dict("records"):
            yield f"<dt>{text(name_of(row))}</dt><dd>{text(row['error'])}</dd>\n"
        yield "</dl>\n"


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
        column = str(name).removesuffix(CONTRIBUTION)
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
