"""What a photo shows, in words of your own: stored CLIP vectors and a vocabulary -> tags."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from ..aesthetic import ClipEncoder
from ..base import Column, Head

TAGS, SCORES = Column("semantic_tags", "neither"), Column("semantic_scores", "neither")
MOST_BYTES = 1_000_000

_NEUTRAL = "a photo"  # what is no more than this is not said of it
_LEAST, _MOST_TAGS = 0.1, 3
_AT_ONCE = 256  # prompts that the text tower gets at a time


def semantic_head(encoder: ClipEncoder, vocabulary: Mapping[str, str]) -> Head:
    """The columns `semantic_tags` and `semantic_scores`: which words of a vocabulary fit a photo.

    A softmax over the cosines of the photo with all prompts and with "a photo". A tag is said of it
    whose share is at least .1 and larger than that of "a photo"; of those the three largest.
    Zero-shot: nothing was trained, and how often the tags are right depends on words and model.
    What fools it: words that mean nearly the same share one probability; CLIP does not count, does
    not read "no" or "without", and takes lettering in the picture for the thing. Shares of two
    vocabularies do not compare.

    Args:
        encoder: from `clip_encoder`; the prompts are encoded with the same model, on first use.
        vocabulary: tag -> prompt, from `read_vocabulary`.

    Returns:
        A head with two texts per photo, empty where nothing stands out: the tags, the surest first,
        and their shares with two digits, both separated by ", ".

    References:
        A. Radford et al.: "Learning transferable visual models from natural language supervision",
        ICML 2021, arXiv:2103.00020
    """
    names, prompts = list(vocabulary), [*vocabulary.values(), _NEUTRAL]

    @functools.lru_cache(maxsize=1)
    def texts() -> tuple[np.ndarray, float]:
        parts = [prompts[i : i + _AT_ONCE] for i in range(0, len(prompts), _AT_ONCE)]
        encoded = [encoder.encode_texts(part) for part in parts]
        return np.concatenate([vectors for vectors, _ in encoded]), encoded[0][1]

    def score(vectors: np.ndarray) -> np.ndarray:
        rows = [_said(names, row) for row in shares(vectors, *texts())]
        return np.array(rows, object).reshape(-1, 2)

    digest = hashlib.sha256(repr(list(vocabulary.items())).encode()).hexdigest()[:12]
    return Head((TAGS, SCORES), score, encoder, settings=(digest,))


def shares(vectors: np.ndarray, texts: np.ndarray, logit_scale: float) -> np.ndarray:
    """(n, texts) softmax over the cosines of each photo with the texts; rows sum to 1.

    >>> shares(np.eye(2), np.eye(2), 4.0).round(3).tolist()
    [[0.982, 0.018], [0.018, 0.982]]
    """
    logits = logit_scale * (vectors.astype(np.float64) @ texts.astype(np.float64).T)
    likelihood = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(likelihood / likelihood.sum(axis=1, keepdims=True))


def _said(names: list[str], share: np.ndarray) -> tuple[str, str]:
    """The tags that stand out and their shares; the last share is that of the neutral prompt."""
    order = np.argsort(-share[:-1], kind="stable")[:_MOST_TAGS]
    kept = [i for i in order if share[i] >= _LEAST and share[i] > share[-1]]
    return ", ".join(names[i] for i in kept), ", ".join(f"{share[i]:.2f}" for i in kept)


def read_vocabulary(path: str | os.PathLike[str]) -> dict[str, str]:
    """The tags of a text file and the prompt of each.

    A line is a tag, whose prompt is then "a photo of <tag>", or `tag: prompt`. Empty lines and those
    that begin with # do not count. CLIP reads about the first 70 words of a prompt.

    Raises:
        ValueError: a file that cannot be read, is no text or over a megabyte, has no tags, or a tag
            twice (whatever its case), with a comma, or with an empty name or prompt.
    """
    vocabulary: dict[str, str] = {}
    seen: dict[str, int] = {}
    for number, line in _lines(Path(path).expanduser()):
        name, colon, prompt = (part.strip() for part in line.partition(":"))
        if not name or "," in name or (colon and not prompt):
            raise ValueError(
                f"{path}, line {number}: wanted `tag` or `tag: prompt`, the tag without a comma, got {line!r}"
            )
        if name.casefold() in seen:
            raise ValueError(
                f"{path}, line {number}: the tag {name!r} is in line {seen[name.casefold()]} already; "
                "leave one of them out"
            )
        seen[name.casefold()] = number
        vocabulary[name] = prompt or f"a photo of {name}"
    if not vocabulary:
        raise ValueError(f"the vocabulary {path} is empty: write a tag in each line")
    return vocabulary


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that count, with their numbers."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ValueError(f"the vocabulary {path} is over {MOST_BYTES:,} bytes: shorten it")
        lines = content.decode("utf-8-sig").splitlines()
    except OSError as error:
        raise ValueError(f"cannot read the vocabulary {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"the vocabulary {path} is no UTF-8 text: save it as such") from error
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.strip()
