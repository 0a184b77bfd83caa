"""What every plot begins and ends with: a blank figure, its title, its file."""

from __future__ import annotations

import os
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from .lettering import with_font


def blank(width: float, height: float) -> Figure:
    """A white figure of so many inches, 100 pixels each."""
    figure = Figure(figsize=(width, height), dpi=100, layout="constrained", facecolor="w")
    FigureCanvasAgg(figure)
    return figure


def entitle(figure: Figure, title: str) -> None:
    """Write a title that may hold file names: in a font that has all its characters."""
    text, font = with_font(title)
    figure.suptitle(text, fontproperties=FontProperties(fname=font, size=14), parse_math=False)


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write the figure in the format of the suffix; a PNG, which alone can, names photorank."""
    of_png = {"Software": "photorank"} if Path(path).suffix == ".png" else None
    figure.savefig(path, metadata=of_png)
