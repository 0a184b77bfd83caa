"""Degradations are of known strength: each law here is what a measure or a tuner relies on."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from photorank.training.degradations import KINDS, LEVELS, PARAMETERS, degrade


def psnr(copy: np.ndarray, original: np.ndarray) -> float:
    difference = copy.astype(float) - original
    return float(10 * np.log10(255**2 / np.mean(difference**2)))


@pytest.fixture(scope="module")
def grey() -> np.ndarray:
    return np.full((256, 256, 3), 118, np.uint8)  # .18 in linear light


@pytest.mark.parametrize("kind", KINDS)
def test_quality_falls_strictly_with_level(kind: str, photo: np.ndarray) -> None:
    values = [psnr(degrade(photo, kind, level), photo) for level in LEVELS]
    assert all(worse < better for better, worse in itertools.pairwise(values)), values
    assert values[0] < 50, "level 1 must change the picture"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 40, 3), (37, 53, 3)])
def test_any_shape_keeps_its_shape_and_type(kind: str, shape: tuple[int, int, int]) -> None:
    picture = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    picture.flags.writeable = False  # as views are
    copy = degrade(picture, kind, 5)
    assert copy.shape == shape
    assert copy.dtype == np.uint8


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_arguments_give_the_same_bytes(kind: str, photo: np.ndarray) -> None:
    assert np.array_equal(degrade(photo, kind, 3, seed=4), degrade(photo, kind, 3, seed=4))


@pytest.mark.parametrize("kind", ["motion_blur", "gaussian_noise", "sensor_noise"])
def test_another_seed_gives_another_copy(kind: str, photo: np.ndarray) -> None:
    assert not np.array_equal(degrade(photo, kind, 3, seed=4), degrade(photo, kind, 3, seed=5))


def test_gaussian_noise_has_the_sigma_of_the_table(grey: np.ndarray) -> None:
    for level, sigma in zip(LEVELS, PARAMETERS["gaussian_noise"], strict=True):
        assert np.std(degrade(grey, "gaussian_noise", level)) == pytest.approx(sigma, rel=0.02)


def test_sensor_noise_is_correlated_between_neighbours_channels_and_along_rows(
    grey: np.ndarray,
) -> None:
    pattern = degrade(grey, "sensor_noise", 4).astype(float) - 118
    red, green = pattern[..., 0], pattern[..., 1]
    assert np.corrcoef(red.ravel(), green.ravel())[0, 1] > 0.65
    assert np.corrcoef(green[:, 1:].ravel(), green[:, :-1].ravel())[0, 1] > 0.2
    assert np.std(green.mean(axis=1)) > 1.5 * np.std(green.mean(axis=0))


def test_sensor_noise_grows_with_light_in_linear_light() -> None:
    def spread(level: int) -> float:
        copy = degrade(np.full((128, 128, 3), level, np.uint8), "sensor_noise", 3) / 255
        return float(np.std(((copy + 0.055) / 1.055) ** 2.4))

    assert spread(60) < spread(118) < spread(180)


@pytest.mark.parametrize(("kind", "level"), [("overexposure", 3), ("underexposure", 2)])
def test_exposure_multiplies_light(kind: str, level: int) -> None:
    ev = PARAMETERS[kind][level - 1]
    before = ((100 / 255 + 0.055) / 1.055) ** 2.4
    after = (1.055 * (before * 2**ev) ** (1 / 2.4) - 0.055) * 255
    copy = degrade(np.full((4, 4, 3), 100, np.uint8), kind, level)
    assert copy[0, 0, 0] == pytest.approx(after, abs=0.5)


@pytest.mark.parametrize("kind", ["defocus", "motion_blur"])
def test_blur_spreads_a_point_without_losing_light(kind: str) -> None:
    point = np.zeros((201, 201, 3), np.uint8)
    point[96:105, 96:105] = 255
    copy = degrade(point, kind, 5)
    light = np.where(copy <= 10, copy / 255 / 12.92, ((copy / 255 + 0.055) / 1.055) ** 2.4)
    assert light.sum() == pytest.approx(3 * 81, rel=0.02)
    assert np.count_nonzero(copy) > np.count_nonzero(point)


def test_blur_is_relative_to_the_picture(photo: np.ndarray) -> None:
    large = cv2.resize(photo, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    shrunk = cv2.resize(degrade(large, "defocus", 5), (512, 512), interpolation=cv2.INTER_AREA)
    assert psnr(shrunk, degrade(photo, "defocus", 5)) > 35


def test_an_unknown_kind_names_those_there_are(photo: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"'fog'.*defocus.*rescaling"):
        degrade(photo, "fog", 1)


@pytest.mark.parametrize("level", [0, 6])
def test_an_unknown_level_names_those_there_are(level: int, photo: np.ndarray) -> None:
    with pytest.raises(ValueError, match=f"defocus has levels 1 to 5, got {level}"):
        degrade(photo, "defocus", level)


def test_another_array_is_refused() -> None:
    with pytest.raises(ValueError, match=r"uint8 \(h, w, 3\), got float64 \(4, 4\)"):
        degrade(np.zeros((4, 4)), "defocus", 1)
