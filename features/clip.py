"""A CLIP model at work: on which device, in which precision; pictures and prompts -> vectors."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from .checkpoint import Checkpoint

PRECISIONS = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
"""What torch calls each."""

# Which way a product of matrices is computed, and so its last bits, depends on their shape alone:
# all batches have this many rows, the last one black pictures after the photos.
_ROWS = 32
_FAST_BF16 = "amx_bf16"  # avx512_bf16 alone was slower than fp32 (docs/performance.md)
_CPUINFO = Path("/proc/cpuinfo")
_GPU_FILES = ("/dev/nvidiactl", "/dev/nvhost-gpu", "/dev/kfd", "/dev/dxg")  # NVIDIA, AMD, WSL


class Clip:
    """A model that is loaded on first use, once, whichever thread comes first."""

    def __init__(self, checkpoint: Checkpoint, device: str, precision: str) -> None:
        self._checkpoint, self._device, self._precision = checkpoint, device, precision
        self._lock = threading.Lock()
        self._parts: _Parts | None = None

    def images(self, views: Sequence[np.ndarray]) -> np.ndarray:
        """Pictures -> (n, d) float32 unit vectors."""
        import torch

        parts = self._loaded()
        starts = range(0, len(views), _ROWS)
        with torch.inference_mode(), ThreadPoolExecutor() as pool:
            # A GPU works on a batch while the next one is cropped: only the end waits for it.
            vectors = [self._batch(parts, pool, views[i : i + _ROWS]) for i in starts]
            return np.asarray(torch.cat(vectors)[: len(views)].cpu())

    def _batch(self, parts: _Parts, pool: ThreadPoolExecutor, views: Sequence[np.ndarray]) -> Any:
        import torch

        crops = np.stack(list(pool.map(parts.crop, views)))
        pixels = torch.zeros((_ROWS, *crops.shape[1:]), dtype=torch.uint8)
        pixels[: len(crops)] = torch.from_numpy(crops)
        if parts.device == "cuda":
            pixels = pixels.pin_memory()
        pixels = pixels.to(parts.device, non_blocking=True).permute(0, 3, 1, 2)
        batch = parts.normalise(pixels.to(torch.float32).div(255))
        batch = batch.to(getattr(torch, PRECISIONS[self._precision]))
        vectors = parts.model.encode_image(batch)
        return torch.nn.functional.normalize(vectors.float(), dim=-1)

    def texts(self, prompts: Sequence[str]) -> tuple[np.ndarray, float]:
        """Prompts -> (n, d) float32 unit vectors, and the model's logit scale."""
        import torch

        parts = self._loaded()
        with torch.inference_mode():
            tokens = parts.tokenizer(list(prompts)).to(parts.device)
            vectors = parts.model.encode_text(tokens, normalize=True)
        return np.asarray(vectors.float().cpu()), parts.model.logit_scale.exp().item()

    def _loaded(self) -> _Parts:
        with self._lock:
            if self._parts is None:
                self._parts = _load(self._checkpoint, checked_device(self._device), self._precision)
            return self._parts


class _Parts(NamedTuple):
    model: Any
    transforms: Any
    """open_clip's preprocessing, step by step; the last two are "to a tensor" and "normalise"."""
    tokenizer: Any
    device: str

    def crop(self, view: np.ndarray) -> np.ndarray:
        """What the model sees of a picture, still 8 bits per channel."""
        image = Image.fromarray(view)
        for step in self.transforms[:-2]:
            image = step(image)
        return np.asarray(image)

    @property
    def normalise(self) -> Any:
        return self.transforms[-1]


def _load(checkpoint: Checkpoint, device: str, precision: str) -> _Parts:
    """The weights are read as tensors only, never as pickled code."""
    import open_clip
    import torch
    from open_clip.transform import PreprocessCfg, image_transform_v2

    name = f"local-dir:{checkpoint.folder}" if checkpoint.folder else checkpoint.model
    keys = checkpoint.preprocess
    if keys is None:
        keys = open_clip.get_pretrained_cfg(checkpoint.model, checkpoint.pretrained)
    try:
        with _no_random_weights():
            model = open_clip.create_model(
                name,
                None if checkpoint.folder else str(checkpoint.weights),
                device=device,
                force_preprocess_cfg=keys,
                require_pretrained=True,
                weights_only=True,
            )
    except Exception as error:  # whatever torch, safetensors or open_clip make of a foreign file
        reason = " ".join(str(error).split())[:300]
        raise ValueError(
            f"{checkpoint.weights} cannot be loaded as {checkpoint.model}: {reason}"
        ) from error
    layout = torch.channels_last if device == "cuda" else torch.preserve_format
    model.eval().visual.to(dtype=getattr(torch, PRECISIONS[precision]), memory_format=layout)
    transform = image_transform_v2(PreprocessCfg(**model.visual.preprocess_cfg), is_train=False)
    return _Parts(model, transform.transforms, open_clip.get_tokenizer(name), device)


def _no_random_weights() -> Any:
    """Drawing them takes a second, and open_clip refuses a file that does not overwrite all of them."""
    from torch.overrides import TorchFunctionMode

    class NoInit(TorchFunctionMode):
        def __torch_function__(
            self, function: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            kwargs = kwargs or {}
            if getattr(function, "__module__", "") == "torch.nn.init":
                return args[0] if args else kwargs["tensor"]
            return function(*args, **kwargs)

    return NoInit()


def checked_device(wanted: str) -> str:
    """The device that runs; "auto" is the first there is.

    Raises:
        ValueError: one that is not there.
    """
    import torch

    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    there = [name for name, is_there in present.items() if is_there]
    if wanted != "auto" and wanted not in there:
        raise ValueError(f"device {wanted!r} is not available here: there is {', '.join(there)}")
    return there[0] if wanted == "auto" else wanted


def chosen_precision(wanted: str, device: str) -> str:
    """The precision that runs; "auto" is fp16 on cuda, bf16 on a CPU with AMX, else fp32.

    Asked even by a run that finds all vectors in the store, so that torch, which takes seconds to
    import, is not asked where the system knows. If it overlooks a GPU, that runs as the CPU would.

    Raises:
        ValueError: an unknown one.
    """
    if wanted in PRECISIONS:
        return wanted
    if wanted != "auto":
        raise ValueError(f"precision is one of auto, {', '.join(PRECISIONS)}, got {wanted!r}")
    if device == "auto":
        device = "cpu" if _has_no_gpu() else checked_device("auto")
    if device == "cpu":
        return "bf16" if _has_fast_bf16() else "fp32"
    return "fp16" if device == "cuda" else "fp32"


def _has_no_gpu() -> bool:
    return sys.platform == "linux" and not any(Path(file).exists() for file in _GPU_FILES)


def _has_fast_bf16() -> bool:
    if _CPUINFO.exists():
        return _FAST_BF16 in _CPUINFO.read_text().split()
    import torch

    if not hasattr(torch.cpu, "get_capabilities"):  # older than that
        return False
    return bool(torch.cpu.get_capabilities().get(_FAST_BF16))
