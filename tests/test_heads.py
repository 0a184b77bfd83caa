"""Embeddings, and heads made elsewhere: what they score, what is refused, and that files stay whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from clip_models import make_folder

import photorank as pr
from photorank.cli.main import main
from photorank.features.clip import laion
from photorank.features.formulas import Linear, Neighbours, Trees
from photorank.features.heads import Source, Trained, read_head
from photorank.features.quality import score as quality_of
from photorank.features.quality.encoder import WIDTH
from photorank.table import embeddings
from photorank.utils import hub

rng = np.random.default_rng(0)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_folder(tmp_path_factory.mktemp("clip") / "small"))


@pytest.fixture
def photos(photo: np.ndarray, tmp_path: Path) -> Path:
    from PIL import Image

    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        Image.fromarray(photo[:, number * 60 :]).save(folder / f"{number}.png")
    (folder / "bad.jpg").write_bytes(b"\xff\xd8 no photo")
    return folder


def line(source: Source, width: int, **others: Any) -> Trained:
    weights = rng.normal(size=width).tolist()
    return Trained("learned", source, width, Linear(weights, 5.0, 2.0), 1.0, 10.0, **others)


@pytest.mark.parametrize("suffix", ["npz", "parquet"])
def test_embeddings_come_back_as_they_were(photos: Path, tmp_path: Path, suffix: str) -> None:
    found = pr.embed(photos, cache=tmp_path / "store.sqlite")
    assert found.vectors.shape == (4, WIDTH)
    assert np.isnan(found.vectors).all(axis=1).tolist() == [False, False, False, True]
    assert found.table["quality"][:3].tolist() == pytest.approx(
        quality_of(found.vectors[:3])[:, 0].tolist(), rel=1e-6
    )
    target = embeddings.save(found, tmp_path / f"e.{suffix}")
    embeddings.save(found, target)  # an earlier one of ours is replaced
    again = embeddings.load(target)
    np.testing.assert_array_equal(again.vectors, found.vectors)
    assert again.source == found.source
    assert again.table["path"].tolist() == found.table["path"].tolist()


def test_a_second_run_opens_no_photo(photos: Path, tmp_path: Path, opened: set[str]) -> None:
    first = pr.embed(photos, cache=tmp_path / "store.sqlite")
    opened.clear()
    again = pr.embed(photos, cache=tmp_path / "store.sqlite")
    assert not {name for name in opened if name.endswith(".png")}
    np.testing.assert_array_equal(again.vectors, first.vectors)


def test_clips_vectors_have_length_1(photos: Path, clip: str) -> None:
    table, vectors = pr.embed(photos, "clip", clip_model=clip, precision="fp32")
    assert np.linalg.norm(vectors[:3], axis=1) == pytest.approx(1, abs=1e-6)
    assert set(table["encoder"]) == {"clip"}
    assert set(table["clip_model"]) == {clip}


def test_vectors_of_two_encoders_are_refused(photos: Path) -> None:
    table, vectors = pr.embed(photos)
    table.loc[0, "checkpoint"] = "another"
    with pytest.raises(ValueError, match="embeddings are of one encoder, these of 2"):
        embeddings.checked(embeddings.Embeddings(table, vectors))


def test_the_command_writes_embeddings(photos: Path, tmp_path: Path, capsys: Any) -> None:
    assert main(["embed", str(photos), "--output", str(tmp_path / "e.npz"), "--strict"]) == 1
    assert "3 photos embedded, 1 failed; 256 numbers each" in capsys.readouterr().out
    assert main(["embed", str(photos), "--output", str(tmp_path / "e.txt")]) == 2
    (tmp_path / "theirs.npz").write_bytes(b"PK somebody else's")
    assert main(["embed", str(photos), "--output", str(tmp_path / "theirs.npz")]) == 2


def test_a_head_scores_by_its_vector_and_by_quality(photos: Path, tmp_path: Path) -> None:
    table, vectors = pr.embed(photos)
    head = line(embeddings.Embeddings(table, vectors).source, WIDTH)
    head.save(tmp_path / "head.json")
    ranked = pr.rank(photos, heads=tmp_path / "head.json", aesthetic="none", weights="learned=1")
    wanted = vectors[:3] @ np.array(head.model.weights) + 5 + 2 * table["quality"][:3]  # type: ignore[attr-defined]
    got = ranked.sort_values("file")["learned"][:3]
    assert got.tolist() == pytest.approx(np.clip(wanted, 1, 10).tolist(), abs=1e-4)
    assert ranked["learned"][:3].is_monotonic_decreasing
    alone = pr.extract(photos, ["sharpness"], heads=tmp_path / "head.json")
    assert alone["learned"][:3].tolist() == got.tolist()  # it brings `quality` along
    tagged = pr.tag(ranked)
    assert "learned" in tagged


def test_a_head_brings_its_encoder_and_is_refused_on_another(
    photos: Path, clip: str, tmp_path: Path
) -> None:
    _, vectors = found = pr.embed(photos, "clip", clip_model=clip)
    line(found.source, vectors.shape[1]).save(tmp_path / "head.json")
    settings: dict[str, Any] = {"features": ["sharpness"], "heads": tmp_path / "head.json"}
    own = pr.extract(photos, **settings)["learned"].tolist()
    other = make_folder(tmp_path / "other", seed=1)
    both = pr.extract(photos, **settings, aesthetic="clip", clip_model=str(other))
    assert both["learned"].tolist()[:3] == own[:3]
    assert "aesthetic" in both
    gone = Source("clip", "1 of no encoder", str(other))
    line(gone, vectors.shape[1]).save(tmp_path / "head.json")
    with pytest.raises(ValueError, match="is for the vectors of clip '1 of no encoder'"):
        pr.extract(photos, **settings)


def forms() -> list[Any]:
    known = rng.normal(size=(9, 4)).astype(np.float32)
    lightgbm = pytest.importorskip("lightgbm", reason="needs photorank[learn]")
    data = lightgbm.Dataset(known, np.arange(9.0), params={"verbose": -1})
    trees = lightgbm.train({"verbose": -1, "min_data_in_leaf": 1}, data, 3)
    return [
        Linear([1.0, 2.0, 3.0, 4.0], 5.0),
        Neighbours.of(known, np.arange(9.0), 2),
        Trees(trees.model_to_string()),
    ]


@pytest.mark.parametrize("form", range(3))
def test_a_saved_head_scores_as_before_and_a_changed_one_is_refused(
    form: int, tmp_path: Path
) -> None:
    model, path = forms()[form], tmp_path / "head.json"
    Trained("mine", Source("network", "1"), 4, model).save(path)
    vectors = rng.normal(size=(5, 4)).astype(np.float32)
    head = read_head(path)
    np.testing.assert_array_equal(head.score(vectors), model.score(vectors))
    with pytest.raises(ValueError, match="'mine' reads vectors of 4 numbers, got the shape"):
        head.score(vectors[:, :3])
    path.write_text(path.read_text().replace('"mine"', '"yours"'))
    with pytest.raises(ValueError, match="is not as it was written: train it again"):
        read_head(path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "cannot read the head"),
        ("[1", "is not JSON that can be used"),
        ("{}", "is no head: wanted schema"),
    ],
)
def test_what_is_no_head(
    content: str | None, expected: str, tmp_path: Path, photos: Path, capsys: Any
) -> None:
    path = tmp_path / "head.json"
    if content is not None:
        path.write_text(content)
    output = tmp_path / "t.csv"
    flags = ["--aesthetic", "none", "--heads", str(path), "--output_csv", str(output)]
    assert main(["rank", str(photos), *flags]) == 2
    assert expected in capsys.readouterr().err
    assert not output.exists()


def test_a_head_whose_contents_are_none_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "head.json"
    bad = Trained("mine", Source("network", "1"), 3, Linear([1.0], 0.0))
    bad.save(path)  # three numbers, one weight
    with pytest.raises(ValueError, match="is damaged: train it again"):
        read_head(path)
    Trained("mine", Source("network", "1"), 1, Linear([1.0], 0.0), 9.0, 1.0).save(path)
    with pytest.raises(ValueError, match="is damaged: train it again"):
        read_head(path)
    assert "code" not in json.loads(path.read_text())


@pytest.mark.parametrize(
    ("head", "vectors", "lowest", "highest"),
    [
        ("sa_0_4_vit_b_32_linear", "vit_b_32", -1.47, 11.01),
        ("sa_0_4_vit_l_14_linear", "vit_l_14", -2.46, 11.30),
        ("sac+logos+ava1-l14-linearMSE", "vit_l_14", 1.66, 5.75),
    ],
)
def test_laions_heads_give_the_known_answers(
    head: str, vectors: str, lowest: float, highest: float, shared_data: Path
) -> None:
    folder = shared_data / "laion_aesthetic"
    line = laion.read(folder / f"{head}.pth")
    known = [np.load(folder / f"{vectors}_embeddings" / f"rating{i}.npy") for i in range(10)]
    scores = np.stack([v.reshape(-1) for v in known]) @ line.weights + line.bias
    assert (np.diff(scores) > 0).all()
    assert scores[[0, -1]] == pytest.approx([lowest, highest], abs=0.005)


def test_the_improved_head_equals_its_layers_one_by_one(shared_data: Path) -> None:
    import torch

    path = shared_data / "laion_aesthetic" / "sac+logos+ava1-l14-linearMSE.pth"
    layers = list(torch.load(path, map_location="cpu", weights_only=True).values())
    vectors = torch.nn.functional.normalize(torch.randn(5, 768, generator=torch.manual_seed(0)))
    found = vectors
    for weight, bias in zip(layers[::2], layers[1::2], strict=True):
        found = found @ weight.T + bias
    line = laion.read(path)
    assert vectors.numpy() @ line.weights + line.bias == pytest.approx(
        found[:, 0].numpy(), abs=1e-4
    )


def test_a_ready_head_gives_a_column_of_its_own(photos: Path, clip: str, tmp_path: Path) -> None:
    import torch

    path = tmp_path / "mine.pth"
    torch.save({"weight": torch.ones(1, 32), "bias": torch.ones(1)}, path)
    settings: dict[str, Any] = {"features": ["aesthetic"], "clip_model": clip}
    table = pr.extract(photos, **settings, aesthetic_head=path)
    vectors = pr.embed(photos, "clip", clip_model=clip).vectors
    wanted = vectors[:3].sum(axis=1) + 1
    assert table["aesthetic_laion"][:3].tolist() == pytest.approx(wanted.tolist(), abs=1e-4)
    assert table["aesthetic"][:3].between(0, 1).all()
    torch.save({"weight": torch.ones(1, 33), "bias": torch.ones(1)}, path)
    with pytest.raises(ValueError, match="reads vectors of 33 numbers, and this encoder's have 32"):
        pr.extract(photos, **settings, aesthetic_head=path)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"aesthetic_head": "laion"}, "LAION has heads for ViT-B-16, ViT-B-32, ViT-L-14 with"),
        ({"aesthetic_head": "laion", "aesthetic": "none"}, "needs CLIP, and this run is without"),
        ({"aesthetic_head": "gone.pth"}, "cannot read the head gone.pth"),
    ],
)
def test_ready_heads_that_cannot_be_used(
    settings: dict[str, Any], expected: str, photos: Path, clip: str
) -> None:
    with pytest.raises(ValueError, match=expected):
        pr.extract(photos, clip_model=clip, **settings)


def test_a_known_head_is_refused_on_another_tower(shared_data: Path) -> None:
    path = shared_data / "laion_aesthetic" / "sa_0_4_vit_b_16_linear.pth"
    with pytest.raises(ValueError, match="is for OpenAI's ViT-B-16, and this run has ViT-B-32"):
        laion._check_tower("ViT-B-16", ("ViT-B-32", "laion2b_s34b_b79k"), path)
    laion._check_tower("ViT-B-16", ("ViT-B-16-quickgelu", "openai"), path)


def test_pickled_code_is_no_head(tmp_path: Path) -> None:
    import torch

    torch.save({"weight": pd.DataFrame()}, tmp_path / "code.pth")
    with pytest.raises(ValueError, match="is no head of LAION's"):
        laion.read(tmp_path / "code.pth")


def test_a_download_is_kept_only_if_its_checksum_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    (tmp_path / "h.pth").write_bytes(b"weights")
    url = (tmp_path / "h.pth").as_uri()
    right = hashlib.sha256(b"weights").hexdigest()
    with pytest.raises(hub.HubError, match="is not here"):
        hub.fetch_plain(url, right, False)
    with pytest.raises(hub.HubError, match="is not the file it should be"):
        hub.fetch_plain(url, "0" * 64, True)
    assert not list((tmp_path / "cache").rglob("*.pth"))
    assert hub.fetch_plain(url, right, True).read_bytes() == b"weights"
    assert hub.fetch_plain("file:///gone/h.pth", right, False).is_file()
