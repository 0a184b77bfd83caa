"""Fits the heads anew on vectors of a network that stays as it is: minutes instead of hours.

A network has seen the photos that it was trained on, and their vectors tell their ratings too well:
a head fitted to these ratings anew orders other photos worse. So `quality` stays what it was, but for
what the laws ask of copies; of the levels, which copies teach without any rating, some are fitted anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy import optimize
from torch import nn

from photorank.features.quality import LEVELS
from photorank.features.quality.network import Network, fused
from photorank.utils.logging import progress

from .loss import GOOD, of_falls
from .photos import copies_seen, goal
from .weights import Encode, in_use

COPIES = 3  # of each photo
_STEPS, _RATE = 300, 1e-3
_KEEP, _STAY = 1000.0, 30.0  # pull of what it says of photos, and of its weights, to what they were
_SEEN = 2  # level from which a defect counts as seen
_SHRINK = 0.01  # of the new heads' weights
_KEPT = {"noise_level": 0.0, "overexposure_level": 0.3, "blur_level": 0.5}
"""The levels that are fitted anew, and how much of the old head stays: copies alone would tell faults of
real photos worse."""
_FEWEST = 20  # copies of a kind that a line may be fitted to


class Vectors(NamedTuple):
    """Of copies, row by row.

    Attributes:
        photos, copies: (n, d) vectors.
        levels: (n, 8) of the copies.
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


def _levels(before: nn.Linear, seen: Vectors) -> nn.Linear:
    """The other heads; those of `_KEPT` mixed with new ones that tell visible defects from none."""
    heads = _slice(before, slice(1, None))
    good = seen.ratings >= GOOD
    for column, name in enumerate(LEVELS):
        if name in _KEPT:
            new = _scaled(_told_apart(seen, column, good), seen, column, good)
            old = _scaled(_slice(heads, slice(column, column + 1)), seen, column, good)
            mixed = _scaled(_mixed(new, old, _KEPT[name]), seen, column, good)
            with torch.no_grad():
                heads.weight[column], heads.bias[column] = mixed.weight[0], mixed.bias[0]
    return heads


def _told_apart(seen: Vectors, column: int, good: torch.Tensor) -> nn.Linear:
    """A head that is above 0 where a defect is seen: in its copies from level 2, not in other good ones.

    A line through the levels 0 to 5 bends to the gross ones; what a tag needs is where it begins.
    """
    clean = good & (seen.levels[:, column] == 0)
    shown = torch.cat([seen.photos[good], seen.copies[clean], seen.copies])
    seen_in = (
        torch.cat([torch.zeros(int(good.sum() + clean.sum())), seen.levels[:, column]]) >= _SEEN
    )
    counts = torch.cat([torch.ones(int(good.sum() + clean.sum())), seen.levels[:, column] >= _SEEN])
    return _logistic(shown.numpy(), seen_in.numpy(), counts.numpy())


def _logistic(x: np.ndarray, y: np.ndarray, counts: np.ndarray) -> nn.Linear:
    """Logistic regression of `y` on `x`, each row counted so often."""
    centre, spread = x.mean(0), x.std(0) + 1e-6
    z = np.c_[(x - centre) / spread, np.ones(len(x))].astype(np.float64)
    shrink = np.append(np.full(x.shape[1], _SHRINK), 0)

    def lost(weights: np.ndarray) -> tuple[float, np.ndarray]:
        found = z @ weights
        errors = np.logaddexp(0, found) - y * found
        slopes = counts * (0.5 + 0.5 * np.tanh(found / 2) - y)
        total = counts.sum()
        value = counts @ errors / total + shrink @ weights**2
        return float(value), slopes @ z / total + 2 * shrink * weights

    start = np.zeros(z.shape[1])
    found = optimize.minimize(lost, start, jac=True, method="L-BFGS-B").x
    head = nn.Linear(x.shape[1], 1)
    weight = found[:-1] / spread
    with torch.no_grad():
        head.weight[0] = torch.tensor(weight)
        head.bias[0] = float(found[-1] - weight @ centre)
    return head


def _mixed(new: nn.Linear, old: nn.Linear, kept: float) -> nn.Linear:
    with torch.no_grad():
        new.weight.lerp_(old.weight, kept)
        new.bias.lerp_(old.bias, kept)
    return new


def _scaled(head: nn.Linear, seen: Vectors, column: int, good: torch.Tensor) -> nn.Linear:
    """The same head in levels: nearest to the true ones."""
    slope, offset = _line(head, seen, column, good)
    with torch.no_grad():
        head.weight.mul_(slope)
        head.bias.mul_(slope).add_(offset)
    return head


def _line(head: nn.Linear, seen: Vectors, column: int, good: torch.Tensor) -> tuple[float, float]:
    """Slope and offset by which a level comes nearest the true one, in copies and in good photos."""
    own = seen.levels[:, column] > 0
    if int(own.sum()) < _FEWEST or not good.any():
        return 1.0, 0.0  # too few to say
    with torch.no_grad():
        found = torch.cat([head(seen.copies[own])[:, 0], head(seen.photos[good])[:, 0]])
    true = torch.cat([seen.levels[own, column], torch.zeros(int(good.sum()))])
    share = 0.3 * int(own.sum()) / max(1, int(good.sum()))  # good photos count a third as much
    weigh = torch.cat([torch.ones(int(own.sum())), torch.full((int(good.sum()),), share)])
    if found.std() == 0:
        return 1.0, 0.0  # a head that says nothing yet
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
