"""Tags: what a photo's measurements say of it in words, with a score, the reason and what to do.

A profile (`profiles.py`) holds the rules as data; here they are applied. Needs no pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from photorank.utils.cells import truths
from photorank.utils.rows import measured_rows

from .classes import are_lowest, quality_class, quality_score, reasons
from .profiles import DUPLICATES, Profile
from .rules import begins, having, score, untold, why_untold
from .suggestions import suggestion

TEXTS = ("quality_class", "tags", "tag_reasons", "suggestions")
COMMON = 0.5
"""A tag on more than this share of the photos says something of the folder, not of the photo."""


@dataclass(frozen=True)
class Tagged:
    """What `tag` found.

    Attributes:
        table: per photo `quality_class`, `quality_score`, `tags`, `tag_reasons`, `suggestions`, and
            `<tag>_score` and `is_<tag>` for each tag.
        told: per photo that has tags, by the label of its row: each tag's reason and suggestion.
        left_out: the tags that could not be judged, and why.
        common: the tags on more than half of the photos, and their share.
    """

    table: pd.DataFrame
    told: dict[Any, dict[str, tuple[str, str]]]
    left_out: dict[str, str]
    common: dict[str, float]


def tag(table: pd.DataFrame, profile: Profile) -> Tagged:
    """Judge each tag of `profile` for each row of `table`.

    Args:
        table: measurements, with `file`; a ranked one, best first, for the tags of duplicates. A
            tag whose columns are missing is left out; a photo without a value has no score and not
            the tag, and so has one with an `error`.
    """
    values = with_derived(measured_rows(table))
    absent = {name: _absent(profile, name, values) for name in profile.tags}
    left_out = {name: f"needs {', '.join(columns)}" for name, columns in absent.items() if columns}
    judged = {
        name: _JUDGES[name](values) if name in _JUDGES else score(values, profile.rules[name])
        for name in profile.tags
        if name not in left_out
    }
    hidden = {name: untold(values, profile.evidence.get(name, {})) for name in judged}
    scores = {name: np.where(hidden[name], np.nan, sure) for name, (sure, _) in judged.items()}
    because = {name: why for name, (_, why) in judged.items()}
    has = having(scores, profile)
    told = _told(values, profile, has, because)
    frame = _words(values, profile, scores, told)
    for name in scores:
        frame[f"{name}_score"], frame[f"is_{name}"] = scores[name], has[name]
    shares = {name: mask.sum() / max(1, len(mask)) for name, mask in has.items()}
    common = {name: float(share) for name, share in shares.items() if share > COMMON}
    return Tagged(_for_all(frame, table.index, list(scores)), told, left_out, common)


def _absent(profile: Profile, name: str, table: pd.DataFrame) -> list[str]:
    """The columns that are missing for a tag, as long as not one of its rules has all of its own."""
    if name in DUPLICATES:
        return [column for column in DUPLICATES[name] if column not in table]
    absent = [[c for c in rule if c not in table] for rule in profile.rules[name]]
    return [] if any(not columns for columns in absent) else absent[0]


def with_derived(table: pd.DataFrame) -> pd.DataFrame:
    """The table with what follows from a photo's shape: megapixels, aspect."""
    if not {"width", "height"} <= set(table):
        return table
    width, height = (pd.to_numeric(table[n], errors="coerce") for n in ("width", "height"))
    aspect = np.minimum(width, height) / np.maximum(width, height)
    return table.assign(megapixels=width * height / 1e6, aspect=aspect)


def _near(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Near-duplicates of a better photo that are not exact ones, and the better one's file name."""
    keeper = truths(table["dup_keeper"])
    better = dict(zip(table["dup_group"][keeper], table["file"][keeper], strict=True))
    repeated = _exact(table)[0] if "content_hash" in table else np.zeros(len(table))
    are = ~keeper & (repeated == 0)
    return are.astype(float), _texts(better.get(group) for group in table["dup_group"])


def _exact(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """All but the first of the photos that have the same pixels, and the first one's file name."""
    hashes = table["content_hash"]
    first: dict[Any, Any] = {}
    of = [first.setdefault(h, file) for h, file in zip(hashes, table["file"], strict=True)]
    return (hashes.notna() & hashes.duplicated()).to_numpy(float), _texts(of)


def _texts(values: Iterable[Any]) -> np.ndarray:
    """Python texts: pandas' own would refuse file names that are not UTF-8."""
    texts = list(values)
    array = np.empty(len(texts), object)
    array[:] = texts
    return array


_JUDGES = {"near_duplicate": _near, "exact_duplicate": _exact}


def _told(
    values: pd.DataFrame,
    profile: Profile,
    has: Mapping[str, np.ndarray],
    because: Mapping[str, np.ndarray],
) -> dict[Any, dict[str, tuple[str, str]]]:
    """Reason and suggestion of each tag of the photos that have any."""
    told: dict[Any, dict[str, tuple[str, str]]] = {}
    any_ = np.any(list(has.values()), axis=0) if has else np.zeros(len(values), bool)
    for row, photo in zip(np.flatnonzero(any_), values[any_].to_dict("records"), strict=True):
        told[values.index[int(row)]] = {
            name: (
                _reason(profile, name, photo, because[name][row]),
                suggestion(profile.suggestions.get(name, ""), photo, str(because[name][row])),
            )
            for name in has
            if has[name][row]
        }
    return told


def _words(
    values: pd.DataFrame,
    profile: Profile,
    scores: Mapping[str, np.ndarray],
    told: Mapping[Any, Mapping[str, tuple[str, str]]],
) -> pd.DataFrame:
    """The columns that a person reads."""
    quality = quality_score(values, scores, profile)
    rows = [told.get(label, {}) for label in values.index]
    not_told = why_untold(values, profile, scores)
    serious = {*profile.quality["serious"]}
    unsure = [
        bool(why) and serious.isdisjoint(row) for why, row in zip(not_told, rows, strict=True)
    ]
    classes = quality_class(quality, np.array(unsure, bool), profile)
    faults = {*serious, *profile.quality["minor"]}
    is_faulty = np.array([not faults.isdisjoint(row) for row in rows], bool)
    is_tagged = np.array([bool(row) for row in rows], bool)
    wanting = np.isin(classes, ("Fair", "Poor")) & ~is_faulty | are_lowest(quality) & ~is_tagged
    more = reasons(values, scores, quality, wanting)
    words = {
        "quality_class": classes,
        "quality_score": quality,
        "tags": _texts(", ".join(row) for row in rows),
        "tag_reasons": _texts(
            "; ".join(
                filter(None, [because, *(f"{n}: {why}" for n, (why, _) in row.items()), thin])
            )
            for row, because, thin in zip(rows, more, not_told, strict=True)
        ),
        "suggestions": _texts(" ".join(do for _, do in row.values() if do) for row in rows),
    }
    texts = {n: pd.Series(words[n], values.index, dtype=object) for n in TEXTS}
    return pd.DataFrame(words | texts, index=values.index)


def _reason(profile: Profile, name: str, photo: Mapping[Any, Any], because: Any) -> str:
    """The numbers that made the tag: each column's value and where the tag begins."""
    if name in DUPLICATES:
        return f"the same {'picture' if name == 'near_duplicate' else 'pixels'} as {because}"
    rule = profile.rules[name][because]
    begin = begins(rule, profile.threshold(name))
    return " and ".join(
        f"{column} {photo[column]:.3g} ({'above' if sure > at else 'below'} {begin[column]:.3g})"
        for column, (at, sure) in rule.items()
    )


def _for_all(frame: pd.DataFrame, index: pd.Index, names: Sequence[str]) -> pd.DataFrame:
    """The same for all rows of the table: empty texts and no tags for those that failed."""
    whole = frame.reindex(index)
    for text in TEXTS:
        whole[text] = whole[text].astype(object).where(whole[text].notna(), "")
    return whole.assign(**{f"is_{n}": whole[f"is_{n}"].eq(True) for n in names})
