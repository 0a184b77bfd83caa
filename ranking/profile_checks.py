"""What a profile may say: the type of each part, and names that belong together."""

from __future__ import annotations

import math
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from photorank.utils.words import near, shown

Kind = tuple[str, Callable[[Any], bool]]  # what is wanted, in words, and whether a value is that
ALL = "all"  # the threshold of the tags that have none of their own


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _are_ends(value: Any) -> bool:
    two = isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))
    return two and value[0] != value[1]


def _are_rules(value: Any) -> bool:
    rules = isinstance(value, list) and value and all(rule and _is_table(rule) for rule in value)
    return bool(rules) and all(_are_ends(ends) for rule in value for ends in rule.values())


def columns_in(sentence: str) -> list[str]:
    """What stands in the braces of a suggestion.

    Raises:
        ValueError: a brace without its other one.
    """
    return [name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None]


def _is_sentence(value: Any) -> bool:
    try:
        return _is_text(value) and all(name.isidentifier() for name in columns_in(value))
    except ValueError:
        return False


_TEXT: Kind = ("a text", _is_text)
_SENTENCE: Kind = ("a text with columns in braces, {noise:.1f}", _is_sentence)
_TAGS: Kind = ('a list of tags, ["noisy", ...]', _are_texts)
_SHARE: Kind = ("a number from 0 to 1", lambda value: _is_number(value) and 0 <= value <= 1)
_RULES: Kind = (
    "a list of rules, [{ column = [where the score is .5, where it is .95] }], two different "
    "numbers for each column",
    _are_rules,
)
_LEAST: Kind = (
    "a table of columns and the least value of each, { edge_share = 0.03 }",
    lambda value: _is_table(value) and all(map(_is_number, value.values())),
)
_CUT: Kind = ("a score above 0 and below 1", lambda value: _is_number(value) and 0 < value < 1)
_ANY: Kind = ("", lambda _: True)

TABLES = (
    "rules",
    "evidence",
    "unless",
    "suggestions",
    "thresholds",
    "quality",
    "columns",
    "made_by",
)
_PARTS: Mapping[str, Kind] = {
    **dict.fromkeys(("name", "version", "extends"), _TEXT),
    **dict.fromkeys(("tags", "more"), _TAGS),
    **{name: (f"a table, [{name}]", _is_table) for name in TABLES},
}
_QUALITY: Mapping[str, Kind] = {
    **dict.fromkeys(("serious", "minor"), _TAGS),
    **dict.fromkeys(("poor_below", "good_from"), _SHARE),
}
_IN_TABLES = {
    "rules": _RULES,
    "evidence": _LEAST,
    "unless": _TAGS,
    "suggestions": _SENTENCE,
    "thresholds": _CUT,
    "columns": _TEXT,
    "made_by": _ANY,
}


def check_types(where: str, contents: Mapping[str, Any]) -> None:
    """Make sure that a file of a profile has a name and a version, and only what a profile has.

    Args:
        where: the file, for the message.
        contents: what it says, alone: what it takes from another is checked with that.

    Raises:
        ValueError: the first thing that is missing, unknown or of another type.
    """
    _check(f"the profile {where}", contents, _PARTS)
    if missing := {"name", "version"} - set(contents):
        raise ValueError(
            f"the profile {where} needs a {' and a '.join(sorted(missing))}, which stand in every "
            'output: name = "mine" and version = "1", above the first [part]'
        )
    for part in [part for part in TABLES if part in contents]:
        within = contents[part]
        kinds = _QUALITY if part == "quality" else dict.fromkeys(within, _IN_TABLES[part])
        _check(f"the profile {where}, [{part}]", within, kinds)


def _check(where: str, values: Mapping[str, Any], kinds: Mapping[str, Kind]) -> None:
    for name, value in values.items():
        if name not in kinds:
            raise ValueError(f"{where} has an unknown key {name!r}; {near(name, kinds)}")
        wanted, fits = kinds[name]
        if not fits(value):
            raise ValueError(f"{where}: {name} is {wanted}; got {shown(value)}")


def check_whole(contents: Mapping[str, Any]) -> None:
    """Make sure that a profile that takes nothing from another lacks nothing.

    Raises:
        ValueError: a part, the threshold of all or something of `quality` is missing.
    """
    wanted = {
        "": {"tags", "rules", "thresholds", "quality"} - set(contents),
        "[thresholds] ": {ALL} - set(contents.get("thresholds", [ALL])),
        "[quality] ": set(_QUALITY) - set(contents.get("quality", _QUALITY)),
    }
    if missing := [part + name for part, names in wanted.items() for name in sorted(names)]:
        raise ValueError(
            f"the profile {contents['name']} lacks {', '.join(missing)}: say what it takes the rest "
            'from (extends = "default", above the first [part]), or all of it'
        )


def check_tags(
    name: str,
    tags: Sequence[str],
    judged: Iterable[str],
    named: Mapping[str, Iterable[str]],
) -> None:
    """Make sure that each tag has a rule, and that a profile names only its own tags.

    Args:
        name: the profile's.
        tags: its tags.
        judged: those that have a rule, or need none.
        named: the tags that each part of the profile speaks of.

    Raises:
        ValueError: the first that does not belong.
    """
    judged = set(judged)
    if bare := [tag for tag in tags if tag not in judged]:
        raise ValueError(
            f"the profile {name}: the tag {bare[0]!r} has no rule; give it one under [rules]"
        )
    for part, names in named.items():
        for tag in names:
            if tag not in tags:
                raise ValueError(
                    f"the profile {name}: {part} names {tag!r}, which is none of its tags; "
                    f"{near(tag, tags)} (one of your own is named in more = [{tag!r}] too)"
                )
