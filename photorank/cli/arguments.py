"""The arguments that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from photorank.config.config import Settings, defaults
from photorank.utils.words import each_name


class Names(argparse.Action):
    """Names after one flag, separated by spaces or commas."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option: Any = None) -> None:
        setattr(namespace, self.dest, each_name(values))


def add_table(parser: argparse.ArgumentParser) -> None:
    given = parser.add_mutually_exclusive_group()
    text = "a ranked table (default: the newest in output/csvs)"
    given.add_argument("table", nargs="?", metavar="FILE", help=text)
    given.add_argument("--input_csv", dest="table", metavar="FILE", help="the same as FILE")


def add_copying(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("copies of the best photos")
    group.add_argument(
        "--copy_top", type=int, default=0, metavar="N", help="copy the first N photos; needs --to"
    )
    group.add_argument(
        "--to", default="", metavar="DIR", help="where to; nothing there is ever overwritten"
    )
    switches = {
        "--link": "make symbolic links instead of copies",
        "--keepers_only": "count and copy only the best of each group of near-duplicates",
        "--dry_run": "only say what would be copied",
    }
    for flag, text in switches.items():
        group.add_argument(flag, action="store_true", default=False, help=text)


def add_input(parser: argparse.ArgumentParser, also: str = "") -> None:
    given = parser.add_mutually_exclusive_group()
    given.add_argument(
        "input",
        nargs="?",
        metavar="DIR",
        help="a folder of photos, or a table (.csv, .json, .parquet)",
    )
    given.add_argument("--input_dir", dest="input", metavar="DIR", help="the same as DIR")
    if also:
        given.add_argument(also, dest="input", metavar="FILE", help="a table; the same as DIR")


def add_settings(
    parser: argparse.ArgumentParser, only: Sequence[str] = (), without: Sequence[str] = ()
) -> None:
    """A flag for each field of `Settings`, or for some, and --config."""
    default = defaults()
    for setting in fields(Settings):
        if (only and setting.name not in only) or setting.name in without:
            continue
        options: dict[str, Any] = {"help": _help(setting.metadata["help"], default[setting.name])}
        if "bool" in str(setting.type):
            options["action"] = "store_true"
        elif setting.name == "features":
            options |= {"nargs": "+", "metavar": "NAME"}
        elif "tuple" in str(setting.type):
            options |= {"action": "append", "metavar": setting.metadata["metavar"]}
        elif str(setting.type) == "int":
            options |= {"type": _count, "metavar": "N"}
        elif setting.metadata["choices"]:
            options["choices"] = setting.metadata["choices"]
        else:
            options["metavar"] = setting.metadata["metavar"]
        parser.add_argument(f"--{setting.name}", **options)
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="a TOML file with any of these settings; flags go before it",
    )


def _count(text: str) -> int:
    """A whole number from 0 up; that a setting is -1 where it is not given is no one else's matter."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"wanted a whole number from 0 up, got {text!r}")
    return int(text)


def _help(text: str, default: Any) -> str:
    plain = isinstance(default, str | int) and default not in ("", 0, -1)
    return text + f" (default: {default})" * plain
