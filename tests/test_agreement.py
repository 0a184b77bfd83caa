"""Agreement with ratings: equal to scipy, intervals that cover, a reason wherever there is no figure."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import optimize, stats

import photorank as pr
from photorank.cli.main import main
from photorank.evaluation.agreement import (
    agreement,
    agreement_by_column,
    as_text,
    fit_logistic,
    logistic,
)
from photorank.evaluation.best_of_scene import best_of_scene
from photorank.evaluation.plots.calibration import calibration, means
from photorank.table.labels import read_labels
from photorank.utils.stats import estimate, scene_draws, scene_numbers, spearman
from photorank.utils.text import WIDTH
from photorank.verbs import evaluate as evaluating

SCIPY = {
    "spearman": lambda x, y: stats.spearmanr(x, y).statistic,
    "pearson": lambda x, y: stats.pearsonr(x, y).statistic,
    "kendall": lambda x, y: stats.kendalltau(x, y, variant="b").statistic,
}


def rated(n: int, scenes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores and ratings that share their scene's level; both in steps, so that some are equal."""
    rng = np.random.default_rng(seed)
    scene = rng.integers(scenes, size=n)
    level = rng.normal(size=scenes)[scene]
    score, rating = level + rng.normal(size=n), 2 * level + rng.normal(size=n)
    return np.round(score, 1), np.round(rating), scene


@pytest.mark.parametrize("name", SCIPY)
@pytest.mark.parametrize("n", [5, 40, 700])
@pytest.mark.parametrize("offset", [0, 1e6])
def test_figures_are_scipy_s(name: str, n: int, offset: float) -> None:
    score, rating, scene = rated(n, n, seed=n)
    found = agreement(score + offset, rating, scene, resamples=1)
    assert found[name]["value"] == pytest.approx(SCIPY[name](score + offset, rating), abs=1e-12)


def test_whole_scenes_are_drawn_and_the_seed_decides_which() -> None:
    scenes = np.array([0, 0, 1, 2, 2, 2])
    counts = np.array(list(scene_draws(scenes, 300, 1)))
    assert (counts[:, 0] == counts[:, 1]).all()
    assert (counts[:, 3] == counts[:, 5]).all()
    assert (counts[:, [0, 2, 3]].sum(axis=1) == 3).all()
    assert counts.mean() == pytest.approx(1, abs=0.1)
    np.testing.assert_array_equal(list(scene_draws(scenes, 300, 1)), counts)
    assert not np.array_equal(list(scene_draws(scenes, 300, 2)), counts)


@pytest.mark.parametrize("name", SCIPY)
def test_the_interval_is_of_scipy_s_figures_on_the_repeated_photos(name: str) -> None:
    score, rating, scene = rated(60, 25)
    theirs = [
        SCIPY[name](np.repeat(score, count), np.repeat(rating, count))
        for count in scene_draws(scene_numbers(scene), 100, 3)
    ]
    found = agreement(score, rating, scene, resamples=100, seed=3)[name]
    expected = np.quantile(theirs, (0.025, 0.975))
    assert [found["low"], found["high"]] == pytest.approx(expected, abs=1e-12)


def test_intervals_by_scene_cover_and_by_photo_do_not() -> None:
    """40 scenes of 5 photos that are nearly equal: the truth, 0, lies in 95 % of good intervals."""
    rng, scene = np.random.default_rng(5), np.repeat(np.arange(40), 5)
    covered = {"scene": 0, "photo": 0}
    for trial in range(100):
        score, rating = rng.normal(size=(2, 40))[:, scene] + 0.3 * rng.normal(size=(2, 200))
        for name, groups in {"scene": scene, "photo": np.arange(200)}.items():
            found, _ = estimate(spearman, (score, rating), groups, 200, trial)
            assert found is not None
            covered[name] += found["low"] <= 0 <= found["high"]  # type: ignore[operator]
    assert covered["scene"] / 100 > 0.89
    assert covered["photo"] / 100 < 0.75


def test_more_photos_give_a_narrower_interval_around_the_value() -> None:
    widths = []
    for n in (50, 500, 5000):
        found = agreement(*rated(n, n), resamples=200)["spearman"]
        assert found["low"] < found["value"] < found["high"]
        widths.append(found["high"] - found["low"])
    assert widths[0] > 2 * widths[1] > 4 * widths[2]


def test_a_known_curve_is_found_again() -> None:
    score = np.random.default_rng(0).uniform(-3, 9, 300)
    truth = {"b1": 80.0, "b2": 10.0, "b3": 2.0, "b4": 0.7}
    fit, _ = fit_logistic(score, logistic(score, **truth))
    assert fit == pytest.approx(truth, rel=1e-4)
    found = agreement(score, logistic(score, **truth), resamples=1)
    assert found["pearson_fitted"]["value"] == pytest.approx(1, abs=1e-8)
    assert found["pearson"]["value"] < 0.97


@pytest.mark.parametrize("direction", [1, -1])
def test_the_curve_is_scipy_s_least_squares(direction: int) -> None:
    rng = np.random.default_rng(1)
    score = rng.normal(5, 2, 400)
    rating = direction * np.tanh(score - 5) + 0.3 * rng.normal(size=400)
    start = [direction, -direction, 5, 1]
    theirs, _ = optimize.curve_fit(lambda s, *b: logistic(s, *b), score, rating, start)
    fit, _ = fit_logistic(score, rating)
    assert fit is not None
    assert list(fit.values()) == pytest.approx([*theirs[:3], abs(theirs[3])], rel=1e-3)


@pytest.mark.parametrize("seed", range(1, 6))
def test_the_curve_is_never_worse_than_a_line_and_knows_no_unit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    score = np.exp(rng.normal(size=80) * seed)
    rating = rng.normal(size=80) - seed * np.log(score + 1) / 4
    found = agreement(score, rating, resamples=1)
    fitted = found["pearson_fitted"]["value"]
    assert fitted >= abs(found["pearson"]["value"]) - 1e-4
    scaled = agreement(1e200 * score, 1e200 * (rating + 7), resamples=1)
    assert scaled["pearson_fitted"]["value"] == pytest.approx(fitted, abs=1e-4)


def test_best_of_scene_by_hand() -> None:
    photos = pd.DataFrame(
        [
            ("right", 0.9, 5.0),
            ("right", 0.5, 3.0),
            ("wrong", 0.9, 1.0),
            ("wrong", 0.5, 3.0),
            ("wrong", 0.1, 2.0),
            ("two share the top score", 0.9, 5.0),
            ("two share the top score", 0.9, 3.0),
            ("two share the top rating", 0.1, 5.0),
            ("two share the top rating", 0.2, 5.0),
            ("two share the top rating", 0.1, 1.0),
            ("too close to call", 0.1, 3.0),
            ("too close to call", 0.2, 2.9),
            ("all equal", 0.1, 3.0),
            ("all equal", 0.2, 3.0),
            ("alone", 0.2, 5.0),
        ],
        columns=["scene", "score", "rating"],
    )
    best = best_of_scene(photos.score, photos.rating, photos.scene)
    assert isinstance(best, dict)
    assert best["n"] == 4
    assert best["value"] == pytest.approx((1 + 0 + 0.5 + 1) / 4)
    assert best["chance"] == pytest.approx((1 / 2 + 1 / 3 + 1 / 2 + 2 / 3) / 4)
    assert best["margin"] == pytest.approx(0.15 * 4)
    strict = best_of_scene(photos.score, photos.rating, photos.scene, margin=0.5)
    loose = best_of_scene(photos.score, photos.rating, photos.scene, margin=0)
    assert isinstance(strict, dict)
    assert isinstance(loose, dict)
    assert (strict["n"], loose["n"]) == (4, 5)
    reason = best_of_scene(photos.score[-5:], photos.rating[-5:], photos.scene[-5:], margin=1)
    assert reason == "no scene of 2 or more photos whose ratings differ by 2.1 or more"
    same = best_of_scene([1, 2], [3, 3], [0, 0])
    assert same == "no scene of 2 or more photos whose ratings differ"


@pytest.mark.parametrize(("right", "n"), [(0, 7), (7, 7), (30, 53)])
def test_the_interval_of_the_best_of_scene_is_wilson_s(right: int, n: int) -> None:
    rating = np.tile([1.0, 0.0], n)
    score = rating.copy()
    score[2 * right :] *= -1
    best = best_of_scene(score, rating, np.repeat(np.arange(n), 2))
    theirs = stats.binomtest(right, n).proportion_ci(method="wilson")
    assert isinstance(best, dict)
    assert (best["low"], best["high"]) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert best["chance"] == 0.5


@pytest.mark.parametrize(
    ("score", "rating", "figure", "reason"),
    [
        ([], [], "spearman", "0 photo(s) with score and rating: correlation needs 3"),
        ([1, 2, np.nan, 4], [4, 3, 2, np.inf], "kendall", "2 photo(s) with score and rating"),
        ([2, 2, 2, 2], [1, 2, 3, 4], "pearson", "score the same for all 4 photos"),
        ([2, 2, 2, 2], [1, 1, 1, 1], "pearson", "score and rating the same for all 4"),
        ([1, 2, 3, 4], [1, 2, 3, 5], "spearman interval", "4 scenes: an interval needs 5"),
        ([1, 2, 3, 4] * 2, range(8), "pearson_fitted", "4 different scores: a fit of 4 parameters"),
        ([0] * 30 + [1], range(31), "spearman interval", "the same for all photos in"),
        (1 + 1e-15 * np.arange(9), range(9), "pearson", "too nearly constant"),
        (1 + 1e-15 * np.arange(9), range(9), "pearson_fitted", "score or rating is too nearly"),
        (range(9), range(9), "best_of_scene", "no scene of 2 or more photos"),
    ],
)
def test_what_cannot_be_had_has_a_reason_and_no_warning(
    score: Any, rating: Any, figure: str, reason: str
) -> None:
    found = agreement(score, list(rating), resamples=100)  # the tests make warnings errors
    assert found["absent"][figure].startswith(reason)
    name = figure.removesuffix(" interval")
    assert found[name] is None or found[name]["low"] is None
    assert found["absent"][figure] in " ".join(as_text(found).split())  # it may be wrapped
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rating": [1, 2]}, r"one value per photo each; their shapes are \(3,\), \(2,\)"),
        ({"scene": ["a"]}, r"one value per photo each"),
        ({"resamples": 0}, "resamples is a whole number from 1 up, got 0"),
        ({"margin": 15}, "margin is a share of the ratings' range from 0 to 1, got 15"),
    ],
)
def test_wrong_arguments(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        agreement(**{"score": [1, 2, 3], "rating": [1, 2, 4]} | wrong)


def test_a_photo_without_a_scene_stands_alone() -> None:
    score, rating, _ = rated(40, 40)
    named = agreement(score, rating, ["a"] * 10 + [None] * 15 + [float("nan")] * 15, resamples=50)
    assert named["scenes"] == 31
    assert agreement(score, rating, resamples=50)["scenes"] == 40


def test_columns_in_order_of_strength_each_against_its_direction() -> None:
    rng = np.random.default_rng(0)
    rating = rng.normal(size=300)
    some = rating + rng.normal(size=300)
    columns = pd.DataFrame(
        {
            "noise": -some,
            "wrong": -rating - 0.1 * some,
            "size": some - rating / 2,
            "dice": rng.normal(size=300),
            "flat": 1.0,
            "half": np.where(np.arange(300) < 150, some, np.nan),
        }
    )
    better = {"noise": "lower", "size": "neither"}
    rows = agreement_by_column(columns, rating, better=better, resamples=200)
    by_name = {row["column"]: row for row in rows}
    assert rows[0]["column"] == "wrong"
    assert [row["column"] for row in rows[-2:]] == ["dice", "flat"]
    assert by_name["noise"]["spearman"] == pytest.approx(stats.spearmanr(-some, rating).statistic)
    assert {n: r["verdict"] for n, r in by_name.items()} == {
        "noise": "agrees",
        "wrong": "contradicts",
        "size": "related",
        "dice": "unclear",
        "half": "agrees",
        "flat": "column the same for all 300 photos",
    }
    assert (by_name["half"]["n"], by_name["size"]["n"]) == (150, 300)


def test_means_are_those_of_equal_parts_in_order_of_the_score() -> None:
    rating = np.arange(100.0)
    parts = means(-rating, rating)
    np.testing.assert_allclose(parts[:, 1], np.arange(94.5, 0, -10))
    np.testing.assert_allclose(parts[:, 0], -parts[:, 1])
    np.testing.assert_allclose(parts[:, 2], 1.96 * np.std(np.arange(10), ddof=1) / np.sqrt(10))
    assert len(means(rating[:35], rating[:35])) == 3


@pytest.mark.parametrize("n", [1, 2, 3, 40])
def test_a_calibration_plot_of_any_number_of_photos(n: int, tmp_path: Path) -> None:
    score, rating, scene = rated(40, 20)
    score, rating, scene = np.append(score[:n], np.nan), np.append(rating[:n], 1), scene[: n + 1]
    found = agreement(score, rating, np.resize(scene, n + 1), resamples=20)
    calibration(score, rating, found, tmp_path / "c.png", "a$^$b")
    with Image.open(tmp_path / "c.png") as picture:
        assert picture.size == (900, 620)


@pytest.fixture(scope="module")
def shoot(tmp_path_factory: pytest.TempPathFactory, photo: np.ndarray) -> Path:
    """Three crops, each as it is and with rising noise, ranked; and ratings that know it."""
    folder = tmp_path_factory.mktemp("shoot")
    (folder / "photos").mkdir()
    labels = []
    rng = np.random.default_rng(0)
    for scene in range(3):
        crop = photo[100 * scene : 100 * scene + 300, :300].astype(float)
        for level in range(4):
            noisy = crop + 12 * level * rng.normal(size=crop.shape)
            name = f"{scene}{level}.png"
            Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / "photos" / name)
            labels.append({"file": name, "stars": 5 - level, "scene": f"s{scene}{level // 2}"})
    pd.DataFrame([*labels, {"file": "gone.png", "stars": 1}]).to_csv(folder / "stars.csv")
    pr.save(pr.rank(folder / "photos", aesthetic="none", weights="noise=1"), folder / "shoot.csv")
    return folder


def test_evaluate_with_labels(shoot: Path) -> None:
    table = pr.load(shoot / "shoot.csv")
    plain = pr.evaluate(table)
    judged = pr.evaluate(shoot / "shoot.csv", labels=shoot / "stars.csv")
    found = judged.pop("agreement")
    assert judged == plain
    assert "agreement" not in plain
    assert (found["n"], found["scenes"]) == (12, 6)  # near-duplicates would be fewer
    assert found["notes"] == ["1 of 13 labels without a photo: 'gone.png'"]
    stars = 5 - table["file"].str[1].astype(int)
    expected = stats.spearmanr(table["final_score"], stars).statistic
    assert found["spearman"]["value"] == pytest.approx(expected, abs=1e-12)
    assert found["best_of_scene"]["n"] == 6
    names = [row["column"] for row in found["columns"]]
    assert {"final_score", "noise", "sharpness", "brightness"} < set(names)
    assert not [name for name in names if name.endswith(("_norm", "_contribution"))]
    assert not {"rank", "phash", "dup_group"} & set(names)


def test_a_rating_that_is_a_column_is_not_judged_by_itself(shoot: Path) -> None:
    table = pr.load(shoot / "shoot.csv")
    table["stars"] = range(12)
    found = pr.evaluate(table, labels=table[["file", "stars"]])["agreement"]
    assert "stars" not in [row["column"] for row in found["columns"]]
    by_hash = pr.evaluate(table, labels=table[["file", "stars"]])["agreement"]
    assert by_hash["scenes"] == table["dup_group"].nunique() < 6
    bare = table.drop(columns=["dup_group", "taken_at"])
    alone = pr.evaluate(bare, labels=table[["file", "stars"]])["agreement"]
    assert alone["scenes"] == 12
    assert "each photo counts as a scene" in alone["notes"][0]


def test_photos_without_a_score_are_left_out(shoot: Path) -> None:
    table = pr.load(shoot / "shoot.csv")
    table.loc[table.index[:2], "final_score"] = np.nan
    assert pr.evaluate(table, labels=shoot / "stars.csv")["agreement"]["n"] == 10
    with pytest.raises(ValueError, match="no photo in this table was ranked: nothing to compare"):
        pr.evaluate(table.assign(error="truncated"), labels=shoot / "stars.csv")


def test_the_command(
    shoot: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    flags = ["--labels", str(shoot / "stars.csv"), "--top_k", "3"]
    assert main(["evaluate", str(shoot / "shoot.csv"), *flags]) == 0
    out = capsys.readouterr().out
    found = json.loads(Path("results/evaluation_shoot.json").read_text())
    assert found.pop("made_by") == "photorank evaluate"
    assert found == pr.evaluate(shoot / "shoot.csv", shoot / "stars.csv")
    assert max(map(len, out.splitlines()[:-2])) <= WIDTH  # the last two: a file, and JSON
    assert "agreement with ratings: 12 photos, 6 scenes" in out
    assert "note: 1 of 13 labels without a photo: 'gone.png'" in out
    for picture in ("results/shoot_calibration.png", "output/topk_images/shoot/disagreements.jpg"):
        assert f"look at {picture}" in out
        with Image.open(picture) as image:
            assert image.width > 600
    other = tmp_path / "other.csv"
    other.write_text("file,stars\nnone.jpg,3\n")
    assert main(["evaluate", str(shoot / "shoot.csv"), "--labels", str(other)]) == 2
    assert "no label fits a photo" in capsys.readouterr().err
    other.write_text("file,stars\nC:\\photos\\11.PNG,3\n")
    assert main(["evaluate", str(shoot / "shoot.csv"), "--labels", str(other)]) == 2
    assert "the photos are named like '11.png'" in capsys.readouterr().err
    other.write_text("file,stars\n" + "".join(f"{name}.png,3\n" for name in ("00", "11", "22")))
    assert main(["evaluate", str(shoot / "shoot.csv"), "--labels", str(other)]) == 0
    assert "disagreements" not in capsys.readouterr().out


def test_the_worst_disagreements_come_first_with_both_ranks(
    shoot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table = pr.load(shoot / "shoot.csv")
    stars = pd.DataFrame({"file": table["file"], "stars": np.arange(12, 0, -1)})
    stars.loc[[1, 9], "stars"] = stars.loc[[9, 1], "stars"].to_numpy()
    worst = evaluating._furthest_apart(evaluating._rated(table, read_labels(stars))[0])
    assert worst["rank"].tolist()[:2] == [2, 10]
    second, tenth = table["file"].iloc[[1, 9]]
    assert worst["file"].tolist()[:2] == [f"10 by rating · {second}", f"2 by rating · {tenth}"]


def test_one_scene_is_no_scenes() -> None:
    text = as_text(agreement([1, 2], [1, 2], ["a", "a"]))
    assert text.startswith("agreement with ratings: 2 photos, 1 scene\n")
    assert "a scene's best is found; chance 0.500, 1 scene" in text
    assert "1 photo, 1 scene\n" in as_text(agreement([1], [1]))


def test_real_ratings(shared_data: Path) -> None:
    """3,200 photos and 1,000 resamples, without a warning, as scipy computes the value."""
    labels = pd.read_csv(shared_data / "biq2021" / "labels.csv")
    score = labels["mos"] + np.random.default_rng(0).normal(0, 0.2, len(labels))
    with warnings.catch_warnings(action="error"):
        found = agreement(score, labels["mos"], labels["scene"])
    assert (found["n"], found["scenes"], found["best_of_scene"]["n"]) == (3200, 3019, 53)
    expected = stats.spearmanr(score, labels["mos"]).statistic
    assert found["spearman"]["value"] == pytest.approx(expected, abs=1e-12)
    assert found["best_of_scene"]["low"] > found["best_of_scene"]["chance"]


def test_too_few_ratings_for_any_column_are_not_said_for_each() -> None:
    few = pd.DataFrame({"a": [1.0, 2.0], "b": [2.0, 1.0]})
    found = agreement([1, 2], [1, 2]) | {"columns": agreement_by_column(few, [1, 2])}
    assert "each column's order" not in as_text(found)
