"""The quality score: its statistics have known answers, its model obeys the laws of quality."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import ndimage, optimize, special, stats

from photorank.features.codebook import GRIDS, occurrences, patches
from photorank.features.image import Photo
from photorank.features.pooling import asymmetric_gaussian, moments, quantiles
from photorank.features.quality import (
    MODEL_PATH,
    QUALITY,
    blur_radius,
    coordinates,
    identity,
    normal_scores,
    predict,
    quality,
    similarities,
)
from photorank.features.statistics import natural_scene, statistics
from photorank.training.blur import fit_blur, radius
from photorank.training.codebook import learn_codes
from photorank.training.degradations import KINDS, degrade
from photorank.training.held_out_quality import cross_validate
from photorank.training.quality import Apparatus, Copies, Settings, fit

ROOT = Path(__file__).resolve().parent.parent
USE = Apparatus(normal_scores, coordinates, similarities)
SIZES = (512, 800, 1024, 1600, 2400, 4000, 6000)


def saved(image: Image.Image, kind: str = "JPEG", **options: object) -> Photo:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return Photo.from_image(Image.open(file))


def score(photo: Photo) -> float:
    return quality(photo.view("rgb", 512))[0]


@pytest.mark.parametrize("shape", [0.5, 1.0, 2.0, 4.0])
def test_a_generalised_gaussian_is_found_again(shape: float) -> None:
    drawn = stats.gennorm.rvs(shape, scale=0.7, size=(600, 600), random_state=0)
    found = asymmetric_gaussian(drawn.astype(np.float32))
    spread = 0.7 * np.sqrt(special.gamma(3 / shape) / special.gamma(1 / shape))
    assert found == pytest.approx([shape, 0, spread, spread], rel=0.05, abs=0.05)


def test_brisque_features_equal_an_independent_implementation(photo: np.ndarray) -> None:
    luma = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32)
    ours, theirs = natural_scene(luma), brisque(luma.astype(np.float64))
    assert ours[:2] == pytest.approx(theirs[:2], rel=0.02)
    assert ours[3:11] == pytest.approx(theirs[2:10], rel=0.03, abs=0.005)


def brisque(luma: np.ndarray) -> list[float]:
    """Mittal et al.'s formulas in scipy: a 7 x 7 Gaussian window, shapes by root finding."""

    def window(plane: np.ndarray) -> np.ndarray:
        return ndimage.gaussian_filter(plane, 7 / 6, truncate=3 / (7 / 6), mode="mirror")

    mean = window(luma)
    normal = (luma - mean) / (np.sqrt(np.maximum(window(luma**2) - mean**2, 0)) + 1)
    found = []
    for plane in (normal, normal[:, 1:] * normal[:, :-1], normal[1:] * normal[:-1]):
        left, right = (np.sqrt((side**2).mean()) for side in (plane[plane < 0], plane[plane > 0]))
        skew = left / right
        ratio = np.abs(plane).mean() ** 2 / (plane**2).mean()
        ratio *= (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2

        def surplus(shape: float, ratio: float = ratio) -> float:
            one, two, three = (special.gamma(k / shape) for k in (1, 2, 3))
            return float(two**2 / (one * three) - ratio)

        shape = optimize.brentq(surplus, 0.1, 6)
        one, two, three = (special.gamma(k / shape) for k in (1, 2, 3))
        centre = (right - left) * two / one * np.sqrt(one / three)
        found += [shape, centre, left, right] if found else [shape, (left + right) / 2]
    return found


def test_quantiles_and_moments_equal_numpy_and_scipy() -> None:
    drawn = np.random.default_rng(0).gamma(2, 10, (300, 300)).astype(np.float32)
    shares = (0.1, 0.5, 0.9)
    assert quantiles(drawn, 0, 128, shares) == pytest.approx(np.quantile(drawn, shares), abs=0.5)
    flat = drawn.ravel()
    expected = [flat.mean(), flat.std(), stats.skew(flat), stats.kurtosis(flat, fisher=False)]
    assert moments(drawn) == pytest.approx(expected, rel=1e-3)


def test_statistics_do_not_tell_left_from_right(photo: np.ndarray) -> None:
    mirrored = np.ascontiguousarray(photo[:, ::-1])
    assert statistics(mirrored) == pytest.approx(statistics(photo), abs=1e-3)


def test_patches_have_no_mean_and_at_most_unit_contrast(photo: np.ndarray) -> None:
    for grid in GRIDS.values():
        found = patches(photo, grid)
        channels = found.reshape(*found.shape[:2], grid.channels, -1)
        assert np.abs(channels.mean(3)).max() < 1e-4
        assert 0.5 < found.std(2).max() <= 1


def test_codes_find_the_directions_that_patches_lie_in() -> None:
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.standard_normal((12, 12)))[0][:4]
    chosen = axes[rng.integers(4, size=4000)] * rng.choice([-1, 1], (4000, 1))
    rows = chosen + 0.05 * rng.standard_normal(chosen.shape)
    codes, offsets = learn_codes(rows, 4)
    responses = np.abs(axes @ codes - offsets)
    assert sorted(responses.argmax(1)) == [0, 1, 2, 3]


def test_occurrences_of_a_code_that_one_patch_shows() -> None:
    found = np.zeros((4, 4, 2), np.float32)
    found[0, 1] = (1, 0)
    strongest = occurrences(found, np.eye(2, dtype=np.float32), np.zeros(2, np.float32))
    whole, middle, upper = np.sqrt([0.5 / 16, 0, 0.5 / 8])
    expected = [1, 0, 0, 0, whole, 0, middle, 0, upper, 0]
    assert strongest == pytest.approx(expected)


@pytest.fixture(scope="module")
def made_up() -> tuple[np.ndarray, np.ndarray, Copies]:
    """400 descriptions in three blocks, ratings that follow two columns, copies worse in one."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((400, 40)).astype(np.float32)
    mos = 1 / (1 + np.exp(-(rows[:, 0] + rows[:, 25])))
    worse = rows.copy()
    worse[:, 5] += 1.5  # a column that says nothing of the ratings
    return rows, mos, Copies(worse, np.arange(400), np.full(400, "a"), np.full(400, 2))


@pytest.fixture(scope="module")
def small_settings() -> Settings:
    return Settings(components=(20, 10, 10), landmarks=(250, 100), width=0.2)


def test_a_fitted_model_predicts_unseen_rows_and_ranks_unseen_copies_lower(
    made_up: tuple[np.ndarray, np.ndarray, Copies], small_settings: Settings
) -> None:
    rows, mos, copies = made_up
    found = [
        cross_validate(rows, (20, 10, 10), mos, np.arange(400), copies, USE, predict, tried, 4)
        for tried in (small_settings, replace(small_settings, pair_weight=0.0))
    ]
    assert stats.spearmanr(found[0].photos, mos)[0] > 0.8
    lower, unasked = ((held_out.copies < held_out.photos).mean() for held_out in found)
    assert lower > 0.9 > 0.7 > unasked


def test_one_seed_gives_one_model(
    made_up: tuple[np.ndarray, np.ndarray, Copies], small_settings: Settings
) -> None:
    rows, mos, copies = made_up
    first, second = (fit(rows, (20, 10, 10), mos, copies, USE, small_settings) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_copies_of_level_0_are_made_to_score_the_same(
    made_up: tuple[np.ndarray, np.ndarray, Copies], small_settings: Settings
) -> None:
    rows, mos, worse = made_up
    softer = (
        rows + np.eye(40, dtype=np.float32)[0] / 2
    )  # the column that matters most, and one in no
    softer[:, 6] += 2  # rating, by which the two can be told apart
    copies = replace(worse, descriptions=softer, level=np.zeros(400, int))
    apart = []
    for weight in (0.0, small_settings.same_weight):
        settings = replace(small_settings, same_weight=weight)
        model = fit(rows, (20, 10, 10), mos, copies, USE, settings)
        apart.append(abs(predict(model, rows) - predict(model, copies.descriptions)).mean())
    assert apart[1] < apart[0] / 2


def test_copies_follow_their_photos(made_up: tuple[np.ndarray, np.ndarray, Copies]) -> None:
    copies = made_up[2].of(np.array([7, 3]))
    assert copies.photo.tolist() == [1, 0]  # in the copies' order: 3's, then 7's
    assert np.array_equal(copies.descriptions[0], made_up[2].descriptions[3])


def test_a_blur_that_follows_the_points_is_learned_and_noise_in_them_is_not() -> None:
    rng = np.random.default_rng(0)
    points = rng.standard_normal((2000, 30))
    radii = 2 ** (1.5 + 0.4 * points[:, 3]) - 1
    model = fit_blur(points[:1000], radii[:1000])
    assert blur_radius(model, points[1000:]) == pytest.approx(radii[1000:], abs=0.1)


def test_radii_are_what_the_degradations_do() -> None:
    """A disc's radius is twice its standard deviation along one axis; blurred steps show that."""

    def spread(kind: str, level: int, place: int) -> float:
        step = np.zeros((64, 512, 3), np.uint8)
        step[:, place:] = 255
        edge = np.diff(degrade(step, kind, level)[32, :, 0].astype(float))
        return 2 * np.sqrt(np.cov(np.arange(511), aweights=np.abs(edge), ddof=0)) / 0.512

    for kind, level in (("defocus", 4), ("defocus", 5), ("rescaling", 3), ("rescaling", 5)):
        shown = np.mean([spread(kind, level, place) for place in range(250, 266)])
        assert radius(kind, level) == pytest.approx(shown, rel=0.15), (kind, level)
    assert radius("motion_blur", 5) == pytest.approx(2 * 35 * np.sqrt(1 / 24), rel=0.05)
    assert radius("gaussian_noise", 5) == radius("jpeg_compression", 5) == 0


@pytest.mark.slow
def test_the_script_trains_a_model_and_writes_its_card(shared_data: Path, tmp_path: Path) -> None:
    data = shared_data / "biq2021"
    labels = tmp_path / "ratings" / "labels.csv"
    labels.parent.mkdir()
    pd.read_csv(data / "labels.csv").head(40).to_csv(labels, index=False)
    script = [sys.executable, str(ROOT / "scripts" / "train_quality.py"), "--workers", "2"]
    given = ["--photos", str(data / "images"), "--labels", str(labels), "--folds", "2"]
    subprocess.run([*script, *given, "--out", str(tmp_path)], check=True, capture_output=True)
    with np.load(tmp_path / "quality.npz", allow_pickle=False) as arrays:
        assert set(arrays.files) == set(np.load(MODEL_PATH).files)
    assert "ratings, held-out scenes | 40" in (tmp_path / "quality.md").read_text()


def test_the_model_is_small_and_no_pickle() -> None:
    assert MODEL_PATH.stat().st_size < 5_000_000
    with np.load(MODEL_PATH, allow_pickle=False) as arrays:
        assert all(np.isfinite(arrays[name]).all() for name in arrays.files)
    assert MODEL_PATH.with_suffix(".md").is_file()


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("shape", [(512, 512), (1, 512), (512, 1), (512, 7), (40, 512)])
def test_finite_for_pictures_without_content(level: int, shape: tuple[int, int]) -> None:
    found, blur = quality(np.full((*shape, 3), level, np.uint8))
    assert 0 <= found <= 1
    assert np.isfinite(blur)


def test_another_model_is_another_fingerprint(tmp_path: Path) -> None:
    """Else a cache would give the values of the model that was there before."""
    shutil.copy(MODEL_PATH, tmp_path / "same.npz")
    (tmp_path / "other.npz").write_bytes(MODEL_PATH.read_bytes()[:-1])
    same, other = (identity(tmp_path / f"{name}.npz") for name in ("same", "other"))
    assert (same,) == QUALITY.settings != (other,)


def test_one_pixel_has_a_score() -> None:
    assert 0 <= score(Photo.from_image(np.zeros((1, 1, 3), np.uint8))) <= 1


def test_the_learned_blur_rises_with_blur_and_with_no_other_fault(photo: np.ndarray) -> None:
    def blur(kind: str, level: int) -> float:
        return quality(Photo.from_image(degrade(photo, kind, level)).view("rgb", 512))[1]

    sharp = quality(Photo.from_image(photo).view("rgb", 512))[1]
    rising = [sharp, *(blur("defocus", level) for level in (1, 2, 3, 4))]
    assert rising == sorted(rising)
    assert rising[-1] > 3
    for kind in ("underexposure", "overexposure", "gaussian_noise", "jpeg_compression"):
        assert blur(kind, 3) < 1, kind


def test_the_same_in_any_order_and_thread(photo: np.ndarray) -> None:
    views = [np.ascontiguousarray(np.roll(photo, 40 * n, 1)) for n in range(4)]
    alone = [quality(view) for view in views]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(quality, views[::-1] * 3))
    assert together == alone[::-1] * 3


def test_declared_as_it_is() -> None:
    assert (QUALITY.view, QUALITY.size, QUALITY.columns[0].range) == ("rgb", 512, (0, 1))


def test_saved_again_without_loss_it_is_the_same_photo(photo: np.ndarray) -> None:
    jpeg = io.BytesIO()
    Image.fromarray(photo).save(jpeg, "JPEG", quality=90)
    decoded = Image.open(jpeg)
    assert score(saved(decoded, "PNG")) == pytest.approx(
        score(saved(decoded, "JPEG", quality=90)), abs=0.02
    )


@pytest.fixture(scope="module")
def big_photos(shared_data: Path) -> list[Image.Image]:
    return [
        Image.open(path).convert("RGB") for path in sorted((shared_data / "big").rglob("*.jpg"))
    ]


@pytest.mark.slow
def test_one_photo_saved_at_many_sizes_keeps_its_score(big_photos: list[Image.Image]) -> None:
    spreads = []
    for image in big_photos[:6]:  # the others are the sixth again
        scores = []
        for side in SIZES:
            scale = side / max(image.size)
            size = (round(image.width * scale), round(image.height * scale))
            resized = image.resize(size, Image.Resampling.LANCZOS)
            scores.append(score(saved(resized, quality=92)))
        spreads.append(max(scores) - min(scores))
    assert max(spreads) <= 0.03, spreads


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_degraded_copies_score_lower(kind: str, shared_data: Path) -> None:
    labels = pd.read_csv(shared_data / "mmp2k" / "labels.csv").query("mos >= 65").head(5)
    falls = []
    for number, file in enumerate(labels.file):
        view = Photo.open(next((shared_data / "mmp2k").rglob(file))).view("rgb", 512)
        before = quality(view)[0]
        falls += [before - quality(degrade(view, kind, level, number))[0] for level in (2, 3, 4, 5)]
    assert (np.array(falls) > 0).mean() >= 0.95


def test_the_worst_of_tid2013_are_the_worst(shared_data: Path) -> None:
    scores = {
        path.stem[:3].upper(): score(Photo.open(path))
        for path in (shared_data / "reference" / "tid2013_dist").iterdir()
    }
    assert set(sorted(scores, key=scores.__getitem__)[:2]) == {"I03", "I19"}
