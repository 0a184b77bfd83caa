"""The table of contests: who runs against whom, on what, and how much faster photorank should be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Contest:
    """Two contestants on the same work.

    Args:
        name: what `--only` takes.
        ours, theirs: functions of contestants.py.
        target: the least ratio of their time to ours.
        photos: how many; `megapixels` each. 0: the work needs none.
        different: how many of these differ, where not all do; the rest are links to them.
        options: what else the contestants are told.
        peer: whether theirs runs in the peers' environment.
        needs: "yunet", "checkpoint" or "store", where the work needs one.
    """

    name: str
    ours: str
    theirs: str
    target: float
    photos: int = 60
    megapixels: float = 12
    different: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    peer: bool = False
    needs: tuple[str, ...] = ()


_VECTORS = (20_000, 12, 60)

CONTESTS = (
    Contest("technical", "technical", "decode", 0.75),
    Contest("faces", "technical_faces", "decode", 0.55, needs=("yunet",)),
    Contest("quality", "technical_faces_quality", "decode", 0.40, needs=("yunet",)),
    Contest("cleanvision", "checks", "cleanvision", 20, photos=24, peer=True),
    Contest("hash", "hash_folder", "imagededup_hash_folder", 6, photos=24, peer=True),
    Contest(
        "group", "group", "imagededup_group", 20, photos=0, options={"count": 100_000}, peer=True
    ),
    Contest("clip", "clip", "usual_clip", 4, photos=32, needs=("checkpoint",)),
    Contest("second", "second_run", "first_run", 25, 2_000, different=60, needs=("store",)),
    Contest(
        "second_clip",
        "second_run",
        "first_run",
        60,
        2_000,
        different=60,
        needs=("store", "checkpoint"),
    ),
    Contest("prompts", "new_prompts", "encoding", 50, *_VECTORS, needs=("store", "checkpoint")),
    Contest(
        "known_prompts", "known_prompts", "encoding", 100, *_VECTORS, needs=("store", "checkpoint")
    ),
)

MEMORY = (1_000, 20_000)
"""Photos between whose numbers the peak memory may grow by 15 %."""
ROWS = (1_000, 5_000, 20_000)
"""How many photos the curves of grouping, ranking and memory are drawn for."""
HASHES = (10_000, 100_000, 1_000_000)
SIZES = (1, 2, 6, 12, 24, 45)
"""Megapixels for which the curve of photos per second is drawn."""
