"""What every plot begins and ends with: a blank figure, its title, its file."""

from __future__ import annotations

import os
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from .lettering import INK, MUTED, with_font


def blank(width: float, height: float) -> Figure:
    """A white figure of so many inches, 100 pixels each."""
    figure = Figure(figsize=(width, height), dpi=100, layout="constrained", facecolor="w")
    FigureCanvasAgg(figure)
    return figure


def dress(axes: Axes, name: str, note: str, below: str, colour: str = MUTED) -> None:
    """A small panel: the name of its column above, a note beside it, a unit below, faint lines."""
    axes.set_title(name, loc="left", parse_math=False, fontsize=11, color=INK, weight="bold")
    axes.set_title(note, loc="right", fontsize=9, color=colour)
    axes.set_xlabel(below, fontsize=9, color=MUTED)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9, length=0, colors=MUTED)
    axes.margins(x=0.02)


def entitle(figure: Figure, *parts: str) -> None:
    """Write a title that may hold file names: in a font that has all its characters."""
    text, font = with_font(": ".join(filter(None, parts)))
    figure.suptitle(text, fontproperties=FontProperties(fname=font, size=14), parse_math=False)


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write the figure in the format of the suffix; a PNG, which alone can, names photorank."""
    of_png = {"Software": "photorank"} if Path(path).suffix == ".png" else None
    figure.savefig(path, metadata=of_png)
