"""A CLIP model at work: on which device, in which precision; pictures and prompts -> vectors."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from photorank.utils.logging import log_once
from photorank.utils.words import one_line

from .checkpoint import Checkpoint

PRECISIONS = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
"""What torch calls each."""

# Which way a product of matrices is computed, and so its last bits, depends on their shape alone:
# all batches have this many rows, the last one black pictures after the photos.
_ROWS = 32
_ROWS_ON_CUDA = 128  # an H100 reaches a third of its speed with 32 (docs/performance.md)
# What a processor that is faster in bf16 than in fp32 says of itself. An Intel whose AMX was hidden
# from oneDNN, so that avx512_bf16 was left, was slower (docs/performance.md).
_FAST_BF16 = ({"amx_bf16"}, {"AuthenticAMD", "avx512_bf16"})
_CPUINFO = Path("/proc/cpuinfo")
_GPU_FILES = ("/dev/nvidiactl", "/dev/nvhost-gpu", "/dev/kfd", "/dev/dxg")  # NVIDIA, AMD, WSL


class Clip:
    """A model that is loaded on first use, once, whichever thread comes first."""

    def __init__(self, checkpoint: Checkpoint, device: str, precision: str) -> None:
        self._checkpoint, self._device, self._precision = checkpoint, device, precision
        self.rows = _ROWS_ON_CUDA if device == "cuda" else _ROWS
        self._lock = threading.Lock()
        self._parts: _Parts | None = None

    def prepare(self, view: np.ndarray) -> np.ndarray:
        """What the model sees of a picture; all of it until there is a model, so that nobody waits."""
        return self._parts.crop(view) if self._parts else view

    def images(self, views: Sequence[np.ndarray]) -> np.ndarray:
        """Pictures, prepared or not -> (n, d) float32 unit vectors."""
        import torch

        parts = self.load()
        starts = range(0, len(views), self.rows)
        with torch.inference_mode():
            # A GPU works on a batch while the next one is put together: only the end waits for it.
            vectors = [self._batch(parts, views[i : i + self.rows]) for i in starts]
            return np.asarray(torch.cat(vectors)[: len(views)].cpu())

    def _batch(self, parts: _Parts, views: Sequence[np.ndarray]) -> Any:
        import torch

        crops = np.stack([parts.crop(view) for view in views])
        pixels = torch.zeros((self.rows, *crops.shape[1:]), dtype=torch.uint8)
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

        parts = self.load()
        with torch.inference_mode():
            tokens = parts.tokenizer(list(prompts)).to(parts.device)
            vectors = parts.model.encode_text(tokens, normalize=True)
        return np.asarray(vectors.float().cpu()), parts.model.logit_scale.exp().item()

    def load(self) -> _Parts:
        """The model, now."""
        with self._lock:
            if self._parts is None:
                self._parts = _load(self._checkpoint, self._device, self._precision)
            return self._parts


class _Parts(NamedTuple):
    model: Any
    transforms: Any
    """open_clip's preprocessing, step by step; the last two are "to a tensor" and "normalise"."""
    tokenizer: Any
    device: str
    size: tuple[int, int]
    """Height and width of its input."""

    def crop(self, view: np.ndarray) -> np.ndarray:
        """What the model sees of a picture, still 8 bits per channel; of one of its size, all."""
        if view.shape[:2] == self.size:
            return view
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
        raise ValueError(
            f"{checkpoint.weights} cannot be loaded as {checkpoint.model}: {one_line(error)[:300]}"
        ) from error
    layout = torch.channels_last if device == "cuda" else torch.preserve_format
    model.eval().visual.to(dtype=getattr(torch, PRECISIONS[precision]), memory_format=layout)
    preprocess = PreprocessCfg(**model.visual.preprocess_cfg)
    transforms = image_transform_v2(preprocess, is_train=False).transforms
    tokenizer = open_clip.get_tokenizer(name)
    return _Parts(model, transforms, tokenizer, device, preprocess.input_size[1:])


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


def chosen_device(wanted: str) -> str:
    """The device that runs, as `checked_device` says, but torch, which takes seconds to import, is not
    asked where the system knows.

    Asked even by a run that finds all vectors in the store. A GPU that the system overlooks is used
    by its name.

    Raises:
        ValueError: one that is not there.
    """
    if wanted == "cpu" or (wanted == "auto" and _has_no_gpu()):
        return "cpu"
    return checked_device(wanted)


def chosen_precision(wanted: str, device: str) -> str:
    """The precision that runs; "auto" is fp16 on cuda, bf16 on a CPU that is fast at it, else fp32.

    Raises:
        ValueError: an unknown one.
    """
    if wanted in PRECISIONS:
        return wanted
    if wanted != "auto":
        raise ValueError(f"precision is one of auto, {', '.join(PRECISIONS)}, got {wanted!r}")
    device = chosen_device("auto") if device == "auto" else device
    precision = "fp16" if device == "cuda" else "fp32"
    if device == "cpu" and _has_fast_bf16():
        precision = "bf16"
    log_once(logging.INFO, f"CLIP's pictures are computed in {precision} on {device}")
    return precision


def _has_no_gpu() -> bool:
    return sys.platform == "linux" and not any(Path(file).exists() for file in _GPU_FILES)


def _has_fast_bf16() -> bool:
    words = _words_of_the_cpu()
    return any(needed <= words for needed in _FAST_BF16)


def _words_of_the_cpu() -> set[str]:
    """Who made it and what it has; where the system has no such file, torch knows the latter."""
    if _CPUINFO.exists():
        return set(_CPUINFO.read_text().split())
    import torch

    capabilities = getattr(torch.cpu, "get_capabilities", dict)  # older torch lacks it
    return {name for name, is_there in capabilities().items() if is_there is True}
