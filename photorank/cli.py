"""The command: parse, call the library, print. Nothing heavy is imported before the arguments are read."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__
from .config.config import Settings, defaults
from .utils.logging import set_up_logging

if TYPE_CHECKING:
    import pandas as pd

DONE, SOME_FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130
_WHAT_BECAME = {
    "mark": "marked in the columns dup_*, the order is unchanged",
    "keep-best": "ranked after all others",
}
_FIRST, _LAST = 10, 3


def run() -> None:
    """The installed command's entry."""
    sys.exit(main(sys.argv[1:]))


def main(argv: Sequence[str]) -> int:
    """Run the command line `argv` and return its exit code.

    0: done; 1: done but some photos failed (only with --strict); 2: wrong use or nothing to rank;
    130: interrupted.
    """
    arguments = vars(_parser().parse_args(argv))
    command: Callable[..., int] = arguments.pop("command")
    try:
        return command(**arguments)
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt:
        print("photorank: interrupted; nothing was written", file=sys.stderr)
        return INTERRUPTED
    except (ValueError, ImportError) as error:
        print(f"photorank: {error}", file=sys.stderr)
        return WRONG_USE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="photorank", description="Rank a folder of photographs, best first, with the reasons."
    )
    parser.add_argument("--version", action="version", version=f"photorank {__version__}")
    commands = parser.add_subparsers(title="commands", required=True)
    ranking = commands.add_parser(
        "rank",
        help="rank a folder of photos, or a table of measurements",
        description="Rank the photos of a folder and all folders below it, best first, into a table.",
        argument_default=argparse.SUPPRESS,
    )
    _add_input(ranking)
    _add_settings(ranking)
    ranking.set_defaults(command=_rank)
    downloading = commands.add_parser(
        "download",
        help="fetch all models, for use without a network",
        argument_default=argparse.SUPPRESS,
    )
    _add_settings(downloading, only=("clip_model", "clip_pretrained", "clip_preprocess"))
    downloading.set_defaults(command=_download)
    return parser


def _add_input(parser: argparse.ArgumentParser) -> None:
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument(
        "input",
        nargs="?",
        metavar="DIR",
        help="a folder of photos, or a table (.csv, .json, .parquet)",
    )
    given.add_argument("--input_dir", dest="input", metavar="DIR", help="the same as DIR")


def _add_settings(parser: argparse.ArgumentParser, only: Sequence[str] = ()) -> None:
    """A flag for each field of `Settings`, and --config."""
    default = defaults()
    for setting in fields(Settings):
        if only and setting.name not in only:
            continue
        options: dict[str, Any] = {"help": _help(setting.metadata["help"], default[setting.name])}
        if "bool" in str(setting.type):
            options["action"] = "store_true"
        elif setting.name == "features":
            options |= {"nargs": "+", "metavar": "NAME"}
        elif "tuple" in str(setting.type):
            options |= {"action": "append", "metavar": setting.metadata["metavar"]}
        elif str(setting.type) == "int":
            options |= {"type": int, "metavar": "N"}
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


def _help(text: str, default: Any) -> str:
    plain = isinstance(default, str | int) and default not in ("", 0, -1)
    return text + f" (default: {default})" * plain


def _rank(input: str, config: str | None = None, **flags: Any) -> int:
    settings = Settings.load(flags, config)
    _log_at_level(settings)
    from . import pipeline, tables
    from .utils.io import TABLE_SUFFIXES

    source: Any = input
    if Path(input).suffix.lower() in TABLE_SUFFIXES and not Path(input).is_dir():
        source = tables.load(input)
    output = Path(settings.output_csv) if settings.output_csv else _default_output(input)
    tables.check_output(output)
    if isinstance(source, str):
        pipeline.fetch_models(settings)
    table = pipeline.rank(source, **vars(settings))
    written = tables.save(table, output)
    record = table.attrs["photorank"]
    if not settings.quiet:
        _print_summary(table, record, written)
    if not record["ranked"]:
        first = table.iloc[0]
        raise ValueError(
            f"none of the {len(table)} photos could be read (the first, {first['file']}: "
            f"{first['error']}); the reasons are in {written[-1]}"
        )
    return SOME_FAILED if settings.strict and record["failed"] else DONE


def _download(config: str | None = None, **flags: Any) -> int:
    _log_at_level(Settings.load(flags, config))
    from . import pipeline

    for name, place in pipeline.download(**flags).items():
        print(f"{name}: {place}")
    return DONE


def _log_at_level(settings: Settings) -> None:
    warnings.filterwarnings("ignore", module="PIL")  # a damaged photo's row says what matters
    noise = logging.WARNING if settings.quiet else logging.INFO
    set_up_logging(logging.DEBUG if settings.verbose else noise)


def _default_output(input: str) -> Path:
    """output/csvs/<folder>.csv, unless that was made from another folder of the same name."""
    import hashlib
    import json

    folder = Path(input).expanduser().absolute()
    name = (folder.stem if folder.is_file() else folder.resolve().name) or "root"
    csv = Path("output", "csvs", f"{name}.csv")
    record = csv.with_name(f"{name}.meta.json")
    try:
        same = json.loads(record.read_text(encoding="utf-8")).get("source") == str(folder)
    except (OSError, ValueError):
        same = not csv.exists()
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:8]
    return csv if same else csv.with_name(f"{name}-{digest}.csv")


def _print_summary(table: pd.DataFrame, record: Mapping[str, Any], written: Sequence[Path]) -> None:
    skipped = ", ".join(f"{n} {suffix}" for suffix, n in record.get("skipped", {}).items())
    print(
        f"{record['ranked']} ranked, {record['failed']} failed"
        + (f", skipped: {skipped}" if skipped else "")
        + f" ({record['seconds']:.1f} s)"
    )
    if record.get("near_duplicates"):
        print(
            f"{record['near_duplicates']} of them near-duplicates of a better one: {_WHAT_BECAME[record['settings']['dedup']]}"
        )
    ranked = table[table["error"].isna()]
    if len(ranked):
        print(_best_and_worst(ranked, record["weights"]))
    for path in written:
        print(f"wrote {path}")


def _best_and_worst(ranked: pd.DataFrame, weights: Mapping[str, float]) -> str:
    """A line per photo for the first ten and the last three: rank, score, file, what made the score."""
    shown = (
        ranked
        if len(ranked) <= _FIRST + _LAST
        else ranked.iloc[[*range(_FIRST), *range(-_LAST, 0)]]
    )
    parts = ranked[[f"{name}_contribution" for name in weights]]
    lines = [
        f"{row['rank']:>5}  {row['final_score']:.3f}  {_printable(row['file']):<40}  {reasons}"
        for (_, row), reasons in zip(
            shown.iterrows(), _reasons(parts.loc[shown.index], parts.mean()), strict=True
        )
    ]
    if len(shown) < len(ranked):
        lines.insert(_FIRST, f"{'...':>5}")
    return "\n".join([f" rank  score  {'file':<40}  against the folder's mean", *lines])


def _reasons(parts: pd.DataFrame, mean: pd.Series[float]) -> list[str]:
    """What lifts or lowers each score most: up to three columns, by how much."""
    above = parts - mean
    reasons = []
    for _, row in above.iterrows():
        most = row[row.abs() >= 0.005].sort_values(key=abs, ascending=False).head(3)
        names = (str(name).removesuffix("_contribution") for name in most.index)
        reasons.append(", ".join(f"{n} {v:+.2f}" for n, v in zip(names, most, strict=True)))
    return reasons


def _printable(name: str, width: int = 40) -> str:
    """A file name for one line of a terminal: nothing that moves the cursor, the middle left out."""
    name = "".join(c if c.isprintable() else "?" for c in name)
    return name if len(name) <= width else f"{name[: width // 2 - 1]}…{name[-width // 2 :]}"
