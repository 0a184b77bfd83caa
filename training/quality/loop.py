"""The training loop: from weights, photos and ratings to a network."""

from __future__ import annotations

import copy
import ctypes
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import interpolate

from photorank.features.quality.encoder import SIZE
from photorank.features.quality.network import Network
from photorank.utils.io import write

from .loss import loss
from .photos import Batch, batches


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; docs/quality.md has the alternatives and their figures.

    Attributes:
        epochs: passes over the photos.
        batch: photos a step, each with a copy.
        rate: highest learning rate of the trunk at a batch of 48; the heads' is five times that.
        crops: share of steps that see a crop at full size, the others the whole at a smaller one.
        sides: of both, in pixels.
        seed: of everything that is drawn.
    """

    epochs: int = 8
    batch: int = 48
    rate: float = 5e-4
    crops: float = 0.35
    crop_sides: tuple[int, ...] = (384, 416, 448)
    sides: tuple[int, ...] = (320, 384, 448, 512)
    seed: int = 0


ON_CPU: dict[str, Any] = {"batch": 16, "crop_sides": (288, 320, 352), "sides": (256, 320, 384, 448)}
"""What a recipe has otherwise there: an epoch takes half as long."""

_DECAY, _WARM_UP, _LONGEST_STEP, _AVERAGE = 0.02, 0.05, 5.0, 0.999
_USUAL_BATCH, _HEADS_FASTER = 48, 5


class Training:
    """A network on its way; `save` and `resume` let an interrupted one go on."""

    def __init__(self, network: Network, recipe: Recipe, photos: int, device: str) -> None:
        self.recipe, self.device = recipe, device
        self.network = network.to(device).to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).eval()
        if device == "cpu":
            _speed_up_on_cpu(self.network)
        self.epoch = self.step = 0
        self.steps = max(1, recipe.epochs * (photos // recipe.batch))
        self.optimizer = torch.optim.AdamW(self._groups(), weight_decay=_DECAY)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._rate)

    def _groups(self) -> list[dict[str, Any]]:
        rate = self.recipe.rate * math.sqrt(self.recipe.batch / _USUAL_BATCH)
        heads = [*self.network.projection.parameters(), *self.network.heads.parameters()]
        known = {id(weight) for weight in heads}
        trunk = [weight for weight in self.network.parameters() if id(weight) not in known]
        return [{"params": trunk, "lr": rate}, {"params": heads, "lr": rate * _HEADS_FASTER}]

    def _rate(self, step: int) -> float:
        """Rises over the first twentieth, then falls along a cosine."""
        share = min(1.0, step / self.steps)
        return (
            min(1.0, (step + 1) / (_WARM_UP * self.steps + 1)) * (1 + math.cos(math.pi * share)) / 2
            + 1e-3
        )

    def run_epoch(
        self,
        views: Sequence[np.ndarray],
        ratings: np.ndarray,
        rows: np.ndarray,
        after_step: Callable[[], object],
    ) -> None:
        """One pass over `rows`, numbers of photos."""
        self.network.train()
        seed = (self.recipe.seed, self.epoch)
        torch.manual_seed(hash(seed))  # what is dropped out: an epoch is the same after `resume`
        geometry = np.random.default_rng((*seed, 1))
        for batch in batches(views, rows, self.recipe.batch, seed):
            self._train(batch, torch.tensor(ratings[batch.numbers], dtype=torch.float32), geometry)
            after_step()
        self.epoch += 1

    def _train(self, batch: Batch, ratings: torch.Tensor, geometry: np.random.Generator) -> None:
        pictures = torch.from_numpy(batch.pictures).to(self.device, non_blocking=True)
        seen = _seen(pictures.float(), self.recipe, geometry)
        with torch.autocast(self.device, dtype=torch.bfloat16):
            vectors = self.network(seen.contiguous(memory_format=torch.channels_last))
            found = self.network.heads(self.network.dropout(vectors))
        levels = torch.from_numpy(batch.levels).to(self.device)
        wrong = loss(found.float(), levels, ratings.to(self.device))
        self.optimizer.zero_grad(set_to_none=True)
        wrong.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), _LONGEST_STEP)
        self.optimizer.step()
        self.schedule.step()
        self.step += 1
        self._move_average()

    @torch.no_grad()
    def _move_average(self) -> None:
        kept = min(_AVERAGE, (1 + self.step) / (10 + self.step))
        for mean, now in zip(_floats(self.average), _floats(self.network), strict=True):
            mean.lerp_(now, 1 - kept)

    def save(self, path: Path) -> None:
        """All that `resume` needs."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "epoch": self.epoch,
            "step": self.step,
        }
        write(path, lambda part: torch.save(state, part))

    def resume(self, path: Path) -> None:
        """Go on where `save` was called."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        for name in ("network", "average", "optimizer", "schedule"):
            getattr(self, name).load_state_dict(state[name])
        self.epoch, self.step = state["epoch"], state["step"]


def _floats(network: nn.Module) -> list[torch.Tensor]:
    return [value for value in network.state_dict().values() if value.is_floating_point()]


def _seen(pictures: torch.Tensor, recipe: Recipe, rng: np.random.Generator) -> torch.Tensor:
    """The batch as this step shows it: a crop at full size or the whole smaller, mirrored or not."""
    if rng.random() < recipe.crops:
        side = int(rng.choice(recipe.crop_sides))
        top, left = rng.integers(SIZE - side + 1, size=2)
        pictures = pictures[:, :, top : top + side, left : left + side]
    else:
        side = int(rng.choice(recipe.sides))
        if side != SIZE:
            pictures = interpolate(pictures, (side, side), mode="bicubic", antialias=True)
    return pictures.flip(3) if rng.random() < 0.5 else pictures


def _speed_up_on_cpu(network: Network) -> None:
    """Twice as fast there.

    oneDNN's depthwise convolutions have no fast gradient in bfloat16, and glibc gives large blocks
    back to the system and asks for them again at each step.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.groups > 1:
            module.forward = _in_float32(module)  # type: ignore[method-assign, assignment]
    with suppress(OSError, AttributeError):
        for parameter, value in ((-4, 0), (-1, -1)):  # M_MMAP_MAX: none, M_TRIM_THRESHOLD: never
            ctypes.CDLL("libc.so.6").mallopt(parameter, value)


def _in_float32(module: nn.Conv2d) -> Callable[[torch.Tensor], torch.Tensor]:
    def forward(x: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", enabled=False):
            return nn.Conv2d.forward(module, x.float())

    return forward
