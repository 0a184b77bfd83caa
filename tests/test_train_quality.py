"""Training says what is wrong with its arguments and labels before it spends hours on them."""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from photorank.features.measures.defects import blockiness
from photorank.features.quality import LEVELS, encoder, network
from photorank.training.degradations import KINDS
from photorank.training.quality import heads, loop, loss, photos
from photorank.training.quality.command import main
from photorank.training.quality.judge import lowered, moved
from photorank.training.quality.labels import training_labels
from photorank.training.quality.loop import Recipe, Training

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Arguments that would do: 12 photos of 6 scenes."""
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (12, 20, 20, 3), np.uint8)
    for number, rgb in enumerate(pixels):
        Image.fromarray(rgb).save(f"photos/{number}.png")
    ratings().to_csv("labels.csv", index=False)
    Path("mine.csv").write_text("my notes\n")
    return ["--photos", "photos", "--labels", "labels.csv", "--out", "model", "--device", "cpu"]


def ratings(n: int = 12, **columns: object) -> pd.DataFrame:
    names = [f"{number}.png" for number in range(n)]
    rated = pd.DataFrame(
        {"file": names, "mos": np.linspace(0.1, 0.9, n), "scene": np.arange(n) // 2}
    )
    return rated.assign(**columns)


def said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (ratings().drop(columns="mos"), "labels.csv needs the columns file, mos, scene; it has file, scene"),
        (ratings().drop(columns="scene"), "labels.csv needs the columns file, mos, scene"),
        (ratings().drop(columns="file"), "labels.csv needs the columns file, mos, scene"),
        (ratings(mos="good"), "mos in labels.csv is a number; 12 of 12 rows do otherwise: '0.png'"),
        (ratings(mos=range(12)), "is from 0 (bad) to 1 (good); 10 of 12 rows do otherwise: '2.png'"),
        (ratings(scene=[None, *range(11)]), "names the scene of each photo; 1 of 12 rows"),
        (ratings(13), "names photos in photos; 1 of 13 rows do otherwise: '12.png'"),
        (ratings(file="3.png"), "names each photo once; 11 of 12 rows"),
        (ratings(11), "training needs 12 photos or more, labels.csv has 11"),
        (ratings(scene=1), "training needs 5 scenes or more, to judge by those that it did not see"),
        (ratings(mos=0.8), "the ratings must differ; those of labels.csv are all 0.8"),
    ],
)  # fmt: skip
def test_labels_that_cannot_be_trained_on_say_why(
    labels: pd.DataFrame, message: str, given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    labels.to_csv("labels.csv", index=False)
    assert message in said(given, capsys)
    assert not Path("model").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--epochs 0", "--epochs is 1 or more, got 0"),
        ("--judged -1", "--judged is 0 or more, got -1"),
        ("--photos gone", "no folder gone: give the folder of the photos that labels.csv rates"),
        ("--out mine.csv", "cannot write mine.csv"),
        ("--start gone.safetensors", "gone.safetensors holds no weights of this network"),
        (
            "--heads_only",
            "--heads_only fits the heads of a network that is there: give its --start",
        ),
    ],
)
def test_wrong_arguments_say_why(
    arguments: str, message: str, given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in said([*given, *arguments.split()], capsys)
    assert Path("mine.csv").read_text() == "my notes\n"
    assert not Path("model").exists()


def test_a_photo_that_cannot_be_read_is_named_and_nothing_of_ones_own_goes(
    given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("photos/7.png").write_bytes(b"no photo")
    assert "7.png cannot be read: " in said(given, capsys)
    assert not Path("model").exists()
    Path("model").mkdir()
    assert "7.png cannot be read: " in said(given, capsys)
    assert Path("model").exists()


def test_scenes_that_a_near_duplicate_connects_are_one(given: list[str]) -> None:
    shutil.copy("photos/3.png", "photos/8.png")
    labels = training_labels(Path("labels.csv"), Path("photos"), 5)
    assert labels["scene"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 1, 1, 5, 5]


@pytest.fixture(scope="module")
def untrained() -> network.Network:
    """A network that knows nothing, as small a one as there is."""
    torch.manual_seed(0)
    return network.Network()


def drawn(rgb: np.ndarray, count: int) -> Iterator[photos.Copy]:
    return (photos.draw_copy(rgb, np.random.default_rng(n)) for n in range(count))


def test_copies_are_drawn_alike_for_one_seed_and_of_every_kind(photo: np.ndarray) -> None:
    small = photo[::4, ::4].copy()
    first, again = (list(drawn(small, 60)) for _ in range(2))
    assert all(np.array_equal(a.copy, b.copy) for a, b in zip(first, again, strict=True))
    assert {copy.kind for copy in first} == {*KINDS, photos.SAVED}
    assert all((copy.level == 0) == (copy.kind == photos.SAVED) for copy in first)


def test_the_network_sees_a_copy_as_it_sees_a_photo(photo: np.ndarray) -> None:
    for made in drawn(photo, 12):
        assert made.copy.shape == photo.shape
        assert not np.array_equal(made.copy, made.photo)


def test_a_cleaned_photo_has_no_blocks_and_a_compressed_one_has(photo_file: Path) -> None:
    (rgb,) = photos.decode([photo_file])
    compressed = next(c for c in drawn(rgb, 500) if c.kind == "jpeg_compression"
                      and c.level == 4 and not np.array_equal(c.photo, rgb))  # fmt: skip
    shown = (compressed.photo, rgb, compressed.copy)
    blocks = [blockiness(cv2.cvtColor(one, cv2.COLOR_RGB2GRAY)) for one in shown]
    assert blocks[0] < blocks[1] < blocks[2]


def test_a_view_is_continued_to_a_square_by_its_mirror_image() -> None:
    wide = np.arange(4 * 512 * 3, dtype=np.uint32).reshape(4, 512, 3).astype(np.uint8)
    squared = photos.square(wide)
    assert squared.shape == (512, 512, 3)
    assert np.array_equal(squared[:8], np.concatenate([wide, wide[::-1]]))


def test_a_pass_shows_each_photo_once_with_a_copy_of_its_own(photo: np.ndarray) -> None:
    views = [np.roll(photo[::8, ::8], n, 0) for n in range(7)]
    made = list(photos.batches(views, np.arange(7), 3, (0, 0)))
    shown = np.concatenate([batch.numbers for batch in made])
    assert len(made) == 2
    assert len(set(shown)) == 6
    for batch in made:
        assert batch.pictures.shape == (6, 3, 512, 512)


def test_the_loss_asks_copies_to_fall_by_level_and_saved_ones_to_stay() -> None:
    def of_falls(fall: float, level: float) -> float:
        return float(loss.of_falls(torch.tensor([fall]), torch.tensor([level])))

    assert of_falls(0.07, 3) == 0 < of_falls(0.05, 3) < of_falls(-0.1, 3)
    assert of_falls(0, 0) == 0 < of_falls(0.02, 0)
    assert of_falls(-0.02, 0) == pytest.approx(of_falls(0.02, 0))


def test_the_loss_asks_for_the_level_of_a_copy_and_for_none_of_good_photos() -> None:
    rgb = np.zeros((8, 8, 3), np.uint8)
    copies = [
        photos.Copy(rgb, rgb, kind, level) for kind, level in (("sensor_noise", 3), ("defocus", 2))
    ]
    levels = torch.tensor(np.stack([photos.goal(copy) for copy in copies]))
    assert levels[0, LEVELS.index("noise_level")] == 3
    assert levels[1, LEVELS.index("defocus_level")] == 2
    assert photos.goal(photos.Copy(rgb, rgb, photos.SAVED, 0)).max() == 0
    nothing, off = torch.zeros(2, len(LEVELS)), levels + 1 - (levels > 0).float()
    every, none = torch.ones(2, dtype=torch.bool), torch.zeros(2, dtype=torch.bool)
    assert loss.of_levels(nothing, levels, levels, every) == 0
    assert loss.of_levels(nothing, nothing, levels, none) > 0
    assert loss.of_levels(nothing + 1, off, levels, none) == 0  # what else it has is not known
    assert loss.of_levels(nothing + 1, off, levels, every) > 0


def test_the_correlation_is_pearsons() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 30))
    found = float(loss.correlation(torch.tensor(x), torch.tensor(y)))
    assert found == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-3)
    assert loss.correlation(torch.ones(5), torch.arange(5.0)) == 0


def test_what_is_faster_on_a_cpu_computes_the_same(untrained: network.Network) -> None:
    """With and without biases: a network to start from has them, one that begins anew has not."""
    pictures = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    for before in (untrained, network.load(encoder.WEIGHTS)):
        after = copy.deepcopy(before)
        loop._speed_up_on_cpu(after)
        with torch.no_grad():
            torch.testing.assert_close(after.eval()(pictures), before.eval()(pictures))


def test_training_that_was_stopped_goes_on_to_the_same_network(
    tmp_path: Path, untrained: network.Network
) -> None:
    views = [np.full((64, 64, 3), 40 + 160 * (n % 2), np.uint8) for n in range(4)]
    marks, rows = np.arange(4) % 2 * 0.5 + 0.25, np.arange(4)
    recipe = Recipe(epochs=2, batch=2, rate=1e-3, crops=1, crop_sides=(64,))

    def trained(stop: int, part: Path | None = None) -> Training:
        training = Training(copy.deepcopy(untrained), recipe, 4, "cpu")
        if part:
            training.resume(part)
        while training.epoch < stop:
            training.run_epoch(views, marks, rows, lambda: None)
        return training

    trained(1).save(tmp_path / "part.pt")
    whole, resumed = trained(2), trained(2, tmp_path / "part.pt")
    assert (resumed.step, resumed.epoch) == (whole.step, whole.epoch) == (4, 2)
    before, after, again = (
        one.state_dict()["heads.weight"] for one in (untrained, whole.average, resumed.average)
    )
    assert not torch.equal(before, after)
    torch.testing.assert_close(again, after)


@pytest.fixture(scope="module")
def vectors() -> heads.Vectors:
    """Copies differ from their photos by their levels along one axis each; ratings follow another."""
    rng = np.random.default_rng(0)
    photos = rng.normal(size=(900, 16)).astype(np.float32)
    levels = np.zeros((900, len(LEVELS)), np.float32)
    levels[np.arange(900), np.arange(900) % len(LEVELS)] = rng.integers(0, 6, 900)
    copies = photos.copy()
    copies[:, : len(LEVELS)] += levels
    parts = (photos, copies, levels, 0.65 + 0.02 * photos[:, 15])
    return heads.Vectors(*(torch.tensor(part) for part in parts))


def test_the_head_of_quality_learns_the_law_and_says_of_photos_what_it_said(
    vectors: heads.Vectors,
) -> None:
    before = torch.nn.Linear(16, 1 + len(LEVELS))
    with torch.no_grad():
        before.weight.zero_()
        before.weight[0, 15], before.bias[0] = 0.02, 0.65
    head = heads._quality(before, vectors)
    said, photos, copies = before(vectors.photos)[:, 0], head(vectors.photos), head(vectors.copies)
    worse = vectors.levels.amax(1) >= 2
    falls = (photos - copies)[worse, 0]
    assert (falls > 0).float().mean() > 0.95
    assert (photos[:, 0] - said).abs().mean() < 0.02


def test_the_heads_of_levels_are_fitted_to_copies_and_scaled_to_the_truth(
    vectors: heads.Vectors,
) -> None:
    before = torch.nn.Linear(16, 1 + len(LEVELS))
    torch.nn.init.zeros_(before.weight)
    torch.nn.init.zeros_(before.bias)
    found = heads._levels(before, vectors)(vectors.copies).detach()
    for column in map(LEVELS.index, heads._KEPT):
        own = vectors.levels[:, column] > 0
        true = vectors.levels[own, column]
        assert float(torch.corrcoef(torch.stack([found[own, column], true]))[0, 1]) > 0.7
        assert float(found[own, column].mean() - true.mean()) == pytest.approx(0, abs=0.5)


def test_shares_of_copies_that_fall() -> None:
    copies = pd.DataFrame(
        {
            "photo": [0, 0, 1, 1, 1],
            "kind": ["defocus", "defocus", "defocus", "defocus", photos.SAVED],
            "level": [1, 2, 3, 4, 0],
            "fall": [-1.0, 0.1, 0.1, -0.1, -0.02],
        }
    )
    found = lowered(copies, np.array([0.9, 0.1])).loc["defocus"]
    assert found["all"].tolist() == pytest.approx([2 / 3, 3])
    assert found["good"].tolist() == [1, 1]
    assert moved(copies) == {"n": 1, "median": pytest.approx(0.02), "p95": pytest.approx(0.02)}


# The command, interrupted after the first whole epoch, and once more.
TWICE = """
import sys
from pathlib import Path
from photorank.training.quality.command import main
from photorank.training.quality.loop import Training
save = Training.save
def interrupted(training, path):
    save(training, path)
    raise KeyboardInterrupt
Training.save = interrupted
try:
    main(sys.argv[1:])
except SystemExit as stopped:
    print("stopped with", stopped.code, *(path.suffix for path in Path("model").iterdir()))
Path("model/other.part.pt").touch()  # somebody else's
Training.save = save
main(sys.argv[1:])
"""


@pytest.mark.slow
def test_it_trains_is_interrupted_goes_on_and_writes_network_card_and_scores(
    given: list[str], photo: np.ndarray
) -> None:
    """From weights at hand, one step an epoch; most of the time goes into the one export."""
    given += ["--start", str(encoder.WEIGHTS), "--epochs", "1"]
    done = subprocess.run(
        [sys.executable, "-c", TWICE, *given],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "decoding 12 photos\ntraining on cpu: 1 of 5 parts, then all, 1 epochs" in done.stdout
    assert "interrupted; the same command goes on after the last whole epoch" in done.stderr
    assert "stopped with 130 .pt\n" in done.stdout
    assert "part 1 of 5: going on after epoch 1" in done.stdout
    card = Path("model/card.md").read_text()
    assert "part 1 of 5, held out | 4 |" in card
    assert "is not known here" in card
    names = {"card.md", "held_out.csv", encoder.GRAPH.name, encoder.WEIGHTS.name}
    assert {path.name for path in Path("model").iterdir()} == names | {"other.part.pt"}
    held = pd.read_csv("model/held_out.csv")
    assert len(held) == 4
    assert held["quality"].between(0, 1).all()
    graph, written = (Path("model", file.name) for file in (encoder.GRAPH, encoder.WEIGHTS))
    assert graph.read_bytes() == encoder.GRAPH.read_bytes()  # whatever the weights
    assert written.read_bytes() != encoder.WEIGHTS.read_bytes()
    some = np.ascontiguousarray(photo[:300])
    by_torch = network.encode(network.load(written), [some], "cpu")[0]
    np.testing.assert_allclose(encoder.by_onnx_runtime(graph)(some), by_torch, atol=1e-4)


@pytest.mark.slow
def test_the_script_runs_from_a_checkout() -> None:
    script = [sys.executable, str(ROOT / "scripts" / "train_quality.py"), "--help"]
    assert "--heads_only" in subprocess.run(script, capture_output=True, text=True).stdout
