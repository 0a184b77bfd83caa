"""How pleasing a photo is, as CLIP sees it: pictures and prompts -> vectors -> score."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .base import Column, Encoder, Head
from .clip.checkpoint import (
    DEFAULT_MODEL,
    DEFAULT_PRETRAINED,
    Checkpoint,
    CheckpointMissing,
    find_checkpoint,
)
from .clip.model import Clip, chosen_device, chosen_precision
from .run.identity import NO_PHOTO
from .run.store import Store, key_of

__all__ = [
    "AESTHETIC",
    "DEFAULT_MODEL",
    "DEFAULT_PRETRAINED",
    "NEGATIVE",
    "POSITIVE",
    "Checkpoint",
    "CheckpointMissing",
    "ClipEncoder",
    "aesthetic_head",
    "clip_encoder",
    "find_checkpoint",
    "pair_scores",
    "prompt_pairs",
    "with_stored_texts",
]

POSITIVE = "a professional photograph, sharp, vibrant, dramatic lighting"
NEGATIVE = "a blurry, poorly composed snapshot"
AESTHETIC = Column("aesthetic", "higher", range=(0, 1))


@dataclass(frozen=True)
class ClipEncoder(Encoder):
    """An `Encoder` whose vectors can be compared with those of texts.

    Args:
        encode_texts: prompts -> (n, d) float32 unit vectors, and the model's logit scale.
    """

    encode_texts: Callable[[Sequence[str]], tuple[np.ndarray, float]]


def clip_encoder(
    checkpoint: Checkpoint, device: str = "auto", batch_size: int = 32, precision: str = "auto"
) -> ClipEncoder:
    """An encoder of canonical pictures: open_clip's own preprocessing, then the image tower.

    The model loads on first use. A photo's vector does not depend, by a single bit, on the photos
    beside it or on their number.

    Args:
        device: "auto" (cuda, else mps, else cpu), "cpu", "cuda" or "mps".
        batch_size: photos per call, if that is more than are computed at a time: 128 on cuda, else 32.
        precision: of the image tower: "fp32", "bf16", "fp16", or "auto": fp16 on cuda, bf16 on a
            CPU that is fast at it (docs/models.md), else fp32. What runs is part of the fingerprint.
            Prompts are always encoded in fp32.

    Raises:
        ValueError: a device that is not there or an unknown precision; on first use, weights that
            do not fit the model.
    """
    device = chosen_device(device)
    precision = chosen_precision(precision, device)
    clip = Clip(checkpoint, device, precision)
    settings = (*checkpoint.identity, f"precision={precision}")
    if device == "cuda":
        settings += (f"rows={clip.rows}",)  # they were 32: other last bits
    return ClipEncoder(
        *("clip", "1", settings, "rgb", None, max(batch_size, clip.rows), clip.images, clip.texts),
        prepare=clip.prepare,
        load=clip.load,
    )


def aesthetic_head(
    encoder: ClipEncoder,
    positive: Sequence[str] = (POSITIVE,),
    negative: Sequence[str] = (NEGATIVE,),
) -> Head:
    """The column `aesthetic`: how much closer a photo is to the positive prompts than the negative.

    Zero-shot prompts are a weak judge of aesthetics: on AVA a Spearman correlation of .34 with
    people's ratings has been reported, where a head trained on the same vectors reaches .67.
    What fools it: subjects that the prompts suggest (sunsets, studio portraits), and collages,
    screenshots and text, of which the prompts say nothing. Values of other prompts or another
    checkpoint are on another scale.

    Args:
        encoder: from `clip_encoder`; the prompts are encoded with the same model, on first use.
        positive, negative: see `prompt_pairs`.

    Returns:
        A head with values in 0 (as the negative prompts) to 1 (as the positive ones); .5 is as near
        to one as to the other.

    References:
        A. Radford et al.: "Learning transferable visual models from natural language supervision",
        ICML 2021, arXiv:2103.00020; J. Wang, K. Chan, C. Loy: "Exploring CLIP for assessing the
        look and feel of images", AAAI 2023, doi:10.1609/aaai.v37i2.25353
    """
    pairs = prompt_pairs(positive, negative)

    @functools.lru_cache(maxsize=1)
    def sides() -> tuple[np.ndarray, np.ndarray, float]:
        vectors, scale = encoder.encode_texts([text for pair in pairs for text in pair])
        return vectors[0::2], vectors[1::2], scale

    def score(vectors: np.ndarray) -> np.ndarray:
        return pair_scores(vectors, *sides())

    return Head((AESTHETIC,), score, encoder, settings=tuple(pairs))


def with_stored_texts(encoder: ClipEncoder, cache: str | os.PathLike[str]) -> ClipEncoder:
    """The same encoder, which keeps the vectors of prompts in the file `cache`, see `store.py`.

    Prompts that were asked for together are kept together: in the last bits, a vector may depend on
    the prompts beside it.
    """

    def texts(prompts: Sequence[str]) -> tuple[np.ndarray, float]:
        asked = (encoder.fingerprint, list(prompts))
        keys = [f"{key_of(encoder.version, name, *asked)}" for name in ("texts", "logit scale")]
        with Store(cache, keys) as store:
            known = store.get(NO_PHOTO)
        if len(known) == len(keys):
            return known[keys[0]].reshape(len(prompts), -1), known[keys[1]][0]
        vectors, scale = encoder.encode_texts(prompts)
        with Store(cache, keys) as store:
            store.put(NO_PHOTO, {keys[0]: vectors.ravel(), keys[1]: [scale]})
        return vectors, scale

    return dataclasses.replace(encoder, encode_texts=texts)


def prompt_pairs(positive: Sequence[str], negative: Sequence[str]) -> list[tuple[str, str]]:
    """Pair prompts in order; a single one on a side is paired with all of the other.

    Raises:
        ValueError: an empty side or prompt, or two different numbers, neither of them 1.

    >>> prompt_pairs(["good"], ["bad", "dull"])
    [('good', 'bad'), ('good', 'dull')]
    """
    positive, negative = _listed(positive), _listed(negative)
    if not all(text.strip() for text in (*positive, *negative)) or not positive or not negative:
        raise ValueError(
            "each side needs at least one prompt and none may be empty, "
            f"got positive {positive} and negative {negative}"
        )
    if len(positive) != len(negative) and 1 not in (len(positive), len(negative)):
        raise ValueError(
            "prompts pair in order: give as many positive as negative ones, or one on a side, "
            f"got {len(positive)} positive and {len(negative)} negative"
        )
    count = max(len(positive), len(negative))
    sides = (side * count if len(side) == 1 else side for side in (positive, negative))
    return list(zip(*sides, strict=True))


def pair_scores(
    vectors: np.ndarray, positive: np.ndarray, negative: np.ndarray, logit_scale: float
) -> np.ndarray:
    """The probability of the positive prompt in each pair by softmax, averaged over the pairs.

    Args:
        vectors: (n, d) unit vectors of photos.
        positive, negative: (pairs, d) unit vectors of prompts.
        logit_scale: what the model multiplies cosines with before a softmax; near 100 for CLIP.

    Returns:
        (n,) values in 0 to 1.

    Raises:
        ValueError: vectors of another width than the prompts'.

    >>> pair_scores(np.eye(2), np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]), 4.0).round(3)
    array([0.982, 0.018])
    """
    if vectors.ndim != 2 or vectors.shape[1] != positive.shape[1]:
        raise ValueError(
            f"the photos' vectors should have {positive.shape[1]} numbers each, as the prompts "
            f"have, got the shape {vectors.shape}: encode photos and prompts with one model"
        )
    ahead = vectors.astype(np.float64) @ (positive.astype(np.float64) - negative).T
    # A softmax over two is a logistic function; tanh does not overflow as exp does.
    return np.mean(0.5 + 0.5 * np.tanh(0.5 * logit_scale * ahead), axis=1)


def _listed(prompts: Sequence[str]) -> list[str]:
    return [prompts] if isinstance(prompts, str) else list(prompts)
