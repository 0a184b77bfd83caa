"""The network at work: pictures -> vectors. ONNX Runtime on a CPU, torch on CUDA, the same weights."""

from __future__ import annotations

import functools
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from photorank.utils.words import one_line

from ..base import Encoder, UnavailableError
from ..clip.model import chosen_device

GRAPH = Path(__file__).with_name("network.onnx")
"""What is computed; it reads its weights from the file beside it."""
WEIGHTS = Path(__file__).with_name("network.safetensors")
"""All weights, in half precision, by the names that `network.py` gives them."""

SIZE = 512
WIDTH = 256
"""Numbers in a vector: docs/quality.md says what fewer and more are worth."""

_VERSION = "1"
ROWS = 32  # of each batch by torch, always: the way a product is computed depends on the shape


def network_encoder(device: str = "cpu") -> Encoder:
    """The encoder of 512-pixel views; the network loads on first use.

    On a CPU one photo is computed at a time, on one thread, so that its vector depends on nothing
    else. CUDA takes batches of 32 rows, whatever is in them; its scores count as the same, and are to
    stay within .005 (docs/quality.md).

    Args:
        device: "cuda", or "auto" where there is a GPU that torch can use; any other: the CPU.

    Raises:
        ValueError: a device that is not there.
    """
    settings = (identity(WEIGHTS),)
    if chosen_device(device) == "cuda":
        return Encoder("network", _VERSION, settings, "rgb", SIZE, ROWS, _on_cuda, load=_loaded)
    return Encoder("network", _VERSION, settings, "rgb", SIZE, None, _on_cpu)


@functools.cache
def identity(weights: Path) -> str:
    """Of its bytes: what was measured by another network is measured again."""
    try:
        return f"{zlib.crc32(weights.read_bytes()):08x}"
    except OSError:
        return "missing"


def by_onnx_runtime(graph: Path) -> Callable[[np.ndarray], np.ndarray]:
    """A graph as a function from a view to its vector, run on the calling thread.

    More threads would add up in another order.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # as fast without, and photos of many shapes would fill it
    options.log_severity_level = 3  # it warns of what no user can change
    ready = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return lambda view: ready.run(None, {"view": view})[0]


_loading = threading.Lock()


@functools.cache
def _shipped() -> Callable[[np.ndarray], np.ndarray]:
    return by_onnx_runtime(GRAPH)


def _on_cpu(views: Sequence[np.ndarray]) -> np.ndarray:
    with _loading, _or_unavailable():  # the first threads come at once: one session serves them all
        encode = _shipped()
    return np.stack([encode(view) for view in views])


def _on_cuda(views: Sequence[np.ndarray]) -> np.ndarray:
    import torch

    from .network import encode

    with torch.backends.cudnn.flags(allow_tf32=False):  # ten bits of a fraction are too few
        return encode(_loaded(), views, "cuda")


@functools.cache
def _loaded() -> Any:
    with _or_unavailable():
        import torch

        from .network import load

        return load(WEIGHTS).to("cuda").to(memory_format=torch.channels_last)


@contextmanager
def _or_unavailable() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        reason = f"its network cannot be loaded ({one_line(error)}): install photorank again"
        raise UnavailableError(reason) from error
