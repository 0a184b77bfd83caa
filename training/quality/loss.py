"""What the network is asked for: ratings, copies below their photos, and the levels of defects."""

from __future__ import annotations

import torch
from torch.nn.functional import smooth_l1_loss

_RATING, _CORRELATION, _PAIR, _SAME, _LEVEL = 10.0, 0.5, 7.5, 5.0, 0.1
_BETA = 0.1  # of a rating: from there on an error pulls no harder; some are of what a photo shows
_MARGIN = 0.02  # of quality, per level
GOOD = 0.65  # rating from which on a photo counts as free of defects


def loss(found: torch.Tensor, levels: torch.Tensor, ratings: torch.Tensor) -> torch.Tensor:
    """The loss of photos and a copy of each.

    Args:
        found: (2 n, 9) what the heads say of the photos, then of the copies.
        levels: (n, 8) of the defects in the copies.
        ratings: (n,) of the photos, 0 to 1.
    """
    photos, copies = found.chunk(2)
    return (
        _RATING * smooth_l1_loss(photos[:, 0], ratings, beta=_BETA)
        + _CORRELATION * (1 - correlation(photos[:, 0], ratings))
        + of_falls(photos[:, 0] - copies[:, 0], levels.amax(1))
        + _LEVEL * of_levels(photos[:, 1:], copies[:, 1:], levels, ratings >= GOOD)
    )


def correlation(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Pearson's r, 0 where one of both is constant."""
    x, y = x - x.mean(), y - y.mean()
    return (x * y).sum() / ((x.square().sum() + 1e-4) * (y.square().sum() + 1e-4)).sqrt()


def of_falls(fall: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    """By how much copies fall short of the margin below their photos; at level 0 they must not move."""
    short = torch.relu(_MARGIN * level - fall)
    return torch.where(level == 0, _SAME * fall.abs(), _PAIR * short).mean()


def of_levels(
    photos: torch.Tensor, copies: torch.Tensor, levels: torch.Tensor, good: torch.Tensor
) -> torch.Tensor:
    """Errors of the levels: of a copy's own kind always, of all where the photo is a good one."""
    clean = smooth_l1_loss(photos, torch.zeros_like(photos), reduction="none")
    worse = smooth_l1_loss(copies, levels, reduction="none")
    own = worse[levels > 0].sum() / len(levels)
    return own + (good[:, None] * (clean + worse)).mean()
