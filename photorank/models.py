"""Which features a run has, and the models that they need: CLIP and the face detector."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from photorank.config.config import Settings
from photorank.features import BUILTIN, aesthetic
from photorank.features.base import Encoder
from photorank.features.clip import laion, semantic
from photorank.features.heads import Source, Trained, checkpoint_of, read_head
from photorank.features.measures import faces
from photorank.features.quality import quality_head
from photorank.features.quality.encoder import network_encoder
from photorank.features.run.extract import resolve
from photorank.utils import hub
from photorank.utils.logging import log_once, logger
from photorank.utils.words import each_name, near


def download(**settings: Any) -> dict[str, str]:
    """Fetch and verify the models that a ranking with these settings uses, for use without a network.

    Returns:
        Where each one is, by name.

    Raises:
        ValueError: the network or a file is not to be had; the message says which.
    """
    chosen = Settings.load(settings)
    checkpoint = aesthetic.find_checkpoint(*clip_names(chosen), download=True)
    hub.verify(checkpoint.weights)
    places = {"clip": checkpoint.weights, "faces": faces.find_yunet(download=True)}
    if chosen.aesthetic_head == laion.READY:
        places["laion"] = laion.find(*clip_names(chosen), download=True)
    return {name: str(place) for name, place in places.items()}


Finder = Callable[..., Any]
"""Finds a model on this machine, or with `download=True` fetches it."""


def missing(settings: Settings) -> list[Finder]:
    """The models that this run could use and that are not here."""
    wanted: list[Finder] = []
    if wants_clip(settings):
        wanted.append(partial(aesthetic.find_checkpoint, *clip_names(settings)))
    if any(feature.name == "faces" for feature in _named(settings)):
        wanted.append(faces.find_yunet)
    sources = (read_head(file).source for file in settings.heads)
    wanted += [partial(_encoder_for, source, settings) for source in sources]
    if settings.aesthetic_head == laion.READY:
        wanted.append(partial(laion.find, *clip_names(settings)))
    return [find for find in wanted if not _is_here(find)]


def fetch(finders: Sequence[Finder]) -> None:
    """Download models. What is not to be had is said; `features_of` then says what that costs."""
    if problem := hub.out_of_reach():
        logger.info("no way to download the models that are missing (--verbose says why)")
        logger.debug("%s", problem)
        return
    for find in finders:
        try:
            find(download=True)
        except (aesthetic.CheckpointMissing, hub.HubError) as error:
            logger.info("%s", error)


def _is_here(find: Finder) -> bool:
    try:
        find()
    except (aesthetic.CheckpointMissing, hub.HubError):
        return False
    return True


def check(settings: Settings) -> tuple[list[Any], dict[str, str], list[tuple[str, Trained]]]:
    """The features other than CLIP, the semantic tags and the heads by file, if the prompts are right too.

    Raises:
        ValueError: the first mistake in names of features, vocabulary and prompts.
    """
    named, vocabulary = _named(settings), _vocabulary(settings)
    if wants_clip(settings):
        aesthetic.prompt_pairs(settings.positive_prompt, settings.negative_prompt)
    elif settings.aesthetic_head:
        raise ValueError(
            f"aesthetic_head={settings.aesthetic_head} needs CLIP, and this run is without: leave out "
            "aesthetic=none, and name aesthetic among the features"
        )
    learned = [(file, read_head(file)) for file in settings.heads]
    if settings.aesthetic_head not in ("", laion.READY):
        laion.read(settings.aesthetic_head)
    return named, vocabulary, learned


def features_of(settings: Settings) -> list[Any]:
    """What a run with these settings measures, as this machine can.

    Raises:
        ValueError: a mistake in a name, CLIP is asked for and not here, or nothing is left.
    """
    named, vocabulary, learned = check(settings)
    heads = [head.head(_encoder_for(head.source, settings), file) for file, head in learned]
    if any(head.uses for head in heads) and all(f.name != "quality" for f in named):
        named = [quality_head(settings.device), *named]
    features = resolve([*named, *_clip_heads(settings, vocabulary), *heads])
    if not features:
        raise ValueError(
            "nothing to measure: CLIP is not to be had, and no other feature was named"
        )
    return features


def _named(settings: Settings) -> list[Any]:
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


def _vocabulary(settings: Settings) -> dict[str, str]:
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


def _clip_heads(settings: Settings, vocabulary: Mapping[str, str]) -> list[Any]:
    """CLIP's scores, or nothing where it is not wanted or, with `auto`, its weights are missing."""
    if not wants_clip(settings):
        return []
    try:
        checkpoint = aesthetic.find_checkpoint(*clip_names(settings))
    except aesthetic.CheckpointMissing as error:
        if vocabulary:
            raise aesthetic.CheckpointMissing(f"a vocabulary needs CLIP: {error}") from error
        if settings.aesthetic == "clip" or settings.aesthetic_head:
            raise
        log_once(
            logging.WARNING,
            "no CLIP weights here: ranking without; `photorank download` fetches them, "
            "--aesthetic none hides this",
        )
        logger.debug("%s", error)
        return []
    encoder = _clip_encoder(checkpoint, settings)
    if cache := cache_of(settings):
        encoder = aesthetic.with_stored_texts(encoder, cache)
    prompts = settings.positive_prompt, settings.negative_prompt
    tags = [semantic.semantic_head(encoder, vocabulary)] if vocabulary else []
    if settings.aesthetic_head:
        tags.append(laion.laion_head(settings.aesthetic_head, encoder, clip_names(settings)))
    return [aesthetic.aesthetic_head(encoder, *prompts), *tags]


def _clip_encoder(checkpoint: aesthetic.Checkpoint, settings: Settings) -> aesthetic.ClipEncoder:
    return aesthetic.clip_encoder(
        checkpoint, settings.device, settings.batch_size, settings.precision
    )


def encoder_of(name: str, settings: Settings, download: bool = False) -> tuple[Encoder, Source]:
    """The encoder "network" or "clip" as this run has it, and what a head says of it.

    Raises:
        ValueError: another name, or CLIP is not to be had.
    """
    if name == "network":
        network = network_encoder(settings.device)
        return network, Source(name, checkpoint_of(network))
    if name != "clip":
        raise ValueError(f"encoder is network or clip, got {name!r}")
    model, pretrained = clip_names(settings)
    clip = _clip_encoder(aesthetic.find_checkpoint(model, pretrained, download), settings)
    place = Path(model).expanduser()
    model = str(place.resolve()) if place.is_dir() else model
    return clip, Source(name, checkpoint_of(clip), model, pretrained)


def _encoder_for(source: Source, settings: Settings, download: bool = False) -> Encoder:
    """The encoder whose vectors a head reads: the run's own if it is that, else the one it names."""
    if source.encoder == "network":
        return network_encoder(settings.device)
    with suppress(ValueError):
        encoder, here = encoder_of("clip", settings)
        if here.checkpoint == source.checkpoint:
            return encoder
    named = {"clip_model": source.clip_model, "clip_pretrained": source.clip_pretrained}
    return encoder_of("clip", settings.but(**named), download)[0]


def cache_of(settings: Settings) -> str:
    """The file that keeps what is measured; empty: none."""
    return "" if settings.cache.lower() == "off" else settings.cache


def clip_names(settings: Settings) -> tuple[str, str]:
    """What names CLIP's weights, as `find_checkpoint` takes it."""
    return settings.clip_model, settings.clip_pretrained
