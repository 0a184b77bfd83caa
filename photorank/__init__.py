"""photorank: rank a folder of photographs, best first, with the reasons.

Importing it loads nothing but this file; a public name loads its module when it is first used.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HERE = Path(__file__).parent
if not (_HERE / "features").is_dir():  # a checkout: the folders lie beside this one, not inside it
    __path__.append(str(_HERE.parent))

_PUBLIC = {
    "rank": ".verbs.rank",
    "extract": ".verbs.rank",
    "embed": ".verbs.embed",
    "save": ".table.files",
    "load": ".table.files",
    "fit_scale": ".verbs.rank",
    "download": ".models",
    "evaluate": ".verbs.evaluate",
    "drift": ".verbs.drift",
    "tag": ".verbs.tag",
    "calibrate": ".verbs.calibrate",
    "tune": ".verbs.tune",
    "learn": ".verbs.learn",
    "explain": ".verbs.show",
    "montage": ".verbs.show",
    "show": ".verbs.show",
    "copy": ".verbs.copy",
    "Column": ".features.base",
    "Feature": ".features.base",
    "Encoder": ".features.base",
    "Head": ".features.base",
    "BUILTIN": ".features",
    "Scale": ".ranking.fusion",
    "Settings": ".config.config",
}
"""Every public name and the module it comes from."""

__all__ = ["__version__", *_PUBLIC]

if TYPE_CHECKING:  # the same names once more, for editors and type checkers
    from .config.config import Settings as Settings
    from .features import BUILTIN as BUILTIN
    from .features.base import Column as Column
    from .features.base import Encoder as Encoder
    from .features.base import Feature as Feature
    from .features.base import Head as Head
    from .models import download as download
    from .ranking.fusion import Scale as Scale
    from .table.files import load as load
    from .table.files import save as save
    from .verbs.calibrate import calibrate as calibrate
    from .verbs.copy import copy as copy
    from .verbs.drift import drift as drift
    from .verbs.embed import embed as embed
    from .verbs.evaluate import evaluate as evaluate
    from .verbs.learn import learn as learn
    from .verbs.rank import extract as extract
    from .verbs.rank import fit_scale as fit_scale
    from .verbs.rank import rank as rank
    from .verbs.show import explain as explain
    from .verbs.show import montage as montage
    from .verbs.show import show as show
    from .verbs.tag import tag as tag
    from .verbs.tune import tune as tune
else:  # hidden from type checkers, to which it would make every misspelt name look right

    def __getattr__(name: str) -> Any:
        if name not in _PUBLIC:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(_PUBLIC[name], __name__), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
