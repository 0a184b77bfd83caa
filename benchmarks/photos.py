"""Sets of photos of one size for the benchmarks, made once and kept."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from photorank.training.demo import ORIGINALS, make_demo_photos

QUALITY = 90
GRAIN = 3.0  # 8-bit levels: an enlarged picture without it is decoded faster than a camera's


def sources_in(folder: Path | None, work: Path) -> list[Path]:
    """The JPEG photos of `folder`; without one the photographs of the demo."""
    if folder is None:
        return [p for p in make_demo_photos(work / "demo") if p.stem in ORIGINALS]
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))
    if not found:
        raise ValueError(f"no JPEG photos in {folder}")
    return found


def photo_set(sources: list[Path], count: int, megapixels: float, work: Path) -> Path:
    """A folder of `count` different photos of that size: crops of the sources, each of them another.

    A source that is smaller is enlarged and gets grain.
    """
    origin = f"{sources[0].parent.name}_{len(sources)}"
    folder = work / f"{origin}_{megapixels:g}MP_{count}"
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        file = folder / f"{i:05d}.jpg"
        if not file.exists():
            part = file.with_suffix(".part")
            photo = _crop(sources[i % len(sources)], megapixels, np.random.default_rng(i))
            photo.save(part, "JPEG", quality=QUALITY)
            part.replace(file)
    return folder


def many(folder: Path, count: int) -> Path:
    """A folder of `count` files, the photos of `folder` over and over, as hard links where it can be."""
    out = folder.with_name(f"{folder.name}_as_{count}")
    out.mkdir(exist_ok=True)
    files = sorted(folder.glob("*.jpg"))
    for i in range(count):
        file = out / f"{i:06d}.jpg"
        if not file.exists():
            try:
                os.link(files[i % len(files)], file)
            except OSError:
                shutil.copy(files[i % len(files)], file)
    return out


def _crop(source: Path, megapixels: float, rng: np.random.Generator) -> Image.Image:
    """Nine tenths of each side from anywhere, at the wanted size."""
    with Image.open(source) as opened:
        photo = opened.convert("RGB")
    width, height = (round(side * 0.9) for side in photo.size)
    left, top = rng.integers(0, photo.width - width + 1), rng.integers(0, photo.height - height + 1)
    scale = (megapixels * 1e6 / (width * height)) ** 0.5
    size = (round(width * scale), round(height * scale))
    box = (left, top, left + width, top + height)
    photo = photo.resize(size, Image.Resampling.BICUBIC, box=box)
    return _grainy(photo, rng) if scale > 1 else photo


def _grainy(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    rows = np.array(photo, np.int16)
    grain = np.rint(rng.normal(0, GRAIN, (512, rows.shape[1], 1))).astype(np.int16)
    for top in range(0, len(rows), len(grain)):
        strip = rows[top : top + len(grain)]
        strip += grain[: len(strip)]
    return Image.fromarray(rows.clip(0, 255).astype(np.uint8))
