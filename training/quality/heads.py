"""Fits the heads anew on vectors of a network that stays as it is: minutes instead of hours.

A network has seen the photos that it was trained on, and their vectors tell their ratings too well:
a head fitted to these ratings anew orders other photos worse. So `quality` stays what it was, but for
what the laws ask of copies; the levels, which copies teach without any rating, are fitted anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from photorank.features.quality.network import Network, fused
from photorank.utils.logging import progress

from .loss import GOOD, of_falls, of_levels
from .photos import copies_seen, goal
from .weights import Encode, in_use

COPIES = 3  # of each photo
_STEPS, _RATE = 300, 1e-3
_KEEP, _STAY = 1000.0, 30.0  # pull of what it says of photos, and of its weights, to what they were
_SHRINK = 1.0  # of the new levels' weights: copies are degraded more simply than photos are
_FEWEST = 20  # copies of a kind that a line may be fitted to


class Vectors(NamedTuple):
    """Of copies, row by row.

    Attributes:
        photos, copies: (n, d) vectors.
        levels: (n, 7) of the copies.
        ratings: (n,) of the photos.
    """

    photos: torch.Tensor
    copies: torch.Tensor
    levels: torch.Tensor
    ratings: torch.Tensor


def fit_heads(
    network: Network,
    views: Sequence[np.ndarray],
    ratings: np.ndarray,
    device: str,
    seed: int = 0,
) -> Network:
    """The same network with heads fitted to `COPIES` copies of each photo."""
    network = fused(network).cpu()
    seen = _seen(in_use(network, device), views, ratings, seed)
    with torch.no_grad():
        parts = _quality(network.heads, seen), _levels(network.heads, seen)
        for name in ("weight", "bias"):
            fitted = torch.cat([getattr(part, name) for part in parts])
            getattr(network.heads, name).copy_(fitted)
    return network


@torch.enable_grad()
def _quality(before: nn.Linear, seen: Vectors) -> nn.Linear:
    """The first head, moved as little as lets copies fall and saved ones stay."""
    head = _slice(before, slice(0, 1))
    start = head.weight.detach().clone()
    said = head(seen.photos).detach()

    def wrong() -> torch.Tensor:
        photos, copies = head(seen.photos), head(seen.copies)
        kept = _KEEP * (photos - said).square().mean()
        falls = of_falls((photos - copies)[:, 0], seen.levels.amax(1))
        return falls + kept + _STAY * (head.weight - start).square().sum()

    return _fitted(head, wrong)


@torch.enable_grad()
def _levels(before: nn.Linear, seen: Vectors) -> nn.Linear:
    """The other heads: the mean of what they were and of new ones, each scaled to the true levels."""
    old, new = (_slice(before, slice(1, None)) for _ in range(2))
    nn.init.zeros_(new.weight)
    nn.init.zeros_(new.bias)
    good = seen.ratings >= GOOD

    def wrong() -> torch.Tensor:
        errors = of_levels(new(seen.photos), new(seen.copies), seen.levels, good)
        return errors + _SHRINK * new.weight.square().sum()

    _fitted(new, wrong)
    with torch.no_grad():
        new.weight.lerp_(old.weight, 0.5)
        new.bias.lerp_(old.bias, 0.5)
        for column in range(len(new.bias)):
            slope, offset = _line(new, seen, column, good)
            new.weight[column] *= slope
            new.bias[column] = new.bias[column] * slope + offset
    return new


def _line(head: nn.Linear, seen: Vectors, column: int, good: torch.Tensor) -> tuple[float, float]:
    """Slope and offset by which a level comes nearest the true one, in copies and in good photos."""
    own = seen.levels[:, column] > 0
    if int(own.sum()) < _FEWEST or not good.any():
        return 1.0, 0.0  # too few to say
    found = torch.cat([head(seen.copies[own])[:, column], head(seen.photos[good])[:, column]])
    true = torch.cat([seen.levels[own, column], torch.zeros(int(good.sum()))])
    share = 0.3 * int(own.sum()) / max(1, int(good.sum()))  # good photos count a third as much
    weigh = torch.cat([torch.ones(int(own.sum())), torch.full((int(good.sum()),), share)])
    slope, offset = np.polyfit(found.numpy(), true.numpy(), 1, w=weigh.sqrt().numpy())
    return (float(slope), float(offset)) if slope > 0 else (1.0, 0.0)


def _slice(heads: nn.Linear, rows: slice) -> nn.Linear:
    weight, bias = heads.weight[rows].detach().clone(), heads.bias[rows].detach().clone()
    part = nn.Linear(heads.in_features, len(bias))
    part.weight, part.bias = nn.Parameter(weight), nn.Parameter(bias)
    return part


def _fitted(head: nn.Linear, wrong: Callable[[], torch.Tensor]) -> nn.Linear:
    optimizer = torch.optim.Adam(head.parameters(), _RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _STEPS)
    for _ in range(_STEPS):
        optimizer.zero_grad()
        wrong().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return head


def _seen(encode: Encode, views: Sequence[np.ndarray], ratings: np.ndarray, seed: int) -> Vectors:
    before, after, levels = [], [], []
    copies = copies_seen(encode, views, encode(views), COPIES, seed)
    for one in progress(copies, COPIES * len(views), "degraded copies"):
        before.append(one.before)
        after.append(one.after)
        levels.append(goal(one.copy))
    photos, copied, goals = (torch.tensor(np.stack(part)) for part in (before, after, levels))
    marks = torch.tensor(np.repeat(ratings, COPIES), dtype=torch.float32)
    return Vectors(photos, copied, goals, marks)
