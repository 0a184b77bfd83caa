"""CLIP checkpoints: found before any model is built, local, in the Hub's cache, or downloaded."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photorank.utils import hub
from photorank.utils.words import near

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
_LOCAL_WAY = f"a local checkpoint is clip_model=FOLDER holding {_CONFIG} and the weights"


class CheckpointMissing(ValueError):  # noqa: N818  it names a state that callers expect
    """The weights are not on this machine; the message says which, and how to get them."""


@dataclass(frozen=True)
class Checkpoint:
    """CLIP weights that are on this machine.

    Attributes:
        model: open_clip's name of the model, a folder, or "hf-hub:org/name".
        pretrained: open_clip's tag; empty where the model brings its weights.
        weights: the file.
        folder: where `open_clip_config.json` lies, or None for a model known by its name.
        identity: which model, weights and preprocessing these are, wherever the file lies.
    """

    model: str
    pretrained: str
    weights: Path
    folder: Path | None
    identity: tuple[str, ...]


def find_checkpoint(
    model: str = DEFAULT_MODEL,
    pretrained: str = DEFAULT_PRETRAINED,
    download: bool = False,
) -> Checkpoint:
    """Find CLIP weights before any model is built: local, else in the Hub's cache, else the Hub.

    Args:
        model: open_clip's name, a folder with `open_clip_config.json` and weights, or
            "hf-hub:org/name".
        pretrained: a tag of that model; unused with a folder or "hf-hub:".
        download: fetch what is missing, with a progress bar; else the network is never used.

    Raises:
        CheckpointMissing: the weights are neither here nor, with `download`, to be had.
        ValueError: an unknown model or tag, a bare weights file, which does not say how its
            pictures must be prepared, or weights trained with another activation (QuickGELU) than
            the model has.
    """
    folder = Path(model.removeprefix("local-dir:")).expanduser()
    brings_weights = model.startswith("hf-hub:") or (folder / _CONFIG).is_file()
    if brings_weights and pretrained not in ("", DEFAULT_PRETRAINED):
        raise ValueError(
            f"{model} brings its own weights: leave out clip_pretrained, got {pretrained!r}"
        )
    if model.startswith("hf-hub:"):
        return _from_repository(model, download)
    if brings_weights:
        return _from_folder(model, folder.resolve())
    if model.startswith("local-dir:") or os.sep in model or folder.is_dir():
        raise ValueError(f"{model} is no folder with {_CONFIG}; {_LOCAL_WAY}")
    if os.sep in pretrained or pretrained.endswith(_SUFFIXES):
        raise ValueError(
            f"clip_pretrained={pretrained} is a weights file, which does not say how its pictures "
            f"must be prepared; {_LOCAL_WAY} (docs/models.md)"
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
    return Checkpoint(model, "", weights, folder, (f"model={folder.name}", *identity))


def _from_repository(model: str, download: bool) -> Checkpoint:
    repo = model.removeprefix("hf-hub:")
    config = _have(repo, (_CONFIG,), model, download)
    weights = _have(repo, _WEIGHTS, model, download)
    if weights.parent != config.parent:  # the repository changed between two downloads
        config = _have(repo, (_CONFIG,), model, download)
    _check_config(model, config)
    return Checkpoint(model, "", weights, config.parent, _hub_identity(model, "", weights))


def _from_tag(model: str, tag: str, download: bool) -> Checkpoint:
    is_default = (model, tag) == (DEFAULT_MODEL, DEFAULT_PRETRAINED)
    source = _DEFAULT_SOURCE if is_default else _check_tag(model, tag)
    repo, filename = os.path.split(source)
    names = (f"{Path(filename).stem}.safetensors", filename) if filename else _WEIGHTS
    weights = _have(repo, names, f"{model} {tag}", download)
    return Checkpoint(model, tag, weights, None, _hub_identity(model, tag, weights))


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
        raise ValueError(f"open_clip has no model {model!r}; {near(model, names)}; {_LOCAL_WAY}")
    _check_tokenizer(model, open_clip.get_model_config(model))


def _check_tag(model: str, tag: str) -> str:
    """Where the Hub has the weights of a tag: "org/name/", or "org/name/file"."""
    import open_clip

    _check_model(model)
    known = open_clip.get_pretrained_cfg(model, tag)
    if not known:
        tags = open_clip.list_pretrained_tags_by_model(model)
        raise ValueError(f"{model} has no checkpoint {tag!r}; {near(tag, tags)}; {_LOCAL_WAY}")
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
