"""A picture of how common each tag is."""

from __future__ import annotations

import os
from collections.abc import Mapping

from . import figures
from .lettering import INK, MUTED

_BAR, _COMMON = "#4a6f94", "#c8553d"


def tag_shares(
    shares: Mapping[str, float], photos: int, common: float, path: str | os.PathLike[str]
) -> None:
    """Draw the share of the photos that have each tag, the most common on top.

    Args:
        shares: per tag, 0 to 1.
        photos: how many there are.
        common: a share above it speaks of the folder, and stands out.
        path: where to write; the suffix gives the format (.png, .pdf, .svg).
    """
    ordered = sorted(shares.items(), key=lambda item: item[1])
    figure = figures.blank(8, 1.2 + 0.3 * len(ordered))
    axes = figure.add_subplot()
    names, values = [name for name, _ in ordered], [share for _, share in ordered]
    axes.barh(
        names, values, color=[_COMMON if value > common else _BAR for value in values], height=0.7
    )
    for row, value in enumerate(values):
        text = f"{round(value * photos):,}"
        axes.annotate(
            text, (value, row), (4, 0), textcoords="offset points", va="center", color=INK
        )
    axes.set_xlim(0, 1.08)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    axes.axvline(common, color=MUTED, lw=0.8, ls=":")
    axes.tick_params(length=0, colors=INK)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_title(
        f"Tags of {photos:,} photos; red: a property of the folder", color=INK, fontsize=12
    )
    figures.save(figure, path)
