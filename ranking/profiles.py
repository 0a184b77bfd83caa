"""Profiles: the rules, sentences and thresholds of the tags, as versioned TOML files."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from photorank.utils.reading import read_toml

from .profile_checks import ALL, TABLES, check_tags, check_types, check_whole, columns_in

Rule = Mapping[str, Sequence[float]]
DUPLICATES = {
    "near_duplicate": ("dup_keeper",),
    "exact_duplicate": ("content_hash", "dup_keeper"),  # without --dedup photos are not compared
}
"""The tags that compare photos, which no rule can say, and the column that each needs."""

_OF_THE_FILE = ("width", "height", "bytes", "megapixels", "aspect", "jpeg_quality")
_SAID = ("because", "more_light", "less_light")  # in a suggestion, beside columns
_MISSPELT = 0.8  # so alike, by difflib's ratio, are two spellings of one name
_MERGED = ("rules", "evidence", "unless", "suggestions", "thresholds", "quality")
"""What a profile takes from another one by one."""
_OF_TAGS = ("rules", "evidence", "unless", "suggestions", "thresholds")
_FOLDER = Path(__file__).parent / "profiles"


@dataclass(frozen=True)
class Profile:
    """Which tags there are, what makes them, and from which score on a photo has them.

    Attributes:
        name, version: written into every output; whoever changes a number changes the version.
        tags: in the order in which they are named.
        rules: per tag its rules, of which any will do; a rule is columns that must all agree, each
            with the value at which the tag's score is .5 and the one at which it is .95.
        thresholds: per tag the score from which on a photo has it; "all" for those not named.
        quality: what the quality class is made of (`classes.py`).
        evidence: per tag columns of which one must be at least so large for the tag to be told at all.
        unless: per tag those it contradicts: it is not given where one of them scores .5 or more.
        suggestions: per tag what to do about it, a sentence with columns in braces.
        columns: the versions of the measurements that the thresholds were fitted to.
        made_by: what they were fitted to, in words and numbers.
    """

    name: str
    version: str
    tags: Sequence[str]
    rules: Mapping[str, Sequence[Rule]]
    thresholds: Mapping[str, float]
    quality: Mapping[str, Any]
    evidence: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    unless: Mapping[str, Sequence[str]] = field(default_factory=dict)
    suggestions: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    made_by: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        judged = {*self.rules, *DUPLICATES}
        named = {
            "[rules]": self.rules,
            "[evidence]": self.evidence,
            "[unless]": self.unless,
            "[suggestions]": self.suggestions,
            "[thresholds]": set(self.thresholds) - {ALL},
            "[quality]": [*self.quality["serious"], *self.quality["minor"]],
        }
        check_tags(self.name, self.tags, judged, named)

    @classmethod
    def load(cls, given: str | os.PathLike[str]) -> Profile:
        """A shipped profile by name, or one from a TOML file.

        A profile that `extends` another one takes from it whatever it does not say itself, rules,
        thresholds and `quality` one by one, of the tags that it has; `more` are tags besides those
        of the other.

        Raises:
            ValueError: no such profile, not TOML, or something in it that makes no sense.
        """
        return cls(**_contents(given))

    def threshold(self, tag: str) -> float:
        """The score from which on a photo has the tag."""
        return self.thresholds.get(tag, self.thresholds[ALL])

    def as_toml(self) -> str:
        """The whole profile as a TOML file, which `load` reads."""
        lines = ["# A profile of photorank's tags; docs/tags.md says how to read it."]
        lines += [f"{name} = {_toml(getattr(self, name))}" for name in ("name", "version", "tags")]
        for part in TABLES:
            values = getattr(self, part)
            lines += ["", f"[{part}]", *(f"{_key(k)} = {_toml(v)}" for k, v in values.items())]
        return "\n".join(lines) + "\n"

    def check_versions(self, columns: Sequence[Mapping[str, Any]]) -> None:
        """Make sure that thresholds fitted to measurements are not used on others.

        Raises:
            ValueError: a column of another version than the profile was fitted to.
        """
        for column in columns:
            fitted = self.columns.get(column["name"], column.get("version", ""))
            if fitted != column.get("version", ""):
                raise ValueError(
                    f"the profile {self.name} was fitted to version {fitted!r} of {column['name']!r}, "
                    f"this table has {column['version']!r}: calibrate it anew"
                )

    def check_names(self, columns: Iterable[str]) -> None:
        """Make sure that no rule or suggestion misspells a column.

        One that is like none of `columns` is taken for a measurement of somebody's own that is not
        there, for which tags are left out.

        Args:
            columns: all that can be measured, and those of the table.

        Raises:
            ValueError: a column that is none of them, and is spelt nearly as one.
        """
        known = {*_OF_THE_FILE, *columns}
        fused = {f"{name}{end}" for name in known for end in ("_norm", "_contribution")}
        for tag in self.tags:
            named = dict.fromkeys(columns_in(self.suggestions.get(tag, "")), "the suggestion")
            named |= dict.fromkeys(self.evidence.get(tag, ()), "the evidence")
            named |= {name: "a rule" for rule in self.rules.get(tag, ()) for name in rule}
            for name in named.keys() - known - fused - {*_SAID}:
                if close := difflib.get_close_matches(name, known, 1, _MISSPELT):
                    raise ValueError(
                        f"the profile {self.name}: {named[name]} of {tag!r} names {name!r}, which no "
                        f"feature gives; did you mean {close[0]}?"
                    )


def names() -> list[str]:
    """The shipped profiles."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


@cache
def shipped_tags() -> frozenset[str]:
    """The tags of all shipped profiles."""
    return frozenset(tag for name in names() for tag in Profile.load(name).tags)


def _contents(given: str | os.PathLike[str], below: Sequence[str] = ()) -> dict[str, Any]:
    """What a file says, with what it takes from those that it extends."""
    contents = _read(given)
    check_types(str(given), contents)
    more, other = contents.pop("more", []), contents.pop("extends", None)
    if other in below:
        raise ValueError(f"the profile {other} extends itself")
    if other is None:
        check_whole(contents)
        return contents | {"tags": [*contents["tags"], *more]}
    base = _contents(other, (*below, other))
    tags = list(dict.fromkeys([*contents.get("tags", base["tags"]), *more]))
    base = _of_tags(base, tags)
    merged = {part: base.get(part, {}) | contents.get(part, {}) for part in _MERGED}
    return base | contents | merged | {"tags": tags}


def _of_tags(contents: Mapping[str, Any], tags: Sequence[str]) -> dict[str, Any]:
    """A profile without what it says of other tags than these."""
    kept, quality = {*tags, ALL}, contents["quality"]
    fewer = {
        part: {name: value for name, value in contents.get(part, {}).items() if name in kept}
        for part in _OF_TAGS
    }
    faults = {name: [t for t in quality[name] if t in kept] for name in ("serious", "minor")}
    return {**contents, **fewer, "quality": quality | faults}


def _read(given: str | os.PathLike[str]) -> dict[str, Any]:
    shipped = str(given) in names()
    path = _FOLDER / f"{given}.toml" if shipped else Path(given).expanduser()
    try:
        return read_toml(path)
    except OSError as error:
        raise ValueError(
            f"no profile {str(given)!r}: there is {', '.join(names())}, or give a TOML file "
            f"({error.strerror})"
        ) from error
    except ValueError as error:  # TOML and UTF-8 errors alike
        raise ValueError(f"the profile {given} is not TOML that can be used: {error}") from error


def _key(name: str) -> str:
    """A key of TOML: in quotes where it is more than letters, digits, _ and -."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name)


def _toml(value: Any) -> str:
    """JSON's values are TOML, but for escaped pairs of surrogates; a file name that is not UTF-8 gets a ?."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {_toml(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode("utf-8")
