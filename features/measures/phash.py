"""A perceptual hash per photo: reported, compared by distance, never ranked."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ..base import Column, Feature
from ..photo.resample import lanczos


def perceptual_hash(luma: np.ndarray) -> str:
    """The 64-bit DCT hash of a picture: re-saves of one photo differ in few bits.

    The picture is reduced to 32x32, and each of the 8x8 lowest frequencies of its cosine transform
    gives one bit: above the median of the 64, or not. Brightness, contrast, size and compression
    hardly change these signs. What fools it: crops, rotations and mirroring change most bits of
    one photo; flat tones, stripes and plain gradients have hardly a frequency above the median, and
    so nearly all bits in common: a photo has 32 ones, they have 9 at most.

    Args:
        luma: (h, w) uint8.

    Returns:
        16 hexadecimal digits, as the library imagehash prints them. Two hashes are compared by the
        number of bits in which they differ, 0 to 64: re-saves of one photo are 0 to 8 apart,
        different subjects 10 and more (docs/near_duplicates.md).

    References:
        N. Krawetz, "Looks like it", hackerfactor.com, 2011; the hash is `imagehash.phash`.

    >>> perceptual_hash(np.full((48, 64), 128, dtype=np.uint8))  # one flat tone: only the mean
    '8000000000000000'
    """
    import imagehash

    return str(imagehash.phash(Image.fromarray(lanczos(luma, (32, 32)))))


PHASH = Feature("phash", "2", (Column("phash", "neither"),), perceptual_hash, view="luma")
