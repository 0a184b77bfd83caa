"""What the network is trained on: rated photos, and copies that are drawn as they are needed."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from photorank.features.photo.image import Photo, PhotoError
from photorank.features.quality import LEVELS as COLUMNS
from photorank.features.quality.encoder import SIZE

from ..degradations import KINDS, LEVELS, PARAMETERS, degrade, from_light, to_light

SAVED = "saved"
"""The kind of a copy that shows the same picture, saved otherwise: it must score the same."""

_KINDS = (*KINDS, "overexposure", "jpeg_compression", SAVED)  # those the law finds hard come twice
_SIDES = (512, 640, 800, 1024, 1400, 1930, 2600)  # pixels: decoding reduces the last two by 2
_QUALITIES = (80, 90, 95)  # JPEG's
_CLEANING_SHIFTS = ((0, 0), (4, 4), (2, 6), (6, 2), (1, 3), (3, 1), (5, 7), (7, 5))  # rows, columns
_CLEANING_QUALITY = 60
_CLEAN_SIDES = (512, 640, 800, 1024)
_WHITES = (1.5, 6.0)  # light that is shown as white: the lower, the harder the highlights clip
_AT_ONCE = 64  # copies


class Copy(NamedTuple):
    """A photo made worse, or saved otherwise, and what it is to be compared with.

    Attributes:
        kind: one of `KINDS`, or `SAVED`.
        level: 1 to 5; 0 for `SAVED`.
    """

    photo: np.ndarray
    copy: np.ndarray
    kind: str
    level: int


def decode(paths: Sequence[Path]) -> list[np.ndarray]:
    """The 512-pixel views of photos, as the network sees them in use.

    Raises:
        ValueError: a photo cannot be read.
    """

    def view(path: Path) -> np.ndarray:
        try:
            return Photo.open(path).view("rgb", SIZE)
        except PhotoError as error:
            raise ValueError(f"{path} cannot be read: {error}; mend it or leave it out") from error

    with ThreadPoolExecutor() as pool:
        return list(pool.map(view, paths))


def draw_copy(view: np.ndarray, rng: np.random.Generator) -> Copy:
    """A copy of a kind and level that are drawn."""
    kind = str(rng.choice(_KINDS))
    if kind == SAVED:
        larger = _resized(view, int(rng.choice(_SIDES)))
        return Copy(view, _saved(larger, int(rng.choice(_QUALITIES))), kind, 0)
    level, seed = int(rng.choice(LEVELS)), int(rng.integers(2**31))
    if kind == "jpeg_compression" and rng.random() < 0.5:
        # Rated photos are JPEGs: one that never was must not gain from slight compression either.
        clean = _cleaned(view)
        larger = degrade(_resized(clean, int(rng.choice(_CLEAN_SIDES))), kind, level, seed)
        return Copy(clean, Photo.from_image(larger).view("rgb", SIZE), kind, level)
    if kind == "overexposure" and rng.random() < 2 / 3:
        return Copy(view, _developed(view, PARAMETERS[kind][level - 1], rng), kind, level)
    return Copy(view, degrade(view, kind, level, seed), kind, level)


class Seen(NamedTuple):
    """A copy, the number of its photo, and what a network makes of both."""

    number: int
    copy: Copy
    before: np.ndarray
    after: np.ndarray


def copies_seen(
    see: Callable[[Sequence[np.ndarray]], np.ndarray],
    views: Sequence[np.ndarray],
    known: np.ndarray,
    count: int,
    seed: int = 0,
) -> Iterator[Seen]:
    """`count` copies of each photo whose kinds and levels are drawn, made a few at a time on threads.

    Args:
        see: views -> one row each; `known` are those of the photos.
    """
    jobs = [(number, copy) for number in range(len(views)) for copy in range(count)]

    def drawn(job: tuple[int, int]) -> Copy:
        return draw_copy(views[job[0]], np.random.default_rng((seed, *job)))

    with ThreadPoolExecutor() as pool:
        for start in range(0, len(jobs), _AT_ONCE):
            some = jobs[start : start + _AT_ONCE]
            copies = list(pool.map(drawn, some))
            seen = see([one.copy for one in copies])
            for (number, _), one, after in zip(some, copies, seen, strict=True):
                is_itself = one.photo is views[number]  # else it was freed from JPEG blocks first
                yield Seen(number, one, known[number] if is_itself else see([one.photo])[0], after)


def column_of(kind: str) -> int:
    """The place among the network's levels of a kind of degradation; both kinds of noise are one."""
    return COLUMNS.index(f"{'noise' if kind.endswith('noise') else kind}_level")


def goal(copy: Copy) -> np.ndarray:
    """(8,) how much of each defect the copy has more than its photo."""
    levels = np.zeros(len(COLUMNS), np.float32)
    if copy.kind != SAVED:
        levels[column_of(copy.kind)] = copy.level
    if copy.kind in ("defocus", "motion_blur", "rescaling"):
        levels[COLUMNS.index("blur_level")] = copy.level
    return levels


def square(view: np.ndarray) -> np.ndarray:
    """The view, mirrored beyond its edges to `SIZE` both ways: pooled statistics hardly change."""
    height, width = view.shape[:2]
    below, right = SIZE - height, SIZE - width
    return cv2.copyMakeBorder(view, 0, below, 0, right, cv2.BORDER_REFLECT)


@dataclass(frozen=True)
class Batch:
    """Some photos and a copy of each.

    Attributes:
        numbers: (n,) of the photos.
        pictures: (2 n, 3, SIZE, SIZE) uint8: the photos, then their copies.
        levels: (n, 8) of each defect in the copies, as `features/quality` orders them; all 0 in one
            that was only saved otherwise.
    """

    numbers: np.ndarray
    pictures: np.ndarray
    levels: np.ndarray


def batches(
    views: Sequence[np.ndarray], rows: np.ndarray, size: int, seed: tuple[int, ...]
) -> Iterator[Batch]:
    """One pass over `rows` in random order, each photo with a copy, made ahead on threads."""
    order = np.random.default_rng(seed).permutation(rows)
    starts = range(0, len(order) - size + 1, size)

    def copied(number: int) -> Copy:
        return draw_copy(views[number], np.random.default_rng((*seed, int(number))))

    def batch(numbers: np.ndarray, copies: Sequence[Copy]) -> Batch:
        pictures = [square(c.photo) for c in copies] + [square(c.copy) for c in copies]
        return Batch(
            numbers,
            np.stack(pictures).transpose(0, 3, 1, 2),
            np.stack([goal(c) for c in copies]),
        )

    with ThreadPoolExecutor() as pool:
        yield from _ahead(pool, [order[i : i + size] for i in starts], copied, batch)


def _ahead(
    pool: ThreadPoolExecutor,
    parts: Sequence[np.ndarray],
    work: Callable[[int], Copy],
    gather: Callable[[np.ndarray, Sequence[Copy]], Batch],
) -> Iterator[Batch]:
    """Gathered results part by part, the next part being worked on meanwhile."""
    waiting = [pool.submit(work, int(number)) for number in parts[0]] if len(parts) else []
    for number, part in enumerate(parts):
        now = waiting
        if number + 1 < len(parts):
            waiting = [pool.submit(work, int(n)) for n in parts[number + 1]]
        yield gather(part, [future.result() for future in now])


def _cleaned(rgb: np.ndarray) -> np.ndarray:
    """Without JPEG blocks: the mean of compressions whose blocks lie elsewhere each time.

    References:
        A. Nosratinia: "Enhancement of JPEG-compressed images by re-application of JPEG", Journal of
        VLSI Signal Processing 27, 2001, doi:10.1023/A:1008167430544
    """
    height, width = rgb.shape[:2]
    total = np.zeros(rgb.shape, np.float32)
    for down, right in _CLEANING_SHIFTS:
        edges = (8 - down, 8 + down, 8 - right, 8 + right)
        shifted = cv2.copyMakeBorder(rgb, *edges, cv2.BORDER_REFLECT_101)
        options = [cv2.IMWRITE_JPEG_QUALITY, _CLEANING_QUALITY]
        encoded = cv2.imencode(".jpg", shifted[..., ::-1], options)[1]
        decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))
        total += decoded[8 - down :, 8 - right :, ::-1][:height, :width]
    return np.asarray(total / len(_CLEANING_SHIFTS) + 0.5).astype(np.uint8)


def _developed(rgb: np.ndarray, ev: float, rng: np.random.Generator) -> np.ndarray:
    """Too bright as a camera or a RAW converter makes it: highlights are compressed before they clip.

    The curve is undone, the light multiplied, the curve applied again, so that shadows rise too.

    References:
        E. Reinhard et al.: "Photographic tone reproduction for digital images", SIGGRAPH 2002,
        equation 4, doi:10.1145/566654.566575
    """
    white = rng.uniform(*_WHITES)
    light = np.linspace(0, white, 4096, dtype=np.float32)
    shown = light * (1 + light / white**2) / (1 + light)
    scene = np.interp(to_light(rgb), shown, light) * 2**ev
    return from_light(np.interp(scene, light, shown).astype(np.float32))


def _resized(rgb: np.ndarray, side: int) -> np.ndarray:
    height, width = rgb.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS))


def _saved(rgb: np.ndarray, quality: int) -> np.ndarray:
    """What the network sees of it after it was saved as a JPEG."""
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=quality)
    return Photo.from_image(Image.open(file)).view("rgb", SIZE)
