"""Heads that were trained elsewhere: read from a file, checked, applied to the vectors of their encoder.

The file is JSON; trees are LightGBM's own text inside it. Nothing in it is code.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
from pydantic.dataclasses import dataclass as checked

from photorank.utils.io import write_text
from photorank.utils.reading import read_saved
from photorank.utils.words import shown

from .base import Column, Encoder, Head, UndeclaredError
from .formulas import MODELS, STRICT, Model

SCHEMA = "photorank/head/1"
_NOT_THE_MODEL = ("precision=", "rows=")  # of one model, these change the last digits only


@checked(config=STRICT, frozen=True)
class Source:
    """Where vectors come from.

    Attributes:
        encoder: "network" or "clip".
        checkpoint: which weights, wherever they lie; in which precision they run does not count.
        clip_model, clip_pretrained: by which name CLIP's are found.
    """

    encoder: str
    checkpoint: str
    clip_model: str = ""
    clip_pretrained: str = ""

    def check(self, encoder: Encoder, who: str) -> None:
        """Make sure that an encoder gives the same vectors.

        Raises:
            ValueError: it is another one.
        """
        here = encoder.name, checkpoint_of(encoder)
        if here != (self.encoder, self.checkpoint):
            raise ValueError(
                f"{who} is for the vectors of {self.encoder} {shown(self.checkpoint)}, and this is "
                f"{here[0]} {shown(here[1])}: train it again on this one, or name its encoder "
                "(--clip_model)"
            )


def checkpoint_of(encoder: Encoder) -> str:
    """What an encoder's numbers depend on, but for the precision that it runs in."""
    parts = (str(part) for part in encoder.settings)
    return " ".join([encoder.version, *(p for p in parts if not p.startswith(_NOT_THE_MODEL))])


@dataclass(frozen=True)
class Trained:
    """A head as its file has it.

    Attributes:
        name: its column.
        low, high: the ends of its scale, beyond which no score goes; None: it has none.
        source: whose vectors it reads.
        width: numbers in each.
        model: how the score is computed.
        card: on what it was trained and how it did, for people; nothing depends on it.
    """

    name: str
    source: Source
    width: int
    model: Model
    low: float | None = None
    high: float | None = None
    card: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reads_quality(self) -> bool:
        return bool(getattr(self.model, "quality", 0.0))

    def score(self, vectors: np.ndarray, quality: Any = None) -> np.ndarray:
        """(n, width) vectors, and `quality` where it is read -> (n,).

        Raises:
            ValueError: vectors of another width.
        """
        if vectors.ndim != 2 or vectors.shape[1] != self.width:
            raise UndeclaredError(
                f"the head {self.name!r} reads vectors of {self.width} numbers, got the shape "
                f"{vectors.shape}: they are of another encoder"
            )
        found = self.model.score(vectors, quality)
        return found if self.low is None else np.clip(found, self.low, self.high)

    def head(self, encoder: Encoder, who: str) -> Head:
        """The declaration, once the encoder is known to be its own.

        Raises:
            ValueError: it is another one.
        """
        self.source.check(encoder, who)
        uses = ("quality",) if self.reads_quality else ()
        digest = _digest(self.body())[:12]
        return Head((self.column(),), self.score, encoder, settings=(digest,), uses=uses)

    def column(self) -> Column:
        """Its declaration."""
        scale = None if self.low is None else (self.low, cast(float, self.high))
        return Column(self.name, "higher", range=scale)

    def body(self) -> dict[str, Any]:
        """What determines its values."""
        return {
            "name": self.name,
            "range": [self.low, self.high],
            "encoder": asdict(cast(Any, self.source)),
            "width": self.width,
            "model": asdict(cast(Any, self.model)),
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file, all or nothing.

        Raises:
            ValueError: it cannot be written.
        """
        shape = {"schema": SCHEMA, "sha256": _digest(self.body()), "card": self.card}
        text = json.dumps(shape | {"head": self.body()}, indent=1, allow_nan=False)
        write_text(Path(path).expanduser(), text + "\n")


def read_head(path: str | os.PathLike[str]) -> Trained:
    """A head that `Trained.save` wrote.

    Raises:
        ValueError: no such file, no head, or one whose contents are not what was written.
        ImportError: it takes a package that is not installed.
    """
    shape = read_saved(path, "head", SCHEMA, "photorank learn")
    body = shape.get("head")
    if not isinstance(body, dict) or shape.get("sha256") != _digest(body):
        raise ValueError(f"the head {path} is not as it was written: train it again")
    try:
        head = _trained(body, shape.get("card"))
        head.score(np.zeros((1, head.width), np.float32), np.zeros(1))
    except ImportError:
        raise
    except Exception as error:  # also whatever LightGBM makes of a text that is no model
        raise ValueError(f"the head {path} is damaged: train it again") from error
    return head


def _trained(body: Mapping[str, Any], card: Any) -> Trained:
    low, high = body["range"]
    head = Trained(
        name=body["name"],
        source=Source(**body["encoder"]),
        width=int(body["width"]),
        model=MODELS[body["model"]["kind"]](**body["model"]),
        low=low,
        high=high,
        card=card if isinstance(card, dict) else {},
    )
    head.column()  # refuses a name or a scale that is none
    return head


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
