"""Semantic tags: what a vocabulary may hold, what is said of a photo, and that no pixel is read twice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from clip_models import make_folder
from PIL import Image

import photorank as pr
from photorank.cli.main import main
from photorank.features.aesthetic import ClipEncoder, clip_encoder, find_checkpoint
from photorank.features.clip.semantic import (
    MOST_BYTES,
    read_vocabulary,
    semantic_head,
    shares,
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_folder(tmp_path_factory.mktemp("clip") / "tiny"))


@pytest.fixture
def words(tmp_path: Path) -> Path:
    path = tmp_path / "words.txt"
    path.write_text("# mine\n\nbeach\ndog: a dog that runs\n")
    return path


def on_axes(scale: float, asked: list[list[str]] | None = None) -> ClipEncoder:
    """An encoder whose n-th prompt lies on the n-th of 600 axes: photos can be placed at will."""
    told: list[str] = []

    def texts(prompts: Sequence[str]) -> tuple[np.ndarray, float]:
        if asked is not None:
            asked.append(list(prompts))
        told.extend(prompts)
        return np.eye(600, dtype=np.float32)[len(told) - len(prompts) : len(told)], scale

    return ClipEncoder("axes", "1", (), "rgb", None, 1, lambda views: np.eye(600)[:1], texts)


def said(weights: Sequence[float], names: str = "abcd") -> tuple[str, str]:
    """What is said of a photo whose shares are as these weights, the last one of "a photo"."""
    head = semantic_head(on_axes(1.0), {name: name for name in names})
    photo = np.zeros((1, 600), np.float32)
    photo[0, : len(weights)] = np.log(weights)
    ((tags, scores),) = head.score(photo)
    return tags, scores


def test_a_vocabulary_is_tags_and_prompts(words: Path) -> None:
    assert read_vocabulary(words) == {"beach": "a photo of beach", "dog": "a dog that runs"}


def test_a_vocabulary_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "w.txt").write_bytes("\ufeffStraße\r\nMüll : trash\r\n".encode())
    assert read_vocabulary(tmp_path / "w.txt") == {"Straße": "a photo of Straße", "Müll": "trash"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty: write a tag in each line"),
        (b"# beach\n \n", "is empty"),
        (b"beach\ndog\n BEACH : sand", r"line 3: the tag 'BEACH' is in line 1 already"),
        (b"beach, sea\n", r"line 1: wanted `tag` or `tag: prompt`, the tag without a comma.*beach"),
        (b"dog\nbeach:\n", r"line 2: wanted `tag`"),
        (b": sand\n", r"line 1: wanted `tag`"),
        (b"\xff\xfeb\x00", "no UTF-8 text: save it as such"),
        (b"x" * (MOST_BYTES + 1), "over 1,000,000 bytes: shorten it"),
        (None, "cannot read the vocabulary .*: No such file"),
    ],
)
def test_what_no_vocabulary_can_be(content: bytes | None, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=expected):
        read_vocabulary(path)


def test_a_folder_is_no_vocabulary(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot read the vocabulary .*: Is a directory"):
        read_vocabulary(tmp_path)


def test_shares_are_a_softmax() -> None:
    special = pytest.importorskip("scipy.special")
    random = np.random.default_rng(0)
    photos, texts = random.normal(size=(20, 8)), random.normal(size=(5, 8))
    assert shares(photos, texts, 100.0) == pytest.approx(
        special.softmax(100 * photos @ texts.T, axis=1)
    )


@pytest.mark.parametrize(
    ("weights", "tags", "scores"),
    [
        ((60, 5, 30, 4, 1), "a, c", "0.60, 0.30"),
        ((20, 22, 23, 25, 10), "d, c, b", "0.25, 0.23, 0.22"),
        ((20, 10, 10, 10, 50), "", ""),
        ((40, 25, 3, 2, 30), "a", "0.40"),
        ((9, 9, 9, 9, 1), "a, b, c", "0.24, 0.24, 0.24"),
    ],
    ids=["sorted", "at most three", "a photo wins", "only what beats it", "ties in order"],
)
def test_what_stands_out_is_said(weights: tuple[float, ...], tags: str, scores: str) -> None:
    assert said(weights) == (tags, scores)


def test_of_many_words_of_which_none_stands_out_nothing_is_said() -> None:
    names = [f"word{i}" for i in range(20)]
    head = semantic_head(on_axes(1.0), {name: name for name in names})
    assert head.score(np.zeros((3, 600), np.float32)).tolist() == [["", ""]] * 3


def test_a_long_vocabulary_reaches_the_model_in_parts_and_once() -> None:
    asked: list[list[str]] = []
    names = [f"word{i}" for i in range(500)]
    head = semantic_head(on_axes(50.0, asked), {name: name for name in names})
    photo = np.eye(600, dtype=np.float32)[[499]]
    assert head.score(photo).tolist() == head.score(photo).tolist() == [["word499", "1.00"]]
    assert [len(part) for part in asked] == [256, 245]
    assert [prompt for part in asked for prompt in part] == [*names, "a photo"]


def test_the_shares_are_those_of_the_models_own_vectors(model: str, photo: np.ndarray) -> None:
    encoder = clip_encoder(find_checkpoint(model), device="cpu")
    vocabulary = {"beach": "sand and sea", "dog": "a dog"}
    texts, scale = encoder.encode_texts([*vocabulary.values(), "a photo"])
    vector = encoder.encode([photo])
    expected = np.exp(scale * vector @ texts.T)[0]
    expected /= expected.sum()
    row = pr.extract({"p": photo}, [semantic_head(encoder, vocabulary)]).iloc[0]
    shown = dict(
        zip(row["semantic_tags"].split(", "), row["semantic_scores"].split(", "), strict=True)
    )
    wanted = {
        n: s for n, s in zip(vocabulary, expected, strict=False) if s >= 0.1 and s > expected[2]
    }
    assert {name: float(text) for name, text in shown.items() if name} == pytest.approx(
        wanted, abs=0.006
    )


def test_in_a_ranking_a_new_vocabulary_opens_no_photo(
    model: str, words: Path, photo: np.ndarray, tmp_path: Path, opened: set[str]
) -> None:
    path = tmp_path / "photos" / "a.png"
    path.parent.mkdir()
    Image.fromarray(photo).save(path)
    given = {"clip_model": model, "cache": str(tmp_path / "store"), "quiet": True}
    first = pr.rank(path.parent, vocabulary=words, **given)
    columns = {c["name"]: c for c in first.attrs["photorank"]["columns"]}
    assert columns["semantic_tags"]["better"] == "neither"
    assert {"semantic_tags", "semantic_scores"} <= set(first)
    words.write_text("one\n")
    opened.clear()
    second = pr.rank(path.parent, vocabulary=words, **given)
    assert str(path) not in opened
    assert second["error"].isna().all()
    assert set(second["semantic_tags"]) <= {"", "one"}
    versions = [
        {c["name"]: c["version"] for c in t.attrs["photorank"]["columns"]}["semantic_tags"]
        for t in (first, second)
    ]
    assert versions[0] != versions[1]


def test_watch_takes_a_vocabulary_too(
    model: str, words: Path, photo: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("drop").mkdir()
    Image.fromarray(photo).save("drop/a.png")
    arguments = ["watch", "drop", "--once", "--every", "0.05", "--scale", "default", "--cache"]
    arguments += ["off", "--clip_model", model, "--vocabulary", str(words), "--quiet"]
    assert main(arguments) == 0
    table = pr.load("output/csvs/drop_watch.csv")
    settings = table.attrs["photorank"]["settings"]
    assert (settings["aesthetic"], settings["vocabulary"]) == ("auto", str(words))
    (row,) = table.to_dict("records")
    assert row["file"] == "a.png"
    assert {"semantic_tags", "semantic_scores"} <= set(row)


def test_a_vocabulary_without_clip_is_an_error(
    words: Path, photo: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for without in ({"aesthetic": "none"}, {"features": "sharpness"}):
        with pytest.raises(ValueError, match=r"words\.txt needs CLIP, and this run is without"):
            pr.rank({"p": photo}, vocabulary=words, **without)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(ValueError, match=r"a vocabulary needs CLIP: .*photorank download"):
        pr.rank({"p": photo}, vocabulary=words)


@pytest.mark.parametrize("command", [["rank"], ["tag"], ["watch", "--once", "--scale", "default"]])
def test_a_wrong_vocabulary_is_noticed_before_the_work(
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.jpg").write_bytes(b"x")
    assert main([*command, ".", "--vocabulary", "none.txt", "--quiet"]) == 2
    assert "cannot read the vocabulary none.txt" in capsys.readouterr().err
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["broken.jpg"]
