"""Which features a run has, and the models that they need: CLIP and the face detector."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from photorank.config.config import Settings, each_name
from photorank.features import BUILTIN, aesthetic
from photorank.features.clip import semantic
from photorank.features.measures import faces
from photorank.features.quality import quality_head
from photorank.features.run.extract import resolve
from photorank.utils import hub
from photorank.utils.logging import log_once, logger
from photorank.utils.words import near


def download(**settings: Any) -> dict[str, str]:
    """Fetch and verify the models that a ranking with these settings uses, for use without a network.

    Returns:
        Where each one is, by name.

    Raises:
        ValueError: the network or a file is not to be had; the message says which.
    """
    checkpoint = aesthetic.find_checkpoint(*clip_names(Settings.load(settings)), download=True)
    hub.verify(checkpoint.weights)
    return {"clip": str(checkpoint.weights), "faces": str(faces.find_yunet(download=True))}


def fetch_models(settings: Settings) -> None:
    """Download the models that this run could use and lacks. Without a network, `rank` says what is amiss."""
    wanted: list[Callable[..., Any]] = []
    if wants_clip(settings):
        wanted.append(partial(aesthetic.find_checkpoint, *clip_names(settings)))
    if any(feature.name == "faces" for feature in _features(settings)):
        wanted.append(faces.find_yunet)
    missing = [find for find in wanted if not _is_here(find)]
    problem = hub.out_of_reach() if missing else None
    if problem:
        logger.info("no way to download the models that are missing (--verbose says why)")
        logger.debug("%s", problem)
        return
    for find in missing:
        try:
            find(download=True)
        except (aesthetic.CheckpointMissing, hub.HubError) as error:
            logger.info("%s", error)


def _is_here(find: Callable[..., Any]) -> bool:
    try:
        find()
    except (aesthetic.CheckpointMissing, hub.HubError):
        return False
    return True


def features_of(settings: Settings) -> list[Any]:
    """What a run with these settings measures, as this machine can."""
    return resolve([*_features(settings), *_clip_heads(settings)])


def _features(settings: Settings) -> list[Any]:
    """The chosen features other than CLIP: given as such, or built-in ones by name."""
    builtin = {feature.name: feature for feature in BUILTIN}
    chosen = each_name(settings.features) or list(builtin)
    for name in chosen:
        if isinstance(name, str) and name not in {*builtin, "aesthetic"}:
            raise ValueError(f"unknown feature {name!r}; {near(name, [*builtin, 'aesthetic'])}")
        if not isinstance(name, str) and not hasattr(name, "columns"):
            raise ValueError(
                f"a feature is a Feature, a Head or a built-in one's name, got {name!r}"
            )
    if any(isinstance(name, str) and name == "quality" for name in chosen):
        builtin["quality"] = quality_head(settings.device)
    return [builtin.get(f, f) if isinstance(f, str) else f for f in chosen if f != "aesthetic"]


def wants_clip(settings: Settings) -> bool:
    """Whether this run uses CLIP if it can: not where features were named without it."""
    if settings.aesthetic == "auto":
        names = each_name(settings.features)
        return not names or "aesthetic" in names
    return settings.aesthetic == "clip"


def vocabulary_of(settings: Settings) -> dict[str, str]:
    """The semantic tags that are asked for, and their prompts.

    Raises:
        ValueError: a vocabulary that cannot be used, or one for a run without CLIP.
    """
    if not settings.vocabulary:
        return {}
    if not wants_clip(settings):
        raise ValueError(
            f"the vocabulary {settings.vocabulary} needs CLIP, and this run is without: leave out "
            "aesthetic=none, and name aesthetic among the features"
        )
    return semantic.read_vocabulary(settings.vocabulary)


def _clip_heads(settings: Settings) -> list[Any]:
    """CLIP's scores, or nothing where it is not wanted or, with `auto`, its weights are missing."""
    vocabulary = vocabulary_of(settings)
    if not wants_clip(settings):
        return []
    try:
        checkpoint = aesthetic.find_checkpoint(*clip_names(settings))
    except aesthetic.CheckpointMissing as error:
        if vocabulary:
            raise aesthetic.CheckpointMissing(f"a vocabulary needs CLIP: {error}") from error
        if settings.aesthetic == "clip":
            raise
        log_once(
            logging.WARNING,
            "no CLIP weights here: ranking without; `photorank download` fetches them, "
            "--aesthetic none hides this",
        )
        logger.debug("%s", error)
        return []
    encoder = aesthetic.clip_encoder(
        checkpoint, settings.device, settings.batch_size, settings.precision
    )
    if cache := cache_of(settings):
        encoder = aesthetic.with_stored_texts(encoder, cache)
    prompts = settings.positive_prompt, settings.negative_prompt
    tags = [semantic.semantic_head(encoder, vocabulary)] if vocabulary else []
    return [aesthetic.aesthetic_head(encoder, *prompts), *tags]


def cache_of(settings: Settings) -> str:
    """The file that keeps what is measured; empty: none."""
    return "" if settings.cache.lower() == "off" else settings.cache


def clip_names(settings: Settings) -> tuple[str, str]:
    """What names CLIP's weights, as `find_checkpoint` takes it."""
    return settings.clip_model, settings.clip_pretrained
