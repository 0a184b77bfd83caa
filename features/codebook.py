"""Small patches of a picture told by learned codes: what texture and colours it is made of.

The codes are directions in the space of whitened patches, learned without any rating. A picture is
described by how strongly each occurs at most (a scratch, one sharp edge) and on average.

References:
    Ye et al. (2012), CORNIA, doi:10.1109/CVPR.2012.6247789
    Coates, Ng & Lee (2011), https://proceedings.mlr.press/v15/coates11a.html
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .pooling import LUMA_AND_OPPONENTS, half, wide_enough


@dataclass(frozen=True)
class Grid:
    """Which patches are read: of `side` pixels, every `step`, after halving the picture `halvings` times."""

    halvings: int
    side: int
    step: int
    channels: int


GRIDS = {"texture": Grid(1, 7, 4, 1), "colour": Grid(2, 6, 2, 3)}
"""Luma at half size, luma and both opponent colours at a quarter."""

_FAINT = 10.0  # 8-bit levels squared: patches with less variance than this are hardly amplified


def patches(rgb: np.ndarray, grid: Grid) -> np.ndarray:
    """Patches without their mean (per channel), at unit contrast.

    Args:
        rgb: (h, w, 3) uint8.

    Returns:
        (rows, columns, channels * side * side) float32.
    """
    picture = wide_enough(rgb)
    for _ in range(grid.halvings):
        picture = half(picture)
    planes = cv2.transform(picture.astype(np.float32), LUMA_AND_OPPONENTS[: grid.channels])
    planes = planes.reshape(*planes.shape[:2], grid.channels)
    windows = sliding_window_view(planes, (grid.side, grid.side), (0, 1))
    found: np.ndarray = np.ascontiguousarray(windows[:: grid.step, :: grid.step])
    found -= found.mean((3, 4), keepdims=True)
    found = found.reshape(*found.shape[:2], -1)
    variance = np.einsum("rcd,rcd->rc", found, found) / found.shape[2]
    found /= np.sqrt(variance + np.float32(_FAINT))[..., None]
    return found


def occurrences(found: np.ndarray, codes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """How codes occur in a picture.

    Args:
        found: (rows, columns, d) from `patches`.
        codes: (d, k) float32.
        offsets: (k,) float32, the codes' responses to the mean patch.

    Returns:
        (5 * k,): strongest response, strongest inverted one, and the square roots of the mean
        activity in the whole picture, its middle and its upper half.
    """
    rows, columns, size = found.shape
    responses = found.reshape(-1, size) @ codes  # one product of two matrices, not one per row
    responses -= offsets
    strongest, weakest = responses.max(0), responses.min(0)
    activity = np.abs(responses, out=responses)
    count = len(offsets)
    activity -= (activity @ np.full(count, 1 / count, np.float32))[:, None]
    activity = np.maximum(activity, 0, out=activity).reshape(rows, columns, count)
    middle = activity[rows // 4 : rows - rows // 4, columns // 4 : columns - columns // 4]
    by_row = activity.mean(1)
    means = (by_row.mean(0), middle.mean((0, 1)), by_row[: (rows + 1) // 2].mean(0))
    return np.concatenate([strongest, -weakest, *np.sqrt(means)])
