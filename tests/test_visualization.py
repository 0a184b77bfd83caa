"""Histograms and montages: what is drawn is what was given, whatever its size, shape and name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from photorank.evaluation.plots import lettering
from photorank.evaluation.plots.lettering import fitted, with_font
from photorank.evaluation.plots.montage import Caption, montage
from photorank.evaluation.visualization import histograms, without_strays

RED, GREEN, BLUE = (200, 30, 30), (30, 160, 30), (30, 30, 200)
FEATURE = (138, 143, 152)  # the bars of a measured column


def flat(colour: tuple[int, int, int], height: int = 60, width: int = 80) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


def drawn(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def where(picture: np.ndarray, colour: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns in which the colour occurs."""
    hit = (np.abs(picture - colour) < 12).all(axis=2)
    return np.flatnonzero(hit.any(axis=1)), np.flatnonzero(hit.any(axis=0))


@pytest.fixture
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "file": [f"{i}.jpg" for i in range(50)],
            "final_score": rng.random(50),
            "sharpness": np.exp(rng.normal(3, 2, 50)),
            "clipped": 0.0,
            "face_present": rng.integers(0, 2, 50).astype(float),
            "error": None,
        }
    )


def test_a_histogram_leaves_failed_photos_out(table: pd.DataFrame, tmp_path: Path) -> None:
    failed = pd.DataFrame({"file": ["x"], "final_score": [np.nan], "error": ["truncated"]})
    histograms(table, tmp_path / "good.png", title="a")
    histograms(pd.concat([table, failed.assign(sharpness=1e9)]), tmp_path / "all.png", title="a")
    assert np.array_equal(drawn(tmp_path / "good.png"), drawn(tmp_path / "all.png"))
    assert drawn(tmp_path / "good.png").shape[1] == 1200


def test_one_more_column_is_one_more_picture(table: pd.DataFrame, tmp_path: Path) -> None:
    names = ["sharpness", "clipped", "face_present", "no such column"]
    declared = [{"name": n, "better": "higher", "unit": "8-bit levels"} for n in names]
    histograms(table, tmp_path / "3.png", declared)
    more = [*declared, {"name": "final_score", "heavy_tailed": True}]
    histograms(table, tmp_path / "4.png", more)
    assert drawn(tmp_path / "4.png").shape[0] > drawn(tmp_path / "3.png").shape[0]


def test_text_is_not_drawn_even_where_it_reads_like_a_number(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    hashes = ["9fee256238984d71"] * 48 + ["8080008080000000", "12345e0000000000"]
    columns = [{"name": "sharpness"}, {"name": "phash"}]
    histograms(table.assign(phash=hashes), tmp_path / "hash.png", columns)
    histograms(table, tmp_path / "none.png", columns)
    assert np.array_equal(drawn(tmp_path / "hash.png"), drawn(tmp_path / "none.png"))


@pytest.mark.parametrize("heavy", [True, False])
@pytest.mark.parametrize(
    "values",
    [[0.5], [7.0], [3.25] * 9, [-5.0, -5.5], [0, 0, 1e9], [1e-12, 2e-12], [np.inf, 1, None]],
)
def test_any_values_can_be_drawn(values: list[float], heavy: bool, tmp_path: Path) -> None:
    odd = pd.DataFrame({"final_score": values, "x": values})
    histograms(odd, tmp_path / "odd.png", [{"name": "x", "heavy_tailed": heavy}], title="a$^$b")
    assert len(where(drawn(tmp_path / "odd.png"), FEATURE)[0])


def test_histograms_need_scores(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"column 'final_score'; this one has file"):
        histograms(pd.DataFrame({"file": []}), tmp_path / "x.png")


def test_drawing_leaves_pyplot_alone() -> None:
    code = "import sys, photorank.evaluation.visualization; sys.exit('matplotlib.pyplot' in sys.modules)"
    root = Path(__file__).resolve().parent.parent
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


def test_photos_stand_in_reading_order(tmp_path: Path) -> None:
    captions = [Caption(f"{i}.jpg", i + 1, 0.5) for i in range(3)]
    montage(map(flat, (RED, GREEN, BLUE)), captions, tmp_path / "m.png", width=500)
    picture = drawn(tmp_path / "m.png")
    red, green, blue = (where(picture, colour) for colour in (RED, GREEN, BLUE))
    assert picture.shape[1] <= 500
    assert red[1].max() < green[1].min()
    assert np.array_equal(red[0], green[0])
    assert red[0].max() < blue[0].min()
    assert np.array_equal(red[1], blue[1])


@pytest.mark.parametrize(("height", "width"), [(1, 2000), (2000, 1), (1, 1), (3000, 4000)])
def test_photos_of_any_shape_are_seen_whole(height: int, width: int, tmp_path: Path) -> None:
    montage([flat(RED, height, width)], [Caption("a.jpg")], tmp_path / "m.png")
    rows, columns = where(drawn(tmp_path / "m.png"), RED)
    longer = max(len(rows) / 177, len(columns) / 236)
    assert longer == pytest.approx(1, abs=0.05)
    if min(height, width) > 1:
        assert len(columns) / len(rows) == pytest.approx(width / height, rel=0.05)


def test_grey_photos_and_lost_ones(tmp_path: Path) -> None:
    grey = np.full((60, 80), 40, np.uint8)
    for name in ("m.png", "m.jpg"):
        montage([grey, None], [Caption("a.jpg"), Caption("b.jpg")], tmp_path / name, "two", 600)
    assert drawn(tmp_path / "m.jpg").shape == drawn(tmp_path / "m.png").shape
    columns = where(drawn(tmp_path / "m.png")[60:100], (40, 40, 40))[1]
    assert len(columns) > 200
    written = where(drawn(tmp_path / "m.png")[60:100], (0x6B, 0x6B, 0x70))[1]  # "cannot be opened"
    assert written.min() > columns.max()


def test_a_group_has_a_badge(tmp_path: Path) -> None:
    for n in (1, 2):
        montage([flat(RED)], [Caption("a.jpg", photos=n)], tmp_path / f"{n}.png")
    changed = np.argwhere((drawn(tmp_path / "1.png") != drawn(tmp_path / "2.png")).any(axis=2))
    height, width = drawn(tmp_path / "1.png").shape[:2]
    assert changed[:, 0].max() < height / 3
    assert changed[:, 1].min() > width / 2


@pytest.mark.parametrize(
    ("images", "captions", "options", "message"),
    [
        ([], [], {}, "at least one photo"),
        (
            [flat(RED).astype(float)],
            [Caption("a")],
            {},
            r"uint8 arrays .*, got float64 \(60, 80, 3\)",
        ),
        ([flat(RED)], [Caption("a")], {"width": 50}, "at least 120 pixels wide, got 50"),
        ([], [Caption("a")] * 2000, {"width": 200}, "more than a JPEG can be: take fewer"),
    ],
)
def test_montages_that_cannot_be_made(
    images: list[np.ndarray],
    captions: list[Caption],
    options: dict[str, int],
    message: str,
    tmp_path: Path,
) -> None:
    with pytest.raises(ValueError, match=message):
        montage(images, captions, tmp_path / "m.jpg", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "m.jpg").exists()


def test_long_names_keep_both_ends_and_fit() -> None:
    text, font = fitted("beginning " + "x" * 5000 + " end.jpeg", 13, 236)
    assert font.getlength(text) <= 236
    assert (text[:9], text[-8:]) == ("beginning", "end.jpeg")
    assert fitted("IMG_1234.jpg", 13, 236)[0] == "IMG_1234.jpg"
    assert fitted("IMG_1234.jpg", 13, 1)[0] == "…"


def test_letters_that_no_font_has_become_squares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lettering, "_east_asian_fonts", tuple)
    assert with_font("\u6771\u4eac-\u0416.jpg")[0] == "\u25a1\u25a1-\u0416.jpg"
    assert with_font("a\nb\udcff")[0] == r"a\nb\udcff"


def test_one_value_far_out_leaves_the_others_their_bars() -> None:
    values = np.append(np.linspace(1, 3, 39), 312)
    np.testing.assert_array_equal(without_strays(values), values[:-1])
    for kept in (values[:-1], np.full(9, 2.0), np.empty(0)):
        np.testing.assert_array_equal(without_strays(kept), kept)
