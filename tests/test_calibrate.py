"""Thresholds from labels: known answers, what chosen labels are worth, and what the command writes."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import photorank as pr
from photorank.cli.main import main
from photorank.evaluation.detection import _curve, detection
from photorank.ranking.profiles import Profile
from photorank.training.thresholds import likelihood, likely, threshold, to_label
from photorank.verbs.sensitivity import sensitivity
from photorank.verbs.suggest import suggest

GRAIN = {"noise_level": 5.0}
"""What the network sees in all of them: `noise` alone decides."""


@pytest.fixture
def table() -> pd.DataFrame:
    """400 photos whose noise is known; people call those above 3 noisy, mostly."""
    noise = np.random.default_rng(0).exponential(2, 400)
    return pd.DataFrame({"file": [f"{i}.jpg" for i in range(400)], "noise": noise, **GRAIN})


def labelled(table: pd.DataFrame) -> pd.DataFrame:
    doubt = np.random.default_rng(1).normal(0, 0.4, len(table))
    return pd.DataFrame({"image": table["file"], "noisy": (table["noise"] + doubt > 3) * 1})


def begins(profile: Profile) -> float:
    """The noise from which on a photo is noisy."""
    noise = np.linspace(0, 8, 801)
    table = pd.DataFrame({"file": noise.astype(str), "noise": noise, **GRAIN})
    found = pr.tag(table, saved(profile))
    return float(noise[found["is_noisy"].to_numpy()].min())


def saved(profile: Profile) -> Path:
    import tempfile

    path = Path(tempfile.mkdtemp(), "p.toml")
    path.write_text(profile.as_toml())
    return path


def test_detection_agrees_with_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="needs photorank[demo]")
    rng = np.random.default_rng(0)
    score, label = rng.integers(0, 20, 300) / 20, rng.random(300) < 0.3
    found = detection(score, label, resamples=50)
    assert found["auc"]["value"] == pytest.approx(metrics.roc_auc_score(label, score))
    expected = metrics.average_precision_score(label, score)
    assert found["average_precision"]["value"] == pytest.approx(expected)
    assert found["auc"]["low"] < found["auc"]["value"] < found["auc"]["high"]


def test_detection_without_both_answers_has_no_figure() -> None:
    found = detection([0.1, 0.2, np.nan], [1, 1, 0])
    assert found == {"n": 2, "positives": 2, "auc": None, "average_precision": None}


def test_whole_scenes_are_drawn() -> None:
    rng = np.random.default_rng(0)
    score, label = rng.random(40), np.arange(40) % 2
    many = np.repeat(score, 10) + 0, np.repeat(label, 10)
    alone = detection(score, label)["auc"]
    by_scene = detection(*many, scene=np.repeat(np.arange(40), 10))["auc"]
    assert by_scene["high"] - by_scene["low"] == pytest.approx(
        alone["high"] - alone["low"], rel=0.1
    )


def test_the_cut_of_known_probabilities() -> None:
    score = np.array([0.9, 0.8, 0.7, 0.2])
    right = np.array([1.0, 1.0, 0.0, 1.0])
    assert threshold(score, right, precision=1.0) == (
        pytest.approx(0.75),
        1.0,
        pytest.approx(2 / 3),
    )
    assert threshold(score, right, recall=1.0)[1:] == (0.75, 1.0)
    assert threshold(score, right)[1:] == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    with pytest.raises(
        ValueError, match=r"expected to have a precision of 0\.9; the best has 0\.50"
    ):
        threshold(score, np.full(4, 0.5), precision=0.9)


def test_the_curve_does_not_care_which_scores_were_labelled() -> None:
    rng = np.random.default_rng(0)
    score = rng.random(20_000)
    label = rng.random(20_000) < likely(score, (0.5, 2.0))
    np.testing.assert_allclose(likelihood(score, label), (0.5, 2), atol=0.12)
    some = (score > 0.3) & (score < 0.7)
    np.testing.assert_allclose(likelihood(score[some], label[some]), (0.5, 2), atol=0.25)


def test_a_threshold_moves_to_where_people_see_it(table: pd.DataFrame) -> None:
    found = pr.calibrate(table, labelled(table))
    assert begins(Profile.load("default")) == pytest.approx(0.8, abs=0.02)
    assert begins(found.profile) == pytest.approx(3, abs=0.15)
    row = found.figures.loc["noisy"]
    assert row["auc"]["value"] > 0.98
    assert row["precision"] > 0.85


def test_a_wish_is_kept(table: pd.DataFrame) -> None:
    labels = labelled(table)
    sure = pr.calibrate(table, labels, precision=0.99)
    all_of_them = pr.calibrate(table, labels, recall=0.99)
    truth = labels["noisy"].to_numpy(bool)
    flagged = pr.tag(table, saved(sure.profile))["is_noisy"].to_numpy()
    assert truth[flagged].mean() >= 0.98
    flagged = pr.tag(table, saved(all_of_them.profile))["is_noisy"].to_numpy()
    assert flagged[truth].mean() >= 0.98
    assert begins(sure.profile) > begins(all_of_them.profile)


def test_a_new_version_is_written_and_never_over_an_old_one(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    found = pr.calibrate(table, labelled(table))
    path = found.save(tmp_path / "mine.toml")
    back = Profile.load(path)
    assert back.name == "mine"
    assert re.fullmatch(r"5\+[0-9a-f]{6}", back.version)
    assert back.thresholds == found.profile.thresholds
    assert {tag: back.rules[tag] for tag in back.rules} == dict(Profile.load("default").rules)
    with pytest.raises(ValueError, match="exists, and an old one is never written over"):
        found.save(path)
    (tmp_path / "link.toml").symlink_to(tmp_path / "gone.toml")
    with pytest.raises(ValueError, match="exists, and an old one is never written over"):
        found.save(tmp_path / "link.toml")


def test_a_wish_that_one_tag_cannot_have_does_not_stop_the_others(table: pd.DataFrame) -> None:
    table["contrast"] = np.random.default_rng(2).random(len(table))
    labels = labelled(table)
    labels["low_contrast"] = (
        np.random.default_rng(3).random(len(table)) > table["contrast"] / 2 + 0.25
    )
    labels["low_contrast"] = labels["low_contrast"].astype(int)
    found = pr.calibrate(table, labels, precision=0.95)
    assert list(found.figures.index) == ["noisy"]
    (note,) = found.notes
    assert note.startswith("low_contrast: no threshold is expected to have a precision of 0.95")
    with pytest.raises(ValueError, match="nothing to calibrate: low_contrast: no threshold"):
        pr.calibrate(table, labels.drop(columns="noisy"), precision=0.95)


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (
            {"image": ["1.jpg"], "dusty": [1]},
            {},
            r"a column for each tag .*\(noisy\); these have image",
        ),
        ({"noisy": [1]}, {}, "labels need a column file, path"),
        ({"image": ["1.jpg"], "noisy": [""]}, {}, "nothing to calibrate: no label is filled in"),
        (
            {"image": ["1.jpg"], "noisy": [1]},
            {},
            "noisy: 1 of 1 labels say yes; 3 of each are needed",
        ),
        ({"image": ["x.jpg"], "noisy": [1]}, {}, "no label fits a photo"),
        (
            {"image": ["1.jpg", "2.jpg", "3.jpg"], "noisy": [1, "perhaps", "maybe"]},
            {},
            "yes or no, or empty; 2 are something else, the first: noisy = 'perhaps' for '2.jpg'",
        ),
        ({"image": ["1.jpg"], "noisy": [3]}, {}, "the first: noisy = '3' for '1.jpg'"),
        ({"image": ["1.jpg"], "noisy": [0.5]}, {}, "the first: noisy = '0.5'"),
        ({"image": ["1.jpg"], "noisy": ["x"]}, {}, "the first: noisy = 'x'"),
        ({"image": ["1.jpg"], "noisy": [1]}, {"only": ["nosy"]}, "no tag nosy in this table"),
        ({"image": ["1.jpg"]}, {"only": ["noisy"]}, r"calibrated \(noisy\); these have image"),
        ({}, {"precision": 0.9, "recall": 0.9}, "a precision or a recall, not both"),
        ({}, {"recall": 1.5}, "above 0 and at most 1, got 1.5"),
    ],
)
def test_what_is_wrong_with_labels(
    table: pd.DataFrame, labels: dict[str, list[object]], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        pr.calibrate(table, pd.DataFrame(labels), **options)


def test_copies_are_not_calibrated(table: pd.DataFrame) -> None:
    """Two photos show the same or do not: there is no threshold to move."""
    table["content_hash"] = [f"{i % 300}" for i in range(len(table))]
    labels = labelled(table).assign(exact_duplicate=[0, 1] * 200)
    assert list(pr.calibrate(table, labels).figures.index) == ["noisy"]
    with pytest.raises(ValueError, match=r"that is to be calibrated \(noisy\)"):
        pr.calibrate(table, labels.drop(columns="noisy"))


def test_a_second_calibration_remembers_what_the_first_was_fitted_to(table: pd.DataFrame) -> None:
    table["contrast"] = table["noise"] / 20
    first = pr.calibrate(table, labelled(table))
    low = labelled(table).rename(columns={"noisy": "low_contrast"})
    low["low_contrast"] = (table["contrast"] < 0.2).astype(int)
    second = pr.calibrate(table, low, saved(first.profile))
    assert set(first.profile.columns) == {"noise", "noise_level"}
    assert set(second.profile.columns) == {"noise", "noise_level", "contrast"}


def test_a_photo_without_a_scene_is_one_of_its_own() -> None:
    score, label = np.arange(40) / 40, np.arange(40) % 3 == 0
    alone = detection(score, label, resamples=50)
    assert detection(score, label, [None] * 40, resamples=50) == alone


def test_words_count_as_labels(table: pd.DataFrame) -> None:
    numbers = labelled(table)
    words = numbers.assign(noisy=numbers["noisy"].map({1: "Yes", 0: "no"}))
    first, second = (pr.calibrate(table, some).profile.thresholds for some in (numbers, words))
    assert first == second


def test_of_several_labels_of_a_photo_one_yes_is_enough(table: pd.DataFrame) -> None:
    sure = labelled(table)
    against = sure.assign(noisy=0).iloc[:50]
    found = pr.calibrate(table, pd.concat([sure, against]))
    once = pr.calibrate(table, sure)
    pd.testing.assert_frame_equal(found.figures, once.figures)
    assert found.notes == [*once.notes, "450 labels for 400 photos: the max counts for each photo"]


def test_the_picture_says_what_its_dots_are(table: pd.DataFrame, tmp_path: Path) -> None:
    found = pr.calibrate(table, labelled(table))
    drawn = " ".join(found.plot(tmp_path / "p.svg").read_text().split())
    assert "dots: the new thresholds" in drawn
    assert re.search(r"noisy: 400 labels, \d+ yes, threshold 0\.\d\d", drawn)
    for text in (drawn, found.report()):
        assert "in the whole table" in text


def test_a_curve_begins_where_no_photo_is_flagged() -> None:
    score, positive = np.array([0.2, 0.9, 0.6, 0.4]), np.array([False, True, False, True])
    false, true, precision = _curve(score, positive)
    assert false.tolist() == [0, 0, 0.5, 0.5, 1]
    assert true.tolist() == [0, 0.5, 0.5, 1, 1]
    assert precision[1:].tolist() == [1, 0.5, 2 / 3, 0.5]
    assert np.isnan(precision[0])


def test_only_the_chosen_tags_are_calibrated(
    table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table["contrast"] = 0.4 - table["noise"] / 20
    both = labelled(table).assign(low_contrast=lambda t: t["noisy"])
    assert set(pr.calibrate(table, both).figures.index) == {"low_contrast", "noisy"}
    assert list(pr.calibrate(table, both, only=["noisy"]).figures.index) == ["noisy"]
    table.to_csv("t.csv")
    both.to_csv("l.csv")
    assert main(["calibrate", "t.csv", "--labels", "l.csv", "--tags", "noisy"]) == 0
    assert set(Profile.load("tags-1.toml").thresholds) == {"all", "noisy"}


def test_suggested_photos_are_one_from_each_stratum(table: pd.DataFrame) -> None:
    chosen = suggest(table, 40, only=["noisy"])
    assert list(chosen.columns) == ["file", "noisy"]
    scores = pr.tag(table).set_index("file")["noisy_score"]
    strata = np.array_split(np.sort(scores.to_numpy()), 40)
    drawn = np.sort(scores.loc[chosen["file"]].to_numpy())
    assert all(low[0] <= one <= low[-1] for one, low in zip(drawn, strata, strict=True))
    assert suggest(table, 40, only=["noisy"]).equals(chosen)
    assert not suggest(table, 40, only=["noisy"], seed=1).equals(chosen)
    with pytest.raises(ValueError, match="no tag dusty in this table; there is: noisy"):
        suggest(table, 5, only=["dusty"])
    with pytest.raises(ValueError, match="a whole number from 1 up, got 0"):
        suggest(table, 0)


def test_labels_go_to_a_spreadsheet_and_back(
    table: pd.DataFrame,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    table.to_csv("t.csv", index=False)
    assert main(["calibrate", "t.csv", "--suggest", "60", "--tags", "noisy"]) == 0
    empty = pd.read_csv("to_label-1.csv")
    answers = labelled(table).set_index("image")["noisy"]
    empty.assign(noisy=empty["file"].map(answers)).to_csv("filled.csv", index=False)
    assert main(["calibrate", "t.csv", "--labels", "filled.csv"]) == 0
    printed = capsys.readouterr().out
    assert "--profile tags-1.toml" in printed
    assert begins(Profile.load("tags-1.toml")) == pytest.approx(3, abs=0.5)
    assert Path("results/tags-1_detection.png").stat().st_size > 1000
    assert main(["tag", "t.csv", "--profile", "tags-1.toml"]) == 0
    assert main(["calibrate", "t.csv"]) == 2
    assert "give --labels FILE, --suggest N or --sensitivity" in capsys.readouterr().err


def test_tags_answer_to_their_own_degradation(
    photo_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = pr.extract([photo_file], ["sharpness"], quiet=True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shares = sensitivity(measured)
    assert "degraded copies" in capsys.readouterr().err
    assert shares.loc[("defocus", "5"), "out_of_focus"] == 1
    assert shares.loc[("underexposure", "5"), "underexposed"] == 1
    assert shares.loc[("gaussian_noise", "5"), "noisy"] == 1
    assert shares.loc[("none", "0")].drop(["sharp", "well_exposed"], errors="ignore").sum() == 0


def test_a_stratified_choice_is_worth_more_than_chance() -> None:
    """The share that is tagged comes nearer to that by all labels than with as many drawn blindly."""
    rng = np.random.default_rng(0)
    score = rng.beta(0.6, 1.5, 1000)
    label = rng.random(1000) < likely(score, (0.5, 1.5))

    def off(rows: np.ndarray) -> float:
        cut = threshold(score, likely(score, likelihood(score[rows], label[rows])))[0]
        return float(abs((score >= cut).mean() - label.mean()))

    for number in (20, 50, 100):
        chosen = [off(to_label(score[:, None], number, seed)) for seed in range(50)]
        by_chance = [off(rng.choice(1000, number, replace=False)) for _ in range(50)]
        assert np.mean(chosen) < np.mean(by_chance), number


def test_labels_that_the_score_does_not_follow_are_named(table: pd.DataFrame) -> None:
    """Where it tells nothing at all (AUC .5 or less), the threshold stays."""
    by_chance = {}
    for seed in range(8):
        chance = np.random.default_rng(seed).integers(0, 2, len(table))
        labels = pd.DataFrame({"image": table["file"], "noisy": chance})
        try:
            by_chance[seed] = "; ".join(pr.calibrate(table, labels).notes)
        except ValueError as error:
            by_chance[seed] = str(error)
    said = list(by_chance.values())
    assert any("nothing to calibrate: noisy: its score does not tell" in one for one in said)
    assert any("noisy: its score may not tell these labels apart" in one for one in said)


def test_a_spreadsheet_with_semicolons(table: pd.DataFrame, tmp_path: Path) -> None:
    given = labelled(table)
    assert not pr.calibrate(table, given).notes
    given.to_csv(tmp_path / "l.csv", sep=";", index=False, encoding="utf-8-sig")
    there = pr.calibrate(table, tmp_path / "l.csv").figures
    pd.testing.assert_frame_equal(there, pr.calibrate(table, given).figures)


def test_values_between_tabs(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("file\trating\na b.jpg\t1.5\n")
    assert pr.load(tmp_path / "l.csv").iloc[0].to_list() == ["a b.jpg", 1.5]


def test_decimal_commas_are_numbers(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("file;rating\n1,5.jpg;1,5\nb.jpg;2\n")
    read = pr.load(tmp_path / "l.csv")
    assert read["file"].to_list() == ["1,5.jpg", "b.jpg"]
    assert read["rating"].to_list() == [1.5, 2.0]
