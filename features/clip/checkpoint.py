"""CLIP checkpoints: found before any model is built, local, in the Hub's cache, or downloaded."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photorank.utils import hub

DEFAULT_MODEL = "ViT-B-32"
DEFAULT_PRETRAINED = "laion2b_s34b_b79k"

# What open_clip says of the default, so that looking for it does not import torch, which takes 4 s.
_DEFAULT_SOURCE = "laion/CLIP-ViT-B-32-laion2B-s34B-b79K/"
_CONFIG = "open_clip_config.json"
_WEIGHTS = (  # in the order in which open_clip itself prefers them
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
)
_SUFFIXES = (".safetensors", ".bin", ".pth", ".pt")
_PREPROCESS_KEYS = {"size", "mode", "mean", "std", "interpolation", "resize_mode", "fill_color"}
_LOCAL_WAYS = (
    f"a local checkpoint is clip_model=FOLDER holding {_CONFIG} and weights, or "
    "clip_pretrained=FILE with clip_preprocess=FILE.json or clip_preprocess=default"
)


class CheckpointMissing(ValueError):  # noqa: N818  it names a state that callers expect
    """The weights are not on this machine; the message says which, and how to get them."""


@dataclass(frozen=True)
class Checkpoint:
    """CLIP weights that are on this machine.

    Attributes:
        model: open_clip's name of the model, a folder, or "hf-hub:org/name".
        pretrained: open_clip's tag or a weights file; empty where the model brings its weights.
        weights: the file.
        folder: where `open_clip_config.json` lies, or None for a model known by its name.
        preprocess: open_clip's preprocessing keys, or None for those of the tag or the folder.
        identity: which model, weights and preprocessing these are, wherever the file lies.
    """

    model: str
    pretrained: str
    weights: Path
    folder: Path | None
    preprocess: dict[str, Any] | None
    identity: tuple[str, ...]


def find_checkpoint(
    model: str = DEFAULT_MODEL,
    pretrained: str = DEFAULT_PRETRAINED,
    preprocess: str | None = None,
    download: bool = False,
) -> Checkpoint:
    """Find CLIP weights before any model is built: local, else in the Hub's cache, else the Hub.

    Args:
        model: open_clip's name, a folder with `open_clip_config.json` and weights, or
            "hf-hub:org/name".
        pretrained: a tag of that model or a weights file; unused with a folder or "hf-hub:".
        preprocess: for a weights file: a JSON file with open_clip's preprocessing keys, or
            "default" for the one with which all published weights of that model are used.
        download: fetch what is missing, with a progress bar; else the network is never used.

    Raises:
        CheckpointMissing: the weights are neither here nor, with `download`, to be had.
        ValueError: an unknown model or tag, a local checkpoint without its preprocessing, or
            weights trained with another activation (QuickGELU) than the model has.
    """
    folder = Path(model.removeprefix("local-dir:")).expanduser()
    brings_weights = model.startswith("hf-hub:") or (folder / _CONFIG).is_file()
    if brings_weights and (preprocess or pretrained not in ("", DEFAULT_PRETRAINED)):
        raise ValueError(
            f"{model} brings its own weights and preprocessing: leave out clip_pretrained and "
            f"clip_preprocess, got {pretrained!r} and {preprocess!r}"
        )
    if model.startswith("hf-hub:"):
        return _from_repository(model, download)
    if brings_weights:
        return _from_folder(model, folder.resolve())
    if model.startswith("local-dir:") or os.sep in model or folder.is_dir():
        raise ValueError(f"{model} is no folder with {_CONFIG}; {_LOCAL_WAYS}")
    file = Path(pretrained).expanduser()
    if file.exists() or os.sep in pretrained or file.suffix in _SUFFIXES:
        return _from_file(model, file, preprocess)
    if preprocess:
        raise ValueError(
            f"clip_preprocess goes with a weights file, but the tag {pretrained!r} has its own"
        )
    return _from_tag(model, pretrained, download)


def _from_folder(model: str, folder: Path) -> Checkpoint:
    files = sorted(f for f in folder.iterdir() if f.suffix in (".safetensors", ".bin", ".pth"))
    preferred = [folder / name for name in _WEIGHTS if folder / name in files]
    if not preferred and len(files) != 1:
        names = ", ".join(f.name for f in files) or "none"
        raise ValueError(f"{folder} should hold the weights {_WEIGHTS[0]}, got {names}")
    weights = (preferred or files)[0]
    _check_config(model, folder / _CONFIG)
    identity = (
        f"weights={hub.file_sha256(weights)}",
        f"config={hub.file_sha256(folder / _CONFIG)}",
    )
    return Checkpoint(model, "", weights, folder, None, (f"model={folder.name}", *identity))


def _from_repository(model: str, download: bool) -> Checkpoint:
    repo = model.removeprefix("hf-hub:")
    config = _have(repo, (_CONFIG,), model, download)
    weights = _have(repo, _WEIGHTS, model, download)
    if weights.parent != config.parent:  # the repository changed between two downloads
        config = _have(repo, (_CONFIG,), model, download)
    _check_config(model, config)
    return Checkpoint(model, "", weights, config.parent, None, _hub_identity(model, "", weights))


def _from_file(model: str, file: Path, preprocess: str | None) -> Checkpoint:
    if not file.is_file() or not preprocess:
        problem = "comes without clip_preprocess" if file.is_file() else "is no file"
        raise ValueError(f"clip_pretrained={file} {problem}; {_LOCAL_WAYS}")
    _check_model(model)
    keys = _own_preprocess(model) if preprocess == "default" else _read_preprocess(preprocess)
    identity = (
        f"model={model}",
        f"weights={hub.file_sha256(file)}",
        f"preprocess={json.dumps(keys, sort_keys=True)}",
    )
    return Checkpoint(model, str(file), file.resolve(), None, keys, identity)


def _from_tag(model: str, tag: str, download: bool) -> Checkpoint:
    is_default = (model, tag) == (DEFAULT_MODEL, DEFAULT_PRETRAINED)
    source = _DEFAULT_SOURCE if is_default else _check_tag(model, tag)
    repo, filename = os.path.split(source)
    names = (f"{Path(filename).stem}.safetensors", filename) if filename else _WEIGHTS
    weights = _have(repo, names, f"{model} {tag}", download)
    return Checkpoint(model, tag, weights, None, None, _hub_identity(model, tag, weights))


def _have(repo: str, names: Sequence[str], what: str, download: bool) -> Path:
    """The first of `names` in the Hub's cache, or downloaded."""
    for name in names:
        if path := hub.cached(repo, name):
            return path
    why = f"{repo}/{names[0]} is not in the Hub's cache"
    if download:
        try:
            return hub.fetch(repo, names)
        except hub.HubError as error:
            why = str(error)
    raise CheckpointMissing(
        f"the CLIP checkpoint {what} is missing ({why}): run `photorank download` where there is a "
        "network, or name a checkpoint that you have (docs/models.md)"
    )


def _hub_identity(model: str, tag: str, weights: Path) -> tuple[str, ...]:
    """A file of the Hub is known by its commit, which names the folder that it lies in."""
    return (f"model={model}", f"pretrained={tag}", f"weights={weights.name}@{weights.parent.name}")


def _check_model(model: str) -> None:
    import open_clip

    names = open_clip.list_models()
    if model not in names:
        raise ValueError(f"open_clip has no model {model!r}{_near(model, names)}; {_LOCAL_WAYS}")
    _check_tokenizer(model, open_clip.get_model_config(model))


def _check_tag(model: str, tag: str) -> str:
    """Where the Hub has the weights of a tag: "org/name/", or "org/name/file"."""
    import open_clip

    _check_model(model)
    known = open_clip.get_pretrained_cfg(model, tag)
    if not known:
        tags = open_clip.list_pretrained_tags_by_model(model)
        near = _near(tag, tags) or f" (it has {', '.join(tags) or 'none'})"
        raise ValueError(f"{model} has no checkpoint {tag!r}{near}; {_LOCAL_WAYS}")
    if known.get("quick_gelu") and not open_clip.get_model_config(model).get("quick_gelu"):
        raise ValueError(
            f"the checkpoint {tag!r} was trained with QuickGELU, which {model!r} does not have: "
            f"use clip_model={model}-quickgelu"
        )
    return str(known["hf_hub"])


def _check_config(model: str, config: Path) -> None:
    try:
        _check_tokenizer(model, json.loads(config.read_text("utf-8"))["model_cfg"])
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{config} is no open_clip model configuration: {error!r}") from error


def _check_tokenizer(model: str, config: dict[str, Any]) -> None:
    if config["text_cfg"].get("hf_tokenizer_name") or config["text_cfg"].get("hf_model_name"):
        raise ValueError(
            f"{model} needs a tokenizer of the package transformers, which is not supported; "
            f"choose a model with open_clip's own, such as {DEFAULT_MODEL}"
        )


def _own_preprocess(model: str) -> dict[str, Any]:
    """What all published weights of a model are used with; open_clip's own where there are none."""
    import open_clip

    every = [
        {k: v for k, v in open_clip.get_pretrained_cfg(model, tag).items() if k in _PREPROCESS_KEYS}
        for tag in open_clip.list_pretrained_tags_by_model(model)
    ]
    if any(one != every[0] for one in every):
        raise ValueError(
            f"clip_preprocess=default: the published weights of {model} are used with different "
            "preprocessings; name that of yours in a JSON file"
        )
    return every[0] if every else {}


def _read_preprocess(file: str) -> dict[str, Any]:
    try:
        keys = json.loads(Path(file).expanduser().read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"clip_preprocess={file} is no readable JSON file: {error}") from error
    keys = keys.get("preprocess_cfg", keys) if isinstance(keys, dict) else keys
    if not isinstance(keys, dict) or not keys or not set(keys) <= _PREPROCESS_KEYS:
        raise ValueError(
            f"clip_preprocess={file} should hold some of {', '.join(sorted(_PREPROCESS_KEYS))}, "
            f"got {', '.join(keys) if isinstance(keys, dict) else keys!r}"
        )
    return keys


def _near(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, 4, 0.5)
    return f" (near: {', '.join(near)})" if near else ""
