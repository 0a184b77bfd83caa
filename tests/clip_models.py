"""Small CLIP models with random weights, laid out as people have them on their disks."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

MODEL_CFG: dict[str, Any] = {
    "embed_dim": 32,
    "vision_cfg": {
        "image_size": 64,
        "layers": 2,
        "width": 64,
        "head_width": 32,
        "patch_size": 16,
    },
    "text_cfg": {
        "context_length": 77,
        "vocab_size": 49408,
        "width": 32,
        "heads": 2,
        "layers": 1,
    },
}
PREPROCESS_CFG: dict[str, Any] = {
    "mean": [0.5, 0.4, 0.3],
    "std": [0.3, 0.2, 0.25],
    "interpolation": "bicubic",
    "resize_mode": "squash",
}
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def make_folder(folder: Path, seed: int = 0) -> Path:
    """A folder with `open_clip_config.json` and safetensors weights."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    torch.manual_seed(seed)
    model = open_clip.CLIP(**MODEL_CFG)
    with torch.no_grad():
        model.logit_scale.fill_(20.0).log_()
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
    config = {"model_cfg": MODEL_CFG, "preprocess_cfg": PREPROCESS_CFG}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return folder


def put_in_hub_cache(cache: Path, repo: str, files: list[Path]) -> Path:
    """Lay files out as huggingface_hub does: blobs by SHA-256, a snapshot of links, refs/main."""
    root = cache / f"models--{repo.replace('/', '--')}"
    snapshot = root / "snapshots" / COMMIT
    for folder in (root / "blobs", root / "refs", snapshot):
        folder.mkdir(parents=True)
    for file in files:
        blob = root / "blobs" / hashlib.sha256(file.read_bytes()).hexdigest()
        blob.write_bytes(file.read_bytes())
        (snapshot / file.name).symlink_to(Path("../../blobs") / blob.name)
    (root / "refs" / "main").write_text(COMMIT)
    return snapshot
