"""The arguments that several commands share."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from photorank.config.config import Settings, defaults
from photorank.utils.find import cache_folder
from photorank.utils.logging import set_up_logging
from photorank.utils.words import each_name

COMMON = (
    *("output_csv", "weights", "scale", "features", "aesthetic"),
    *("dedup", "exclude", "quiet"),
)
"""The settings that people use; `--help_all` shows the others too."""

LABELS = (
    "your ratings: a table with the columns file (or path), rating (or stars, mos, score) and "
    "perhaps scene"
)


class Names(argparse.Action):
    """Names after one flag, separated by spaces or commas."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option: Any = None) -> None:
        setattr(namespace, self.dest, each_name(values))


def add_table(parser: argparse.ArgumentParser) -> None:
    """A ranked table, by place or by --input_csv."""
    given = parser.add_mutually_exclusive_group()
    text = "a ranked table (default: the newest in output/csvs)"
    given.add_argument("table", nargs="?", default=None, metavar="FILE", help=text)
    given.add_argument("--input_csv", dest="table", metavar="FILE", help="the same as FILE")


def add_switches(parser: Any, switches: dict[str, str], everything: bool) -> None:
    """Flags that are there or not; their help is shown if `everything` is."""
    for flag, text in switches.items():
        shown = text if everything else argparse.SUPPRESS
        parser.add_argument(flag, action="store_true", help=shown)


def add_input(parser: argparse.ArgumentParser, everything: bool, also: str = "") -> None:
    """Folders or a table, by place or by --input_dir."""
    given = parser.add_mutually_exclusive_group()
    text = "folders of photos, or a table (.csv, .json, .parquet)"
    given.add_argument("inputs", nargs="*", action="extend", default=[], metavar="DIR", help=text)
    same: Any = {"dest": "inputs", "nargs": 1, "action": "extend", "metavar": "DIR"}
    for flag in filter(None, ("--input_dir", also)):
        shown = "the same as DIR" if everything else argparse.SUPPRESS
        given.add_argument(flag, **same, help=shown)


def add_settings(
    parser: argparse.ArgumentParser,
    everything: bool,
    only: Sequence[str] = (),
    without: Sequence[str] = (),
) -> None:
    """A flag for each field of `Settings`, or for some, and --config; help for the common ones."""
    usual = defaults()
    names = only or [n for n in Settings.model_fields if n not in (*without, "default_weights")]
    for name in names:
        options = _options(name, usual[name])
        if not (everything or only or name in COMMON):
            options["help"] = argparse.SUPPRESS
        parser.add_argument(f"--{name}", **options)
    text = "a TOML file with any of these settings; flags go before it"
    hidden = argparse.SUPPRESS
    parser.add_argument("--config", metavar="FILE", help=text if everything or only else hidden)


def _options(name: str, usual: Any) -> dict[str, Any]:
    """What argparse must know of a setting, from its declaration."""
    field = Settings.model_fields[name]
    kind, extra = field.annotation, field.json_schema_extra
    named = {"metavar": extra.get("metavar") if isinstance(extra, dict) else None}
    plain = isinstance(usual, str | int) and usual not in ("", 0, -1)
    options = {"help": f"{field.description}" + f" (default: {usual})" * plain}
    if kind is bool:
        return options | {"action": "store_true"}
    if name == "features":
        return options | named | {"nargs": "+"}
    if get_origin(kind) is tuple:
        return options | named | {"action": "append"}
    if kind is int:
        return options | {"type": _count, "metavar": "N"}
    if get_origin(kind) is Literal:
        return options | {"choices": get_args(kind)}
    return options | named


def _count(text: str) -> int:
    """A whole number from 0 up; that a setting is -1 where it is not given is no one else's matter."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"wanted a whole number from 0 up, got {text!r}")
    return int(text)


def the_input(command: str, inputs: list[str], flags: dict[str, Any]) -> Any:
    """The table or folder to work on, or a list of folders.

    In `--features a b DIR` argparse takes the folder for one more feature.

    Raises:
        ValueError: nothing was given, or several that are not all folders.
    """
    names = flags.get("features", [])
    given: list[str] = []
    while not inputs and len(names) > 1 and Path(names[-1]).expanduser().exists():
        given = [names.pop(), *given]
    inputs = inputs or given
    if not inputs:
        raise ValueError(f"nothing to {command}: give a folder of photos (photorank {command} DIR)")
    if len(inputs) == 1:
        return inputs[0]
    if others := [given for given in inputs if not Path(given).expanduser().is_dir()]:
        raise ValueError(f"several inputs are folders each; {others[0]} is none")
    return inputs


def the_settings(flags: dict[str, Any], config: str | None, quiet: bool = False) -> Settings:
    """The settings of a command, with a place to keep measurements; log lines at their level.

    Unlike `photorank.rank`, the command has a cache of its own.
    """
    settings = Settings.load(flags, config)
    noise = logging.WARNING if quiet or settings.quiet else logging.INFO
    set_up_logging(logging.DEBUG if settings.verbose else noise)
    if settings.cache:
        return settings
    folder = cache_folder()
    return settings.but(cache=str(folder / "measurements.sqlite") if folder else "off")
