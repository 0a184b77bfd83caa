"""CLIP scores: known answers from open_clip and torchmetrics, every way to name a checkpoint."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clip_models import make_folder, put_in_hub_cache
from PIL import Image, ImageOps

import photorank as pr
from photorank.features.aesthetic import (
    NEGATIVE,
    POSITIVE,
    Checkpoint,
    CheckpointMissing,
    aesthetic_head,
    clip_encoder,
    find_checkpoint,
    pair_scores,
    prompt_pairs,
)
from photorank.features.clip import checkpoint
from photorank.features.clip import model as clip
from photorank.features.clip.model import checked_device
from photorank.features.photo.image import Photo
from photorank.features.run.extract import extract

ROOT = Path(__file__).resolve().parent.parent
WEIGHTS = "open_clip_model.safetensors"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("clip") / "tiny")


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Hub cache in place of the user's, and no network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


@pytest.fixture
def views(photo: np.ndarray) -> list[np.ndarray]:
    """Seven canonical pictures of different shapes, and one as large as the model's input."""
    views = [np.ascontiguousarray(photo[: 200 + 40 * i, 30 * i : 320]) for i in range(7)]
    return [*views, np.ascontiguousarray(photo[100:164, 200:264])]


def by_open_clip(model_name: str, pictures: list[Image.Image], **options: Any) -> np.ndarray:
    """The score of the default prompts, computed with nothing of photorank."""
    import open_clip
    import torch

    model, _, preprocess = open_clip.create_model_and_transforms(model_name, **options)
    model.eval()
    tokens = open_clip.get_tokenizer(model_name)([POSITIVE, NEGATIVE])
    with torch.no_grad():
        images = model.encode_image(torch.stack([preprocess(p) for p in pictures]))
        texts = model.encode_text(tokens)
        images = images / images.norm(dim=-1, keepdim=True)
        texts = texts / texts.norm(dim=-1, keepdim=True)
        logits = model.logit_scale.exp() * images @ texts.T
    return logits.softmax(dim=-1)[:, 0].numpy()


def scores(found: Checkpoint, pictures: list[np.ndarray]) -> np.ndarray:
    encoder = clip_encoder(found, device="cpu", precision="fp32")
    return aesthetic_head(encoder).score(encoder.encode(pictures))


@pytest.mark.parametrize("source", ["folder", "hub"])
def test_score_equals_open_clip_on_the_upright_picture(
    source: str, folder: Path, hub_cache: Path, photo: np.ndarray, tmp_path: Path
) -> None:
    files = []
    for i, orientation in enumerate((1, 3, 6, 8)):
        exif = Image.Exif()
        exif[274] = orientation
        files.append(tmp_path / f"{i}.jpg")
        Image.fromarray(photo[: 300 + 50 * i]).save(files[-1], exif=exif)
    put_in_hub_cache(hub_cache, "org/tiny", [folder / WEIGHTS, folder / "open_clip_config.json"])
    found = find_checkpoint(str(folder) if source == "folder" else "hf-hub:org/tiny")
    got = scores(found, [Photo.open(file).view("rgb") for file in files])
    upright = [ImageOps.exif_transpose(Image.open(file)) for file in files]
    assert got == pytest.approx(by_open_clip(f"local-dir:{folder}", upright), abs=1e-5)
    assert np.ptp(got) > 1e-3  # else any model would do


def test_hf_home_is_where_a_checkpoint_is_found(folder: Path, tmp_path: Path) -> None:
    snapshot = put_in_hub_cache(
        tmp_path / "hub", "org/tiny", [folder / WEIGHTS, folder / "open_clip_config.json"]
    )
    code = "print(find_checkpoint('hf-hub:org/tiny').weights)"
    assert run(code, HF_HOME=str(tmp_path)).stdout.strip() == str(snapshot / WEIGHTS)


def test_a_tag_is_found_in_the_hub_cache(folder: Path, hub_cache: Path) -> None:
    repo = "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
    snapshot = put_in_hub_cache(hub_cache, repo, [folder / WEIGHTS])
    found = find_checkpoint()
    assert found.weights == snapshot / WEIGHTS
    assert any(snapshot.name in part for part in found.identity)
    with pytest.raises(ValueError, match="cannot be loaded as ViT-B-32"):  # tiny weights, big model
        clip_encoder(found).encode([np.zeros((9, 9, 3), np.uint8)])


def test_the_default_is_where_open_clip_says() -> None:
    import open_clip

    known = open_clip.get_pretrained_cfg(checkpoint.DEFAULT_MODEL, checkpoint.DEFAULT_PRETRAINED)
    assert known["hf_hub"] == checkpoint._DEFAULT_SOURCE


def vectors(folder: Path, pictures: list[np.ndarray], precision: str = "fp32") -> np.ndarray:
    encoder = clip_encoder(find_checkpoint(str(folder)), device="cpu", precision=precision)
    return encoder.encode(pictures)


@pytest.mark.parametrize("precision", clip.PRECISIONS)
def test_a_vector_has_unit_length_and_is_the_same_whatever_shares_the_batch(
    precision: str, folder: Path, photo: np.ndarray, views: list[np.ndarray]
) -> None:
    encoder = clip_encoder(find_checkpoint(str(folder)), device="cpu", precision=precision)
    together = encoder.encode(views)
    assert together.dtype == np.float32
    assert np.linalg.norm(together, axis=1) == pytest.approx(1, abs=1e-6)
    for i, view in enumerate(views):
        assert np.array_equal(encoder.encode([view])[0], together[i])
    others = [np.roll(photo, 9 * i, axis=1) for i in range(40 - len(views))]  # more than 32 in all
    for order in ([*others, *views], [*views[:3], *others, *views[3:]]):
        found = encoder.encode(order)
        places = [next(i for i, other in enumerate(order) if other is view) for view in views]
        assert np.array_equal(found[places], together)


@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
def test_a_picture_may_be_prepared_before_its_batch_and_gives_the_same_vector(
    mode: str, folder: Path, tmp_path: Path, views: list[np.ndarray]
) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / mode))
    config = json.loads((copy / "open_clip_config.json").read_text())
    config["preprocess_cfg"]["resize_mode"] = mode
    (copy / "open_clip_config.json").write_text(json.dumps(config))
    encoder = clip_encoder(find_checkpoint(str(copy)), device="cpu", precision="fp32")
    assert encoder.prepare
    assert encoder.prepare(views[0]) is views[0]  # nobody waits for the model
    whole = encoder.encode(views)
    prepared = [encoder.prepare(view) for view in views]
    assert {view.shape for view in prepared} == {(64, 64, 3)}
    assert np.array_equal(encoder.encode(prepared), whole)
    assert np.array_equal(encoder.encode([*views[:3], *prepared[3:]]), whole)
    expected = by_open_clip(f"local-dir:{copy}", [Image.fromarray(view) for view in views])
    assert aesthetic_head(encoder).score(whole) == pytest.approx(expected, abs=1e-5)


def test_scores_do_not_depend_on_workers_or_on_which_pictures_the_model_came_too_late_for(
    folder: Path, photo: np.ndarray
) -> None:
    sources = [(f"{i}", np.roll(photo, 9 * i, axis=1)) for i in range(70)]
    runs = []
    for workers, order in ((0, sources), (2, sources), (1, sources[::-1]), (2, sources[:3])):
        encoder = clip_encoder(find_checkpoint(str(folder)), "cpu", precision="bf16")
        for _ in ("without the model at first", "with it"):
            rows = extract(order, [aesthetic_head(encoder)], workers)
            runs.append({row["path"]: row["aesthetic"] for row in rows})
    assert len(set(runs[0].values())) > 60
    assert all(run[name] == runs[0][name] for run in runs for name in run)


@pytest.mark.parametrize("workers", [0, 2])
def test_weights_that_do_not_fit_end_a_run_with_their_error(
    workers: int, folder: Path, hub_cache: Path, photo: np.ndarray
) -> None:
    put_in_hub_cache(
        hub_cache, "laion/CLIP-ViT-B-32-laion2B-s34B-b79K", [folder / WEIGHTS]
    )  # tiny weights, big model
    rows = extract([("a", photo)], [aesthetic_head(clip_encoder(find_checkpoint()))], workers)
    with pytest.raises(ValueError, match="cannot be loaded as ViT-B-32"):
        list(rows)


def test_a_card_gets_as_many_rows_as_fill_it_and_its_vectors_are_kept_apart(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = find_checkpoint(str(folder))
    on_cpu = clip_encoder(found, "cpu", precision="fp16")
    monkeypatch.setattr(clip, "checked_device", lambda wanted: wanted)  # no card is needed so far
    on_cuda = clip_encoder(found, "cuda", batch_size=32)
    assert (on_cpu.batch, on_cuda.batch) == (32, 128)
    assert clip_encoder(found, "cuda", batch_size=512).batch == 512
    assert on_cpu.settings == (*found.identity, "precision=fp16")  # as what is stored already
    assert on_cuda.settings == (*on_cpu.settings, "rows=128")


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_is_close_to_fp32_and_is_used(
    precision: str, folder: Path, views: list[np.ndarray]
) -> None:
    exact, rough = vectors(folder, views), vectors(folder, views, precision)
    assert (exact * rough).sum(axis=1).min() > 0.999
    assert abs(exact - rough).max() > 1e-5


def test_prompts_are_encoded_in_fp32_whatever_the_precision(folder: Path) -> None:
    found = find_checkpoint(str(folder))
    sides = [
        clip_encoder(found, "cpu", precision=p).encode_texts([POSITIVE])[0] for p in clip.PRECISIONS
    ]
    assert np.array_equal(sides[0], sides[1])
    assert np.array_equal(sides[0], sides[2])


def test_the_precision_is_part_of_the_fingerprint_and_the_record(
    folder: Path, photo: np.ndarray
) -> None:
    found = find_checkpoint(str(folder))
    prints = [clip_encoder(found, "cpu", precision=p).fingerprint for p in clip.PRECISIONS]
    assert len(set(prints)) == len(prints)
    table = pr.rank(
        {"a": photo},
        features="aesthetic",
        clip_model=str(folder),
        device="cpu",
        precision="bf16",
        weights="aesthetic=1",
    )
    [column] = [c for c in table.attrs["photorank"]["columns"] if c["name"] == "aesthetic"]
    assert "precision=bf16" in column["version"]


def test_vectors_of_two_precisions_do_not_mix_in_the_store(
    folder: Path, photo: np.ndarray, tmp_path: Path
) -> None:
    file = tmp_path / "a.png"
    Image.fromarray(photo).save(file)
    found, fresh = find_checkpoint(str(folder)), {}
    for cache in ("", str(tmp_path / "store.sqlite")):
        for precision in clip.PRECISIONS:
            head = aesthetic_head(clip_encoder(found, "cpu", precision=precision))
            [row] = extract([file], [head], 0, cache)
            assert row["aesthetic"] == fresh.setdefault(precision, row["aesthetic"])
    assert len(set(fresh.values())) == len(clip.PRECISIONS)


@pytest.mark.parametrize(
    ("maker", "flags", "precision"),
    [
        ("GenuineIntel", "fpu avx2 avx512f", "fp32"),
        ("AuthenticAMD", "fpu avx2 avx512f", "fp32"),
        ("GenuineIntel", "fpu avx512f avx512_bf16", "fp32"),
        ("AuthenticAMD", "fpu avx512f avx512_bf16", "bf16"),
        ("GenuineIntel", "fpu avx512_bf16 amx_bf16 amx_tile", "bf16"),
    ],
)
def test_auto_takes_bf16_where_the_cpu_is_fast_at_it(
    maker: str,
    flags: str,
    precision: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    cpuinfo = f"processor\t: 0\nvendor_id\t: {maker}\nflags\t\t: {flags}\n"
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    monkeypatch.setattr(clip, "_CPUINFO", tmp_path / "cpuinfo")
    clip.log_once.cache_clear()
    with caplog.at_level("INFO", "photorank"):
        assert [clip.chosen_precision("auto", "cpu") for _ in range(2)] == [precision] * 2
    assert caplog.messages == [f"CLIP's pictures are computed in {precision} on cpu"]
    assert clip.chosen_precision("fp16", "cpu") == "fp16"
    assert clip.chosen_precision("auto", "cuda") == "fp16"
    assert clip.chosen_precision("auto", "mps") == "fp32"


def test_the_system_and_torch_agree_on_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    if not hasattr(torch.cpu, "get_capabilities"):
        pytest.skip("this torch cannot say what the CPU has")
    choices = {clip.chosen_precision("auto", device) for device in ("auto", checked_device("auto"))}
    if checked_device("auto") == "cpu":
        monkeypatch.setattr(clip, "_CPUINFO", Path("no/such/file"))
        monkeypatch.setattr(clip, "_GPU_FILES", ("/",))  # "there may be a GPU": torch is asked
        choices.add(clip.chosen_precision("auto", "auto"))
    assert len(choices) == 1


def test_the_device_is_the_systems_word_where_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip, "_GPU_FILES", ("no/such/file",))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setitem(sys.modules, "torch", None)  # to import it is an error
    assert [clip.chosen_device(wanted) for wanted in ("auto", "cpu")] == ["cpu", "cpu"]
    monkeypatch.undo()
    monkeypatch.setattr(clip, "_GPU_FILES", ("/",))  # "there may be a GPU": torch is asked
    assert clip.chosen_device("auto") == checked_device("auto")
    with pytest.raises(ValueError, match="'abacus' is not available here"):
        clip.chosen_device("abacus")


def test_an_unknown_precision_says_which_there_are(folder: Path) -> None:
    with pytest.raises(ValueError, match="auto, fp32, bf16, fp16, got 'int8'"):
        clip_encoder(find_checkpoint(str(folder)), precision="int8")


def test_choosing_a_precision_does_not_import_torch_on_linux_without_a_gpu(folder: Path) -> None:
    code = f"clip_encoder(find_checkpoint({str(folder)!r})); print('torch' in __import__('sys').modules)"
    needs_torch = sys.platform != "linux" or any(Path(f).exists() for f in clip._GPU_FILES)
    assert run(code).stdout.strip() == str(needs_torch)


def test_the_head_says_what_it_measures(folder: Path) -> None:
    head = aesthetic_head(clip_encoder(find_checkpoint(str(folder))), ["good"], ["bad", "dull"])
    [column] = head.columns
    assert (column.name, column.better, column.range) == ("aesthetic", "higher", (0, 1))
    assert head.settings == (("good", "bad"), ("good", "dull"))


def test_weights_that_lack_a_tensor_are_refused(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    weights = load_file(folder / WEIGHTS)
    del weights["visual.ln_post.weight"]
    save_file(weights, copy / WEIGHTS)
    with pytest.raises(ValueError, match=r"Missing key.*visual\.ln_post\.weight"):
        clip_encoder(find_checkpoint(str(copy)), device="cpu").encode(
            [np.zeros((9, 9, 3), np.uint8)]
        )


def test_the_fingerprint_names_the_weights_wherever_they_lie(folder: Path, tmp_path: Path) -> None:
    def fingerprint(path: Path) -> tuple[Any, ...]:
        return clip_encoder(find_checkpoint(str(path))).fingerprint

    moved = Path(shutil.copytree(folder, tmp_path / folder.name))
    assert fingerprint(moved) == fingerprint(folder)
    assert fingerprint(make_folder(tmp_path / "b" / folder.name, seed=1)) != fingerprint(folder)


def test_prompts_pair_in_order_or_one_with_all() -> None:
    assert prompt_pairs(["a", "b"], ["c", "d"]) == [("a", "c"), ("b", "d")]
    assert prompt_pairs(["a", "b"], ["c"]) == [("a", "c"), ("b", "c")]
    assert prompt_pairs("good", "bad") == [("good", "bad")]


@pytest.mark.parametrize(
    ("positive", "negative", "said"),
    [
        (["a", "b"], ["c", "d", "e"], "got 2 positive and 3 negative"),
        ([], ["c"], "at least one prompt"),
        ([" "], ["c"], "none may be empty"),
    ],
)
def test_prompts_that_do_not_pair(positive: list[str], negative: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        prompt_pairs(positive, negative)


def test_pair_scores_equal_clip_iqa() -> None:
    clip_iqa = pytest.importorskip("torchmetrics.functional.multimodal.clip_iqa")
    import torch

    random = np.random.default_rng(0)
    vectors, positive, negative = (
        side / np.linalg.norm(side, axis=1, keepdims=True)
        for side in (random.normal(size=(n, 16)).astype(np.float32) for n in (50, 3, 3))
    )
    anchors = np.stack([positive, negative], axis=1).reshape(6, 16)
    expected = clip_iqa._clip_iqa_compute(
        torch.from_numpy(vectors), torch.from_numpy(anchors), ["a", "b", "c"], format_as_dict=False
    )
    got = pair_scores(vectors, positive, negative, 100.0)
    assert got == pytest.approx(expected.mean(dim=1).numpy(), abs=1e-6)


def test_pair_scores_are_stable_for_large_logits() -> None:
    axes = np.eye(2, dtype=np.float32)
    assert pair_scores(axes, axes[:1], axes[1:], 1e9).tolist() == [1.0, 0.0]
    assert pair_scores(axes[:0], axes[:1], axes[1:], 100.0).shape == (0,)


def test_vectors_of_another_width_are_refused(folder: Path) -> None:
    head = aesthetic_head(clip_encoder(find_checkpoint(str(folder)), device="cpu"))
    with pytest.raises(ValueError, match=r"32 numbers each.*\(5, 512\).*one model"):
        head.score(np.zeros((5, 512), np.float32))


def test_an_unavailable_device_says_what_there_is(folder: Path) -> None:
    import torch

    found = find_checkpoint(str(folder))
    absent = "mps" if torch.cuda.is_available() else "cuda"
    for device in (absent, "abacus"):
        with pytest.raises(ValueError, match=f"'{device}' is not available here: there is .*cpu"):
            clip_encoder(found, device=device)


FOLDER = r"clip_model=FOLDER holding open_clip_config\.json and the weights"


@pytest.mark.parametrize(
    ("model", "pretrained", "said"),
    [
        ("ViT-B-33", "openai", "no model 'ViT-B-33'; did you mean .*ViT-B-32.*" + FOLDER),
        ("ViT-B-32", "laion2b_s34b", "no checkpoint 'laion2b_s34b'; .*laion2b_s34b_b79k"),
        ("ViT-B-32", "openai", "QuickGELU.*clip_model=ViT-B-32-quickgelu"),
        ("ViT-B-16", "dfn2b", "QuickGELU.*clip_model=ViT-B-16-quickgelu"),
        ("ViT-B-32", "{weights}", "is a weights file, which does not say how .*" + FOLDER),
        ("ViT-B-32", "mine.pt", r"clip_pretrained=mine\.pt is a weights file.*" + FOLDER),
        ("{empty}", "laion2b_s34b_b79k", "is no folder with open_clip_config.*" + FOLDER),
        ("{folder}", "openai", "brings its own weights"),
        ("ViT-B-16-SigLIP", "webli", "tokenizer"),
    ],
)
def test_what_cannot_be_right_is_refused(
    model: str, pretrained: str, said: str, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    paths = {"weights": folder / WEIGHTS, "folder": folder, "empty": tmp_path / "empty"}
    with pytest.raises(ValueError, match=said) as refused:
        find_checkpoint(model.format(**paths), pretrained.format(**paths))
    assert "\n" not in str(refused.value)


def test_a_folder_without_weights_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "open_clip_config.json", tmp_path)
    with pytest.raises(ValueError, match=r"should hold the weights open_clip_model\.safetensors"):
        find_checkpoint(str(tmp_path))


def test_pickled_code_is_never_run(folder: Path, tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "harm",))

    shutil.copy(folder / "open_clip_config.json", tmp_path)
    weights = tmp_path / "open_clip_pytorch_model.bin"
    weights.write_bytes(pickle.dumps({"state_dict": Harmful()}))
    encoder = clip_encoder(find_checkpoint(str(tmp_path)), device="cpu")
    with pytest.raises(ValueError, match=r"model\.bin cannot be loaded as "):
        encoder.encode([np.zeros((9, 9, 3), np.uint8)])
    assert not (tmp_path / "harm").exists()


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Python in a process of its own, as huggingface_hub reads the environment when imported."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    env = {**clean, "PYTHONPATH": str(ROOT), **environment}
    first = "from photorank.features.aesthetic import *"
    command = [sys.executable, "-c", f"{first}\n{code}"]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)


LOOK = """
import sys, time
start = time.monotonic()
try:
    find_checkpoint(download=True)
except CheckpointMissing as error:
    print(error)
print(time.monotonic() - start)
print("torch" in sys.modules)
"""


def test_missing_weights_without_a_network_are_noticed_within_5_seconds(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        said = run(LOOK, HF_HOME=str(tmp_path), HF_ENDPOINT=endpoint).stdout
    message, seconds, torch_was_imported = said.strip().splitlines()
    assert float(seconds) < 5
    for part in ("ViT-B-32", endpoint, "photorank download"):
        assert part in message
    assert torch_was_imported == "False"


def test_offline_mode_is_honoured(hub_cache: Path) -> None:
    with pytest.raises(CheckpointMissing, match="HF_HUB_OFFLINE is set"):
        find_checkpoint(download=True)
    with pytest.raises(CheckpointMissing, match="not in the Hub's cache"):
        find_checkpoint()
