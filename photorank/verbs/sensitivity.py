"""How the tags answer to known degradations of a person's own photos."""

from __future__ import annotations

import os
from typing import Any

import pandas as pd

from photorank.features import BUILTIN
from photorank.features.photo.image import Photo, PhotoError
from photorank.training.degradations import LEVELS, degrade
from photorank.utils.logging import progress
from photorank.utils.rows import measured_rows
from photorank.utils.text import width

from ..table.columns import with_names
from ..table.files import as_table
from .rank import extract
from .tag import tag

_KINDS = ("defocus", "motion_blur", "underexposure", "overexposure", "gaussian_noise")
_SEEN = [f for f in BUILTIN if f.name not in ("faces", "phash", "content_hash")]


def sensitivity(
    table: Any, profile: str | os.PathLike[str] = "default", photos: int = 12
) -> pd.DataFrame:
    """How the tags answer to known degradations: does blur make a photo "dark", light one "blurry"?

    Args:
        table: whose photos are opened; the first ones, degraded in 5 kinds and 5 levels each.
        profile: whose tags.
        photos: how many.

    Returns:
        The share of the photos with each tag, a row per kind and level; level 0 is the photo itself.

    Raises:
        ValueError: none of the photos can be opened.
    """
    found = []
    measured = measured_rows(with_names(as_table(table)))
    paths = list(measured["path"][:photos])
    for path in progress(paths, len(paths), "degraded copies"):
        try:
            rgb = Photo.open(path).view()
        except PhotoError:
            continue
        copies = {
            f"{kind}/{level}": degrade(rgb, kind, level) for kind in _KINDS for level in LEVELS
        }
        found.append(extract({"none/0": rgb} | copies, _SEEN, quiet=True))
    if not found:
        raise ValueError("none of the table's photos can be opened: their paths are not from here")
    tagged = tag(pd.concat(found, ignore_index=True), profile)
    kinds = tagged["file"].str.split("/", expand=True).set_axis(["kind", "level"], axis=1)
    marks = tagged.filter(regex="^is_").rename(columns=lambda name: name.removeprefix("is_"))
    shares = marks.groupby([kinds["kind"], kinds["level"]], sort=False).mean()
    return shares.loc[:, shares.max() > 0]


def as_text(shares: pd.DataFrame) -> str:
    """The shares in lines."""
    return shares.to_string(float_format="{:.2f}".format, line_width=width())
