"""Demo photos: photographs that other packages carry, degraded copies, two near-duplicates."""

from __future__ import annotations

import functools
import importlib.util
import os
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from photorank.utils import io

from .degradations import KINDS, degrade

ORIGINALS = {
    "astronaut": "skimage/data/astronaut.png",
    "chelsea": "skimage/data/chelsea.png",
    "china": "sklearn/datasets/images/china.jpg",
    "coffee": "skimage/data/coffee.png",
    "flower": "sklearn/datasets/images/flower.jpg",
    "motorcycle": "skimage/data/motorcycle_left.png",
    "rocket": "skimage/data/rocket.jpg",
}
"""The photographs and where they lie, package first; docs/licences.md says whose they are."""

COPIES = {
    f"{name}_{kind}_{level}.jpg": (f"{name}.jpg", kind, level)
    for i, name in enumerate(ORIGINALS)
    for j, kind in enumerate(KINDS[i % 2 :: 2])
    for level in [2 + (i // 2 + j) % 4]
}
"""Each degraded copy's file name: its original's file name, the kind, the level (2 to 5)."""

NEAR_DUPLICATES = {"chelsea_copy.jpg": "chelsea.jpg", "china_cropped_brighter.jpg": "china.jpg"}
"""The first is the very same picture; the second is cut by 3 % and brightened by 5 %."""


def make_demo_photos(folder: str | os.PathLike[str]) -> list[Path]:
    """Write the demo photos to `folder`, where they are not there yet.

    Args:
        folder: made if missing. A file that is there under a demo photo's name is left as it is.

    Returns:
        The files, by name: 7 originals, 28 degraded copies of every kind, 2 near-duplicates.

    Raises:
        ImportError: scikit-image or scikit-learn is not installed.
        OSError, ValueError: the folder cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = [*(f"{name}.jpg" for name in ORIGINALS), *COPIES, *NEAR_DUPLICATES]
    for name in names:
        if not (folder / name).exists():
            photo = Image.fromarray(_picture(name))
            io.write(folder / name, partial(photo.save, format="JPEG", quality=92))
    return [folder / name for name in sorted(names)]


def _picture(name: str) -> np.ndarray:
    if name in COPIES:
        original, kind, level = COPIES[name]
        return degrade(_picture(original), kind, level, seed=level)
    if name == "china_cropped_brighter.jpg":
        rgb = _picture(NEAR_DUPLICATES[name])
        top, left = (round(0.015 * side) for side in rgb.shape[:2])
        return np.minimum(rgb[top:-top, left:-left] * 1.05, 255).astype(np.uint8)
    return _original(NEAR_DUPLICATES.get(name, name).removesuffix(".jpg"))


@functools.cache
def _original(name: str) -> np.ndarray:
    package, _, inside = ORIGINALS[name].partition("/")
    spec = importlib.util.find_spec(package)  # without importing it: that takes a second
    path = Path(*(spec.submodule_search_locations or ()), inside) if spec else None
    if path is None or not path.is_file():
        raise ImportError(
            f"the demo photo {name!r} comes from {package}, which is not here: "
            "pip install 'photorank[demo]'"
        )
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
