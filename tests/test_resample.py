"""Lanczos by matrix products is Pillow's Lanczos."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from photorank.features.photo import resample
from photorank.features.photo.resample import lanczos


def by_pillow(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Rows first: left to itself, Pillow takes the columns of some tall pictures first."""
    rows = Image.fromarray(picture).resize((size[0], len(picture)), Image.Resampling.LANCZOS)
    return np.asarray(rows.resize(size, Image.Resampling.LANCZOS))


@pytest.mark.parametrize("size", [(512, 384), (256, 256), (511, 340), (700, 800), (32, 32)])
def test_hardly_a_pixel_differs_from_pillow(photo: np.ndarray, size: tuple[int, int]) -> None:
    for picture in (photo, np.ascontiguousarray(photo[:301, :, 1]), photo[:1], photo[:, :2]):
        ours, theirs = lanczos(picture, size), by_pillow(picture, size)
        assert ours.shape == theirs.shape
        assert np.abs(ours.astype(int) - theirs).max() <= 2
        assert (ours != theirs).mean() < 0.001


def test_sharp_edges_do_not_wrap(photo: np.ndarray) -> None:
    edge = np.zeros((64, 64), np.uint8)
    edge[:, 32:] = 255
    assert set(np.unique(lanczos(edge, (47, 64))[:, [0, -1]])) == {0, 255}


def test_a_very_long_picture_is_left_to_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    strip = np.random.default_rng(0).integers(0, 256, (3, 9000, 3), np.uint8)
    monkeypatch.setattr(resample, "_table", None)
    whole = Image.fromarray(strip).resize((512, 1), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(lanczos(strip, (512, 1)), np.asarray(whole))
