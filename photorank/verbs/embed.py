"""Embed photos: the vectors that heads are trained on and read."""

from __future__ import annotations

from typing import Any

from photorank.config.config import Settings
from photorank.features.base import Column, Head

from .. import models
from ..plan import Plan
from ..table.embeddings import Embeddings, vector_bytes


def embed(source: Any, encoder: str = "network", **settings: Any) -> Embeddings:
    """The vector of each photo, and the table that says of which.

    Args:
        source: photos as `rank` takes them.
        encoder: "network", the one that ships, whose vectors are as they come from it; or "clip",
            named by `clip_model` and `clip_pretrained`, whose vectors have length 1.
        **settings: fields of `Settings` that bear on measuring.

    Returns:
        `table, vectors`: a row per photo in both; `quality`, `phash` and `taken_at` are there
        because `learn` takes them.

    Raises:
        ValueError: wrong settings, no photos, an unknown encoder, or CLIP is not here.
    """
    return embedded(source, encoder, Settings.load(settings))


def embedded(source: Any, encoder: str, settings: Settings) -> Embeddings:
    """As `embed`, by settings that are loaded."""
    chosen, named = models.encoder_of(encoder, settings)
    head = Head((Column("vector", "neither"),), vector_bytes, chosen)
    wanted = {"features": ("quality", "phash", head), "aesthetic": "none"}
    plan = Plan.of(source, settings.but(**wanted, vocabulary="", weights=""))
    return Embeddings.of(plan.measure(), chosen, named)
