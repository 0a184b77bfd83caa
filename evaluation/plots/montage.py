"""Montages: photos side by side in one picture, each with its rank, score and name."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from .lettering import INK, MUTED, PAPER, fitted

_GAP = 14
_CAPTION_HEIGHT = 46
_NARROWEST_TILE = 220


@dataclass(frozen=True)
class Caption:
    """What stands below a photo in a montage.

    Attributes:
        file: its name; shortened in the middle to the width of its tile.
        rank: None leaves it out.
        score: None leaves it out.
        photos: how many near-duplicates the group has; above 1 they are shown with a
            multiplication sign before them.
    """

    file: str
    rank: int | None = None
    score: float | None = None
    photos: int = 1


def montage(
    images: Iterable[np.ndarray | None],
    captions: Sequence[Caption],
    path: str | os.PathLike[str],
    title: str = "",
    width: int = 1280,
) -> None:
    """Write photos side by side, in rows, each with its rank, score and name below it.

    Args:
        images: as many as captions, each (h, w, 3) or (h, w) uint8 of any size, upright; None for a
            photo that cannot be opened any more. Taken one at a time, so a generator saves memory.
        path: where to write; .png or .jpg.
        title: one line above the photos.
        width: pixels of the picture, which has as many columns as fit in at 220 px each; fewer
            photos than columns make it narrower.

    Raises:
        ValueError: no photos, an array of another type, too narrow, or too high for a JPEG.
    """
    if not captions:
        raise ValueError("a montage needs at least one photo, got none")
    if width < 120:
        raise ValueError(f"a montage is at least 120 pixels wide, got {width}")
    grid = _Grid.of(len(captions), width, title)
    if str(path).lower().endswith((".jpg", ".jpeg")) and grid.height > 65_000:
        raise ValueError(
            f"{len(captions):,} photos are {grid.height:,} px high, more than a JPEG can be: "
            "take fewer or write a .png"
        )
    sheet = Image.new("RGB", (grid.width, grid.height), PAPER)
    draw = ImageDraw.Draw(sheet)
    _write(draw, (_GAP, _GAP), title, 16, INK, grid.width - 2 * _GAP, bold=True)
    for i, (image, caption) in enumerate(zip(images, captions, strict=True)):
        left, top = grid.corner(i)
        if image is None:
            draw.rectangle((left, top, left + grid.tile, top + grid.photo), fill="#e4e4e2")
            _write(draw, (left + 8, top + 8), "cannot be opened", 13, MUTED, grid.tile - 16)
        else:
            _place(sheet, draw, image, (left, top), grid)
        _caption(draw, caption, (left, top), grid)
    maker = PngInfo()  # by which an earlier picture of ours is told from somebody else's
    maker.add_text("Software", "photorank")
    sheet.save(path, quality=90, comment="photorank", pnginfo=maker)


@dataclass(frozen=True)
class _Grid:
    """Where the tiles of a montage stand, all in pixels."""

    columns: int
    tile: int
    photo: int
    head: int
    width: int
    height: int

    @classmethod
    def of(cls, photos: int, width: int, title: str) -> _Grid:
        fit = max(1, (width - _GAP) // (_NARROWEST_TILE + _GAP))
        tile = (width - _GAP) // fit - _GAP
        columns, photo = min(fit, photos), round(tile * 0.75)
        head = 46 if title else _GAP
        rows = -(-photos // columns)
        height = head + rows * (photo + _CAPTION_HEIGHT + _GAP)
        return cls(columns, tile, photo, head, _GAP + columns * (tile + _GAP), height)

    def corner(self, i: int) -> tuple[int, int]:
        """Left and top of tile i."""
        row, column = divmod(i, self.columns)
        top = self.head + row * (self.photo + _CAPTION_HEIGHT + _GAP)
        return _GAP + column * (self.tile + _GAP), top


def _place(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    image: np.ndarray,
    corner: tuple[int, int],
    grid: _Grid,
) -> None:
    """The photo whole, in the middle of its tile's frame."""
    if image.dtype != np.uint8 or image.size == 0 or image.ndim not in (2, 3):
        raise ValueError(
            f"a montage takes uint8 arrays (h, w, 3) or (h, w), got {image.dtype} {image.shape}"
        )
    photo = Image.fromarray(image).convert("RGB")
    scale = min(grid.tile / photo.width, grid.photo / photo.height)
    size = (max(2, round(photo.width * scale)), max(2, round(photo.height * scale)))
    photo = photo.resize(size, Image.Resampling.LANCZOS, reducing_gap=3)
    left, top = corner[0] + (grid.tile - size[0]) // 2, corner[1] + (grid.photo - size[1]) // 2
    frame = (corner[0], corner[1], corner[0] + grid.tile - 1, corner[1] + grid.photo - 1)
    draw.rectangle(frame, fill="#ececea")
    sheet.paste(photo, (left, top))


def _caption(
    draw: ImageDraw.ImageDraw, caption: Caption, corner: tuple[int, int], grid: _Grid
) -> None:
    left, top = corner[0], corner[1] + grid.photo + 6
    rank = "" if caption.rank is None else f"{caption.rank}"
    _write(draw, (left, top), rank, 15, MUTED, grid.tile, bold=True)
    if caption.score is not None and math.isfinite(caption.score):
        score = f"{caption.score:.3f}"
        _write(draw, (left + grid.tile, top), score, 15, INK, grid.tile, bold=True, anchor="ra")
    _write(draw, (left, top + 20), caption.file, 13, INK, grid.tile)
    if caption.photos > 1:
        _badge(draw, f"\N{MULTIPLICATION SIGN}{caption.photos}", (corner[0] + grid.tile, corner[1]))


def _badge(draw: ImageDraw.ImageDraw, text: str, top_right: tuple[int, int]) -> None:
    text, font = fitted(text, 14, 200, bold=True)
    right, top = top_right[0] - 7, top_right[1] + 7
    left = right - font.getlength(text) - 14
    draw.rounded_rectangle((left, top, right, top + 24), 12, fill=INK, outline="#ffffff")
    draw.text(((left + right) / 2, top + 12), text, "#ffffff", font, anchor="mm")


def _write(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    size: int,
    colour: str,
    width: float,
    bold: bool = False,
    anchor: str = "la",
) -> None:
    text, font = fitted(text, size, width, bold)
    draw.text(at, text, colour, font, anchor)
