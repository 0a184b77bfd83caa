"""Learning a head: what is found where there is something to find, what is said where there is not."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import photorank as pr
from photorank.cli.main import main
from photorank.features.heads import checkpoint_of, read_head
from photorank.features.quality.encoder import network_encoder
from photorank.table import embeddings
from photorank.table.picks import read_picks
from photorank.training import heads
from photorank.training.folds import joined_scenes, scene_folds
from photorank.training.head_figures import balance_pays, balance_table
from photorank.training.trees import Balance, Tuner

COUNT = 120


def made(count: int = COUNT, seed: int = 0, width: int = 8) -> tuple[embeddings.Embeddings, Any]:
    """Vectors of the network that ships, as far as anybody can tell, and ratings that lie in them."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count, width)).astype(np.float32)
    names = [f"{number:04}.jpg" for number in range(count)]
    checkpoint = checkpoint_of(network_encoder())
    source = {"encoder": "network", "checkpoint": checkpoint, "clip_model": ""}
    table = pd.DataFrame({"file": names, "path": names}).assign(**source, clip_pretrained="")
    table["precision"], table["error"] = "fp32", None
    table["quality"] = rng.random(count)
    ratings = 3 + vectors[:, 0] + vectors[:, 1] + rng.normal(size=count) * 0.3
    return embeddings.Embeddings(table, vectors), ratings


def labelled(found: embeddings.Embeddings, ratings: Any, **others: Any) -> pd.DataFrame:
    return pd.DataFrame({"file": found.table["file"], "rating": ratings} | others)


@pytest.fixture(scope="module")
def learned() -> Any:
    pytest.importorskip("lightgbm", reason="needs photorank[learn]")
    found, ratings = made()
    return pr.learn(found, labelled(found, ratings * 20 - 7), trials=1, quiet=True)


def test_what_lies_in_the_vectors_is_learned(learned: Any) -> None:
    worth = learned.worth.set_index("candidate")
    assert learned.verdict[0].startswith("best: ridge")
    assert worth.loc["ridge", "spearman"] > 0.9
    assert worth.loc["ridge", "spearman_low"] < worth.loc["ridge", "spearman"]
    assert worth.loc["mean", "spearman"] == 0
    assert abs(worth.loc["quality", "spearman"]) < 0.3
    assert "LightGBM is worse" in " ".join(learned.verdict)


def test_scores_go_from_1_to_10_whatever_the_ratings(learned: Any) -> None:
    found, ratings = made()
    scores = learned.score(found.vectors, found.table["quality"].to_numpy())
    wanted = 1 + 9 * (ratings - ratings.min()) / np.ptp(ratings)
    assert np.abs(scores - wanted).mean() < 0.5
    assert scores.min() >= 1
    assert scores.max() <= 10
    assert learned.photos["wanted"].agg(["min", "max"]).tolist() == [1, 10]


def test_the_report_and_its_page_say_where_it_fails(learned: Any, tmp_path: Path) -> None:
    report = learned.report()
    for word in (
        "low",
        "mid",
        "high",
        "top",
        "random",
        "by scene",
        "before",
        "after",
        "120 photos",
    ):
        assert word in report
    page = learned.page(tmp_path / "page.html").read_text()
    assert html.escape("no scenes") in page
    assert page.count("data:image/png;base64,") == 3
    assert not re.search(r"(src|href)=\"?http", page)


def test_a_saved_head_is_the_one_that_was_learned(learned: Any, tmp_path: Path) -> None:
    path = learned.save(tmp_path / "head.json")
    found, _ = made(seed=3)
    quality = found.table["quality"].to_numpy()
    again = read_head(path)
    np.testing.assert_array_equal(
        again.score(found.vectors, quality), learned.score(found.vectors, quality)
    )
    assert again.card["verdict"] == learned.verdict
    learned.save(path)
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match="exists and is no head"):
        learned.save(tmp_path / "other.json")


def test_the_same_seed_learns_the_same_and_another_model_can_be_told(learned: Any) -> None:
    found, ratings = made()
    labels = labelled(found, ratings * 20 - 7)
    again = pr.learn(found, labels, trials=1, model="lightgbm", weighting=False, quiet=True)
    assert again.head.model.kind == "lightgbm"
    assert again.worth["spearman"][:6].tolist() == learned.worth["spearman"][:6].tolist()
    third = pr.learn(
        found, labels, trials=1, model="lightgbm", weighting=False, oversampling=False, quiet=True
    )
    assert third.head.model == again.head.model
    assert third.balance.empty


def test_shuffled_ratings_are_said_to_be_worthless() -> None:
    found, ratings = made(seed=1)
    shuffled = np.random.default_rng(2).permutation(ratings)
    learned = pr.learn(found, labelled(found, shuffled), trials=0, quiet=True)
    assert "worthless" in learned.verdict[0]
    assert (learned.worth["spearman_low"] <= 0).all()


def test_scenes_that_leak_are_seen_side_by_side() -> None:
    """Photos of a scene are alike and rated alike, and the vectors say nothing else."""
    rng = np.random.default_rng(0)
    found, _ = made(width=40)
    scenes = np.repeat(np.arange(10), 12)
    ratings = rng.normal(size=10)[scenes]
    vectors = rng.normal(size=(10, 40))[scenes] + rng.normal(size=(COUNT, 40)) * 0.1
    alike = embeddings.Embeddings(found.table, vectors.astype(np.float32))
    labels = labelled(found, ratings, person=scenes)
    learned = pr.learn(alike, labels, model="neighbours", trials=0, quiet=True)
    splits = learned.splits.set_index("split")
    assert splits.loc["random", "r2"] > 0.5
    assert splits.loc["by scene", "r2"] < 0.1
    assert learned.record["scenes"] == 10


def test_near_duplicates_join_scenes() -> None:
    scenes, groups = np.array([0, 0, 1, 2, 3]), np.array([1, 2, 2, 3, 4])
    assert joined_scenes(scenes, groups).tolist() == [0, 0, 0, 2, 3]


def test_extremes_count_more_in_training_rows_only() -> None:
    pytest.importorskip("lightgbm", reason="needs photorank[learn]")
    extreme = np.array([True, False])
    both, repeated, weighed = Balance(), Balance(weighting=False), Balance(oversampling=False)
    for balance, repeats, weights in (
        (both, [2, 1], [2, 1]),
        (repeated, [4, 1], [1, 1]),
        (weighed, [1, 1], [4, 1]),
    ):
        repeat, weight = balance.counts(extreme, 4)
        assert (repeat.tolist(), weight.tolist()) == (repeats, weights)
    found, ratings = made()
    ratings = 1 + 9 * (ratings - ratings.min()) / np.ptp(ratings)
    groups = np.arange(COUNT)
    (fold, *_) = scene_folds(groups, 5, 0)
    photos = heads.Photos(found.vectors, ratings, groups)
    fits = heads.TreeFits(1, 0, Balance()).candidates()
    changed = ratings.copy()
    changed[fold.test] = 10.0  # what is judged on may not bear on what is learned
    same = heads.Photos(found.vectors, changed, groups)
    one, other = (heads.held_out(p, [fold], fits) for p in (photos, same))
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


def test_the_bias_of_each_bin_is_told_before_and_after() -> None:
    labels = np.array([1.0, 2.5, 4.0, 7.0, 8.5, 10.0])
    found = {"lightgbm": labels - 1, "lightgbm_balanced": labels - 0.4}
    table = balance_table(found, labels)
    assert table["n"].tolist() == [2, 1, 1, 2]
    assert table["after"].tolist() == pytest.approx([-0.4] * 4)
    assert balance_pays(found, labels)[0]
    found["lightgbm_balanced"] = labels - 0.6
    assert not balance_pays(found, labels)[0]


def test_early_stopping_keeps_trees_few() -> None:
    pytest.importorskip("lightgbm", reason="needs photorank[learn]")
    found, ratings = made()
    noise = np.random.default_rng(0).permutation(ratings)
    params = Tuner(found.vectors, noise, np.arange(COUNT), 0).choose(2, lambda: None)
    assert params["num_iterations"] < 100


def test_picks_are_learned_within_scenes() -> None:
    """Scenes differ by much that is no matter of taste; within them the first number decides."""
    rng = np.random.default_rng(0)
    found, _ = made(200)
    scenes = np.repeat(np.arange(50), 4)
    vectors = found.vectors + 5 * rng.normal(size=(50, 8))[scenes].astype(np.float32)
    picks = np.zeros(200)
    for scene in range(50):
        rows = np.flatnonzero(scenes == scene)
        picks[rows[np.argmax(vectors[rows, 0])]] = 1
    table = found.table.assign(taken_at=[f"2024-01-01T00:{s:02}:00" for s in scenes])
    given = pd.DataFrame({"file": table["file"], "pick": picks.astype(int)})
    learned = pr.learn(embeddings.Embeddings(table, vectors), picks=given, quiet=True)
    assert learned.record["scenes"] == 50
    assert learned.worth.set_index("candidate").loc["ridge", "pairs"] > 0.92
    assert "of its own scene" in learned.verdict[0]
    assert ", better than quality alone" in learned.verdict[1]
    assert len(learned.verdict) == 2


def test_picks_by_chance_and_few_picks_are_said_so() -> None:
    found, _ = made()
    picks = np.random.default_rng(1).permutation(np.arange(COUNT) < 30).astype(int)
    given = pd.DataFrame({"file": found.table["file"], "pick": picks})
    said = pr.learn(found, picks=given, model="ridge", quiet=True).verdict
    assert "worthless: it is not surely better than chance and the mean" in said[1]
    assert said[2] == "30 picks: below 40 it cannot be known whether this is your taste"


def test_picks_come_as_a_table_as_stars_or_as_a_folder(tmp_path: Path) -> None:
    photos = pd.DataFrame({"file": ["a.jpg", "b.jpg", "c.jpg"]})
    photos["path"] = [str(tmp_path / name) for name in photos["file"]]
    table = pd.DataFrame({"file": ["a.jpg", "b.jpg"], "pick": ["yes", "0"]})
    assert read_picks(table, photos)[0].tolist() == [1, 0]
    chosen = tmp_path / "chosen"
    chosen.mkdir()
    Image.new("RGB", (8, 8)).save(chosen / "001_b.jpg")
    assert read_picks(chosen, photos)[0].tolist() == [0, 1, 0]
    (tmp_path / "a.xmp").write_text('<x xmp:Rating="3"/>')
    (tmp_path / "c.jpg.xmp").write_text("<xmp:Rating>0</xmp:Rating>")
    assert read_picks(tmp_path, photos)[0].to_dict() == {0: 1.0, 2: 0.0}
    with pytest.raises(ValueError, match="picks need a column pick of 1 or 0"):
        read_picks(table.rename(columns={"pick": "x"}), photos)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda t: t.assign(file="x" + t["file"]), "no label fits a photo"),
        (lambda t: t.assign(rating=4), "all 120 ratings are 4: there is nothing to learn"),
        (lambda t: t.assign(rating=np.nan), "no rating of the 120 labels is a number"),
        (lambda t: t.head(5), "ratings for 5 photos: learning takes 20 or more"),
        (lambda t: t.assign(scene="one"), "1 scene: to judge on scenes"),
    ],
)
def test_labels_from_which_nothing_can_be_learned(
    change: Any, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    found, ratings = made()
    embeddings.save(found, "e.npz")
    change(labelled(found, ratings)).to_csv("labels.csv", index=False)
    assert main(["learn", "e.npz", "--labels", "labels.csv"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert expected in line
    assert sorted(p.name for p in tmp_path.iterdir()) == ["e.npz", "labels.csv"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"name": "quality"}, "a head's column has a name of its own"),
        ({"model": "ridg"}, "no candidate 'ridg'; did you mean ridge"),
        ({"trials": -1}, "trials is a whole number from 0 up"),
        ({"picks": "x"}, "labels or picks: give one of the two"),
    ],
)
def test_wrong_use(settings: dict[str, Any], expected: str) -> None:
    found, ratings = made()
    with pytest.raises(ValueError, match=expected):
        pr.learn(found, labelled(found, ratings), quiet=True, **settings)


def test_vectors_that_are_no_numbers_are_refused() -> None:
    found, ratings = made()
    found.vectors[3, 2] = np.nan
    with pytest.raises(
        ValueError, match=r"1 of 120 vectors are not finite, the first of '0003.jpg'"
    ):
        pr.learn(found, labelled(found, ratings))


def test_the_command_learns_from_photos_and_ranks_by_it(
    photo: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    pytest.importorskip("lightgbm", reason="needs photorank[learn]")
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "shoot"
    folder.mkdir()
    rng = np.random.default_rng(0)
    rows = []
    for number in range(24):
        patch = photo[rng.integers(300) :, rng.integers(300) :][:160, :160]
        Image.fromarray((patch * rng.uniform(0.2, 1)).astype(np.uint8)).save(
            folder / f"{number}.png"
        )
        rows.append({"file": f"{number}.png", "stars": float(patch.mean()), "scene": number})
    pd.DataFrame(rows).to_csv("stars.csv", index=False)
    flags = ["--trials", "1", "--name", "bright", "--quiet"]
    assert main(["learn", "shoot", "--labels", "stars.csv", *flags]) == 0
    out = capsys.readouterr().out
    assert "wrote head.json; use it: photorank rank DIR --heads head.json" in out
    assert Path("results/learned_shoot.html").is_file()
    ranking = ["--heads", "head.json", "--weights", "bright=1", "--aesthetic", "none"]
    assert main(["rank", "shoot", "--features", "sharpness", *ranking]) == 0
    ranked = pr.load("output/csvs/shoot.csv")
    assert ranked["bright"].is_monotonic_decreasing
    assert ranked["bright"].between(1, 10).all()
