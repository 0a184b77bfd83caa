"""Tuning: planted weights are found, noise is not, and what is reported was never tuned on."""

from __future__ import annotations

import json
import logging
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats import spearmanr

import photorank as pr
from photorank import models
from photorank.cli.main import main
from photorank.ranking.dedup import scenes
from photorank.table.labels import match_labels
from photorank.training.copies import choose
from photorank.training.folds import Fold, scene_folds
from photorank.training.weights.held_out import COLUMN, CONTROL, TUNED, judge, seen_by
from photorank.training.weights.search import Pairs, Ratings, kind_folds, tune_weights
from photorank.verbs.tuned import Tuned

N = 240
PLANTED = {"a": 0.6, "b": 0.4, "c": 0.0}


def table(seed: int = 0, n: int = N) -> pd.DataFrame:
    """A foreign table of three columns."""
    values = np.random.default_rng(seed).random((n, len(PLANTED)))
    files = [f"day{i % 3}/{i}.jpg" for i in range(n)]
    return pd.DataFrame(values, columns=list(PLANTED)).assign(file=files)


def labels(t: pd.DataFrame, noise: float = 0.05, seed: int = 1) -> pd.DataFrame:
    """Ratings by the planted weights, four photos a scene."""
    rating = sum(share * t[name] for name, share in PLANTED.items())
    rating = rating + noise * np.random.default_rng(seed).normal(size=len(t))
    return pd.DataFrame({"file": t["file"], "stars": rating, "scene": np.arange(len(t)) // 4})


def row(tuned: Tuned, contestant: str) -> pd.Series:
    return tuned.held_out.set_index("contestant").loc[contestant]


def tune(t: pd.DataFrame, rated: pd.DataFrame, **options: object) -> Tuned:
    return pr.tune(t, labels=rated, quiet=True, **{"trials": 25, **options})


@pytest.fixture(scope="module")
def planted() -> Tuned:
    return tune(table(), labels(table()), trials=60)


def test_planted_weights_are_found(planted: Tuned) -> None:
    assert sum(planted.weights.values()) == pytest.approx(1, abs=1e-3)
    for name, share in PLANTED.items():
        assert planted.weights.get(name, 0) == pytest.approx(share, abs=0.1)
    assert "better than default weights" in planted.verdict
    assert "no better" not in planted.verdict


def test_the_interval_holds_what_new_photos_show(planted: Tuned) -> None:
    """40,000 photos that nobody tuned on, scored by the same weights."""
    new = table(seed=5, n=40_000)
    score = sum(new[name] * share for name, share in planted.weights.items())
    truth = spearmanr(score, labels(new, seed=6)["stars"]).statistic
    assert row(planted, TUNED)["low"] <= truth <= row(planted, TUNED)["high"]
    alone = spearmanr(new["a"], labels(new, seed=6)["stars"]).statistic
    assert row(planted, COLUMN)["low"] <= alone <= row(planted, COLUMN)["high"]


def test_everything_is_judged_on_all_rated_photos(planted: Tuned) -> None:
    assert planted.held_out["contestant"].tolist() == [TUNED, "default", "equal", COLUMN, CONTROL]
    assert (planted.held_out["n"] == N).all()
    assert planted.record["scenes"] == N // 4
    differences = planted.differences.set_index("baseline")["value"]
    for name, value in differences.items():
        expected = row(planted, TUNED)["value"] - row(planted, str(name))["value"]
        assert value == pytest.approx(expected)


def test_shuffled_ratings_teach_nothing(planted: Tuned) -> None:
    assert abs(row(planted, CONTROL)["value"]) < 3 / np.sqrt(N)


def test_on_pure_noise_tuning_is_no_better() -> None:
    t = table()
    noise = labels(t).assign(stars=np.random.default_rng(9).normal(size=N))
    found = tune(t, noise)
    assert "no better than default weights" in found.verdict
    assert abs(row(found, TUNED)["value"]) < 3 / np.sqrt(N)


def test_the_same_seed_gives_the_same_result() -> None:
    t, rated = table(n=60), labels(table(n=60))
    first, second, other = (tune(t, rated, trials=12, seed=seed) for seed in (3, 3, 4))
    assert first.weights == second.weights
    pd.testing.assert_frame_equal(first.held_out, second.held_out)
    assert not first.held_out.equals(other.held_out)


def test_no_scene_is_on_both_sides() -> None:
    groups = np.random.default_rng(0).integers(0, 40, 200)
    folds = scene_folds(groups, 5, seed=1)
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(200))
    for fold in folds:
        assert not set(groups[fold.train]) & set(groups[fold.test])
        assert 38 <= len(fold.test) <= 42
    with pytest.raises(ValueError, match="at least as many scenes"):
        scene_folds(np.zeros(10), 2, seed=0)


def test_tuning_never_sees_the_rows_it_is_judged_on() -> None:
    """Changing the answers of the test rows leaves the weights of that fold alone."""
    rng = np.random.default_rng(0)
    x, groups = rng.random((100, 3)), np.arange(100) // 2
    folds = scene_folds(groups, 2, seed=0)
    ratings = x[:, 0] + 0.1 * rng.normal(size=100)
    turned = ratings.copy()
    turned[folds[0].test] *= -1
    before, after = (
        judge(Ratings(x, r, groups), folds, folds, {"equal": np.full(3, 1 / 3)}, 12, 0).by_fold
        for r in (ratings, turned)
    )
    for name in before:
        np.testing.assert_array_equal(before[name][0], after[name][0])
    assert (before[TUNED][1] != after[TUNED][1]).any()


def test_agreement_is_spearmans() -> None:
    rng = np.random.default_rng(0)
    scores, ratings = rng.integers(0, 9, 80) / 7, rng.integers(0, 5, 80).astype(float)
    task = Ratings(scores[:, None], ratings, np.arange(80))
    found = task.agreement(scores, np.arange(80))
    assert found == pytest.approx(spearmanr(scores, ratings).statistic, abs=1e-12)
    assert task.agreement(np.ones(80), np.arange(80)) == 0
    assert np.isnan(task.agreement(scores, np.array([3, 3])))


def test_pairs_count_ties_half() -> None:
    ahead = np.array([1.0, -1.0, 0.0, 1e-12])
    pairs = Pairs(ahead[:, None], np.array(["x"] * 4), np.ones(4), np.arange(4))
    assert pairs.agreement(ahead, np.arange(4)) == 0.5
    assert pairs.agreement(ahead, np.array([0, 2])) == 0.75


def made_pairs() -> Pairs:
    """Three kinds: column 0 sees `dull`, column 1 sees `noisy`, and nothing sees `hidden`."""
    rng = np.random.default_rng(0)
    kinds = np.tile(["dull", "noisy", "hidden"], 40)
    values = 0.02 * rng.normal(size=(120, 2))
    values[kinds == "dull", 0] += 0.5
    values[kinds == "noisy", 1] += 0.5
    return Pairs(values, kinds, np.full(120, 2), np.repeat(np.arange(40), 3))


def test_a_kind_is_judged_by_weights_that_saw_neither_it_nor_its_photos() -> None:
    pairs = made_pairs()
    for fold in kind_folds(pairs, seed=0):
        (kind,) = set(pairs.kinds[fold.test])
        assert kind not in pairs.kinds[fold.train]
        assert not set(pairs.groups[fold.train]) & set(pairs.groups[fold.test])


def test_swapped_pairs_are_half_of_each_scene() -> None:
    """Weights that see everything are then at chance, and not where the coins fell."""
    pairs = Pairs(np.ones((160, 1)), np.repeat("x", 160), np.ones(160), np.arange(160) // 16)
    swapped = pairs.shuffled(0)
    for scene in range(10):
        assert swapped.agreement(swapped.values[:, 0], np.flatnonzero(pairs.groups == scene)) == 0.5
    assert (swapped.values != pairs.shuffled(1).values).any()


def test_a_kind_that_no_column_sees_is_told() -> None:
    seen = seen_by(made_pairs(), ["first", "second"], seed=0).set_index("kind")
    assert seen.loc["dull", "column"] == "first"
    assert seen.loc["noisy", "column"] == "second"
    assert seen.loc["dull", "low"] == 1
    assert seen.loc["hidden", "low"] <= 0.5


def test_the_report_names_a_kind_that_nothing_sees(planted: Tuned) -> None:
    seen = pd.DataFrame({"kind": ["dull", "hidden"], "column": "a", "low": [0.2, 0.0]})
    cells = pd.DataFrame({"cell": ["dull 2", "hidden 2"], "n": 9})
    report = replace(planted, cells=cells, seen=seen).report()
    assert "no single column sees hidden" in report
    assert "no single column sees dull" not in report


def test_starts_are_tried_so_that_tuning_does_not_fall_behind_them() -> None:
    x = np.random.default_rng(0).random((200, 6))
    best = np.array([0.5, 0.3, 0.2, 0, 0, 0])
    task = Ratings(x, x @ best, np.arange(200))
    rows = Fold(np.arange(200), np.arange(0)).train
    found = tune_weights(task, rows, [best], trials=3, seed=0)
    assert task.agreement(x @ found, rows) > 0.999


def test_labels_match_names_in_any_form_of_unicode() -> None:
    """A Mac takes letters and accents apart; a name that is there as it is spelt is that one."""
    one, two = "Caf\u00e9.jpg", "Cafe\u0301.jpg"
    mixed = "\u00e9e\u0301.jpg"

    def matched(files: list[str], names: list[str]) -> list[int]:
        photos = pd.DataFrame({"file": files, "path": [f"/photos/{file}" for file in files]})
        labels = pd.DataFrame({"file": names, "rating": range(len(names))})
        return match_labels(labels, photos)[0].index.to_list()

    assert matched([one], [two]) == matched([two], [one]) == [0]
    assert matched([two], [f"photos/{one}"]) == [0]
    assert matched([one, two], [two, one]) == [1, 0]
    both = [unicodedata.normalize(form, mixed) for form in ("NFC", "NFD")]
    with pytest.raises(ValueError, match="1 of 1 labels could be several photos"):
        matched(both, [mixed])


def test_labels_are_matched_counted_and_named() -> None:
    t = table()
    rated = labels(t)
    rated["file"] = [name if i % 2 else name.split("/")[1] for i, name in enumerate(rated["file"])]
    t.loc[N] = [0.5, 0.5, 0.5, "other/7.jpg"]
    t.loc[N + 1] = [
        0.5,
        0.5,
        0.5,
        "11.jpg",
    ]  # named wholly by a label that day2/11.jpg ends with too
    odd = pd.DataFrame({"file": ["gone.jpg", "7.jpg", "8.jpg", "11.jpg"], "stars": [1, 1, None, 1]})
    found = tune(t, pd.concat([rated, odd]), trials=2)
    assert found.record["photos"] == N + 1
    assert found.notes[:3] == [
        f"1 of {N + 4} labels without a photo: 'gone.jpg'",
        f"1 of {N + 4} labels could be several photos: '7.jpg'",
        f"1 of {N + 4} labels without a number as rating: '8.jpg'",
    ]


def test_the_rating_in_the_table_itself_is_not_weighed() -> None:
    t = table(n=60)
    rated = labels(t)
    found = tune(t.assign(stars=rated["stars"], scene=rated["scene"]), rated, trials=2)
    assert set(found.by_fold) == set(PLANTED)


def rated(n: int = 60, **columns: object) -> pd.DataFrame:
    return labels(table(n=n)).assign(**columns)


@pytest.mark.parametrize(
    ("photos", "given", "message"),
    [
        (
            table(n=60),
            rated(file="x.jpg"),
            "no label fits a photo: 60 of 60 labels without a photo",
        ),
        (
            table(n=60),
            rated(stars="62%"),
            r"60 labels is a number \(column 'stars'; the first is '62%'",
        ),
        (table(n=60), rated(stars=None), r"a number \(column 'stars'; all are empty\)"),
        (table(n=60), rated(scene=1), "rated photos: 1 scene; .* 5 or more"),
        (table(n=60), rated(stars=3), "all 60 ratings are 3: nothing to learn"),
        (table(n=1), rated(1), "ratings for 1 of the photos: tuning needs 10 or more"),
        (table(n=60).assign(a=1.0, b=1.0, c=1.0), rated(), "every column is the same for all 60"),
        (
            table(n=60).assign(a=np.nan, b=np.nan, c=np.nan),
            rated(),
            "no numeric column|has a value",
        ),
        (table(n=60)[["file"]], rated(), "no numeric column to rank by"),
        (table(n=60), rated().rename(columns={"stars": "x"}), "labels need a column rating, mos"),
        (table(n=60), rated().rename(columns={"file": "x"}), "labels need a column file, path"),
    ],
)
def test_what_cannot_be_tuned_says_why(
    photos: pd.DataFrame, given: pd.DataFrame, message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        tune(photos, given, trials=2)
    assert "\n" not in str(caught.value)


def test_wrong_arguments_say_why() -> None:
    with pytest.raises(ValueError, match="trials is a whole number from 1 up, got 0"):
        tune(table(n=60), rated(), trials=0)
    with pytest.raises(ValueError, match="no ranked column 'aa'; did you mean a"):
        tune(table(n=60), rated(), columns=["aa"])


def test_saved_weights_rank_as_the_result_does(planted: Tuned, tmp_path: Path) -> None:
    path = planted.save(tmp_path / "best.json")
    written = json.loads(path.read_text())
    assert written["verdict"] == planted.verdict
    assert written["held_out"][0]["contestant"] == TUNED
    by_file = pr.rank(table(), weights=str(path))["final_score"]
    by_result = pr.rank(table(), weights=planted)["final_score"]
    np.testing.assert_array_equal(by_file, by_result)
    planted.save(path)  # its own file may be replaced


def test_a_file_of_someone_else_is_left_alone(planted: Tuned, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text('{"sharpness": 1}')
    with pytest.raises(ValueError, match="exists and is no weights file of photorank"):
        planted.save(path)
    assert path.read_text() == '{"sharpness": 1}'


def test_the_plot_is_a_picture(planted: Tuned, tmp_path: Path) -> None:
    with Image.open(planted.plot(tmp_path / "new" / "plot.png")) as image:
        assert image.format == "PNG"
        assert np.asarray(image.convert("L")).std() > 10


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, photo: np.ndarray) -> Path:
    """Six different views of one photograph, small."""
    folder = tmp_path_factory.mktemp("shoot")
    for i in range(6):
        top, left = 60 * (i // 3), 90 * (i % 3)
        view = np.rot90(photo[top : top + 240, left : left + 300], i)
        Image.fromarray(view).save(folder / f"{i}.png")
    return folder


FEATURES = ["sharpness", "noise", "phash"]


def test_without_labels_copies_of_the_photos_teach(folder: Path) -> None:
    t = pr.rank(folder, features=[*FEATURES, "contrast"], quiet=True)
    (folder / "5.png").rename(folder / "away")
    other = (folder / "4.png").read_bytes()
    (folder / "4.png").write_bytes((folder / "3.png").read_bytes())
    found = pr.tune(t, trials=4, features=FEATURES, dedup="off", quiet=True)
    (folder / "away").rename(folder / "5.png")
    (folder / "4.png").write_bytes(other)
    assert "1 of 5 photos are no longer as they were measured" in found.notes[2]
    assert "not weighed: contrast" in found.notes[0]
    assert "1 of 6 photos are no longer there" in found.notes[1]
    assert list(found.by_fold) == ["sharpness", "noise"]
    assert found.record["photos"] == 5
    assert (found.held_out["n"] == 80).all()
    assert set(found.cells["n"]) == {5}
    cells = found.cells.set_index("cell")
    assert cells.loc["gaussian_noise 4", TUNED] == 1
    assert cells.loc["defocus 4", COLUMN] == 1  # sharpness alone; noise falls with blur
    seen = found.seen.set_index("kind")
    assert seen.loc["defocus", "column"] == "sharpness"
    assert seen.loc["gaussian_noise", "low"] > 0.5
    assert "by kind and level" in found.report()
    for which in ("default", "tuned"):
        assert found.proxy[which]["n"] == 6


def test_copies_are_made_of_the_best_of_near_duplicates(folder: Path, tmp_path: Path) -> None:
    for i in range(6):
        view = Image.open(folder / f"{i}.png")
        view.save(tmp_path / f"{i}.png")
        view.point(lambda level: level // 2).save(tmp_path / f"{i} dark.png")
    t = pr.rank(tmp_path, features=[*FEATURES, "exposure"], weights="exposure=1", quiet=True)
    sample = choose(t, scenes(t), 40, 0, [])
    assert sorted(sample["file"]) == [f"{i}.png" for i in range(6)]


def test_copies_of_photos_that_were_ranked_without_clip_do_not_ask_for_it(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(logging.getLogger("photorank"), "propagate", True)
    models.log_once.cache_clear()
    t = pr.rank(folder, features=["sharpness", "noise"], quiet=True)
    with pytest.raises(ValueError, match="none of the 6 photos is where it was"):
        pr.tune(t.assign(path="/gone/" + t["file"]), quiet=True)
    assert "CLIP" not in caplog.text


def test_without_labels_what_is_amiss_is_said(folder: Path) -> None:
    t = pr.rank(folder, features=FEATURES, quiet=True)
    with pytest.raises(ValueError, match=r"none of the 6 photos is where it was .*/gone/"):
        pr.tune(t.assign(path="/gone/" + t["file"]), features=FEATURES, quiet=True)
    with pytest.raises(ValueError, match="sharpness, noise: measured by another version"):
        pr.tune(t, features=["contrast"], quiet=True)
    few = t.head(1)
    few.attrs = t.attrs
    with pytest.raises(ValueError, match="every column is the same for all 1 photos"):
        pr.tune(few, features=FEATURES, quiet=True)


def test_the_command_writes_weights_plot_and_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    table(n=60).to_csv("mine.csv", index=False)
    labels(table(n=60)).to_csv("stars.csv", index=False)
    arguments = ["tune", "mine.csv", "--labels", "stars.csv", "--trials", "3", "--quiet"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "60 photos, 15 scenes" in out
    assert "Weights tuned so are" in out
    assert "look at results/tuning_mine.png" in out
    assert "wrote best_weights.json\nlook at" in out  # no better: nobody is told to use them
    assert main(["rank", "mine.csv", "--weights", "best_weights.json", "--quiet"]) == 0
    assert main(arguments) == 0
    assert "wrote best_weights.json, in the place of an earlier one" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", "", "not a readable .csv table"),
        ("header.csv", "file,a\n", "has no rows"),
        ("ragged.csv", "a,b\n1,2\n1,2,3,4\n", "not a readable .csv table"),
        ("nan.csv", "file,a,b\nx.jpg,,\ny.jpg,,\n", "photorank: "),
        ("none.csv", None, "cannot read the table"),
    ],
)
def test_a_bad_table_is_one_line_and_exit_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: str | None,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path(name).write_text(content)
    assert main(["tune", name, "--quiet"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert not Path("best_weights.json").exists()
