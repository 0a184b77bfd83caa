"""The command: parse, call the library, print. Nothing heavy is imported before the arguments are read."""

from __future__ import annotations

import argparse
import io
import logging
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__
from .config.config import Settings, defaults
from .utils.logging import set_up_logging

if TYPE_CHECKING:
    import pandas as pd

DONE, SOME_FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130

_LABELS = (
    "your ratings: a table with the columns file (or path), rating (or stars, mos, score) and "
    "perhaps scene"
)


def run() -> None:
    """The installed command's entry."""
    sys.exit(main(sys.argv[1:]))


def main(argv: Sequence[str]) -> int:
    """Run the command line `argv` and return its exit code.

    0: done; 1: done but some photos failed (only with --strict); 2: wrong use or nothing to rank;
    130: interrupted.
    """
    arguments = vars(_parser().parse_args(argv))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")  # file names need not be UTF-8
    command: Callable[..., int] = arguments.pop("command")
    try:
        return command(**arguments)
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt:
        print("photorank: interrupted; no file is half-written", file=sys.stderr)
        return INTERRUPTED
    except (ValueError, ImportError, OSError) as error:
        print(f"photorank: {error}", file=sys.stderr)
        return WRONG_USE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="photorank", description="Rank a folder of photographs, best first, with the reasons."
    )
    parser.add_argument("--version", action="version", version=f"photorank {__version__}")
    commands = parser.add_subparsers(title="commands", required=True)
    _add_rank(commands)
    _add_evaluate(commands)
    _add_tune(commands)
    _add_show(commands)
    _add_download(commands)
    return parser


def _add_rank(commands: Any) -> None:
    parser = commands.add_parser(
        "rank",
        help="rank a folder of photos, or a table of measurements",
        description="Rank the photos of a folder and all folders below it, best first, into a table.",
        argument_default=argparse.SUPPRESS,
    )
    _add_input(parser)
    _add_settings(parser)
    _add_copying(parser)
    parser.add_argument(
        "--evaluate", action="store_true", default=False, help="then do what `evaluate` does"
    )
    parser.set_defaults(command=_rank)


def _add_evaluate(commands: Any) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="figures and pictures of a ranking",
        description="Print figures of a ranked table, with --labels also how far it agrees with "
        "people's ratings; write histograms to results/ and montages of the best and the worst "
        "photos to output/topk_images/.",
    )
    _add_table(parser)
    parser.add_argument(
        "--top_k", type=int, default=20, metavar="N", help="photos per montage (default: 20)"
    )
    parser.add_argument("--labels", metavar="FILE", help=_LABELS)
    parser.set_defaults(command=_evaluate)


def _add_tune(commands: Any) -> None:
    parser = commands.add_parser(
        "tune",
        help="find the weights that fit your ratings or your photos, and what they are worth",
        description="Tune the weights on ratings (--labels), or so that degraded copies of the photos "
        "rank below them; judge them on photos that were held out, beside the default weights, equal "
        "weights and the best single column; write weights for `rank --weights`.",
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument(
        "source",
        nargs="?",
        metavar="SOURCE",
        default=None,
        help="a table or a folder of photos (default: the newest table in output/csvs, else demo photos)",
    )
    parser.add_argument(
        "--labels",
        metavar="FILE",
        help=_LABELS,
    )
    numbers = {
        "trials": "sets of weights that are tried per fold (default: 200)",
        "seed": "the same seed gives the same result (default: 0)",
        "max_photos": "without labels: how many photos to make copies of (default: 40)",
    }
    for name, text in numbers.items():
        parser.add_argument(f"--{name}", type=int, metavar="N", help=text)
    parser.add_argument(
        "--columns", nargs="+", metavar="COLUMN", help="what to weigh (default: all that vary)"
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        default="best_weights.json",
        help="where to write the weights (default: best_weights.json)",
    )
    elsewhere = ("output_csv", "save_scale", "dedup", "strict")
    _add_settings(parser, only=[s.name for s in fields(Settings) if s.name not in elsewhere])
    parser.set_defaults(command=_tune)


def _add_show(commands: Any) -> None:
    parser = commands.add_parser(
        "show",
        help="a page to look at a ranking, and copies of the best",
        description="Write a ranked table as one HTML page with thumbnails, scores and reasons.",
    )
    _add_table(parser)
    parser.add_argument(
        "--html", metavar="FILE", help="where to write the page (default: results/<table>.html)"
    )
    _add_copying(parser)
    parser.set_defaults(command=_show)


def _add_download(commands: Any) -> None:
    parser = commands.add_parser(
        "download",
        help="fetch all models, for use without a network",
        argument_default=argparse.SUPPRESS,
    )
    _add_settings(parser, only=("clip_model", "clip_pretrained", "clip_preprocess"))
    parser.set_defaults(command=_download)


def _add_table(parser: argparse.ArgumentParser) -> None:
    given = parser.add_mutually_exclusive_group()
    text = "a ranked table (default: the newest in output/csvs)"
    given.add_argument("table", nargs="?", metavar="FILE", help=text)
    given.add_argument("--input_csv", dest="table", metavar="FILE", help="the same as FILE")


def _add_copying(parser: argparse.ArgumentParser) -> None:
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


def _rank(
    input: str,
    config: str | None = None,
    evaluate: bool = False,
    copy_top: int = 0,
    to: str = "",
    link: bool = False,
    keepers_only: bool = False,
    dry_run: bool = False,
    **flags: Any,
) -> int:
    settings = Settings.load(flags, config)
    _check_copying(copy_top, to)
    _log_at_level(settings)
    from . import pipeline, tables
    from .summary import print_summary
    from .utils.io import TABLE_SUFFIXES, real

    source: Any = input
    if Path(input).suffix.lower() in TABLE_SUFFIXES and not Path(input).is_dir():
        source = tables.load(input)
    output = Path(settings.output_csv or _default_output(input)).expanduser()
    if isinstance(source, str):
        pipeline.check(source, settings)
    tables.check_output(output)
    if isinstance(source, str):
        pipeline.fetch_models(settings)
    table = pipeline.rank(source, **vars(settings))
    if not isinstance(source, str):
        table.attrs["photorank"]["table"] = str(real(input))
    written = tables.save(table, output)
    record = table.attrs["photorank"]
    if not settings.quiet:
        print_summary(table, record, written)
    if not record["ranked"]:
        first = table.iloc[0]
        raise ValueError(
            f"none of the {len(table)} photos could be read (the first, {first['file']}: "
            f"{first['error']}); the reasons are in {written[-1]}"
        )
    if evaluate:
        _evaluate(str(output))
    _copy(table, copy_top, to, link, keepers_only, dry_run)
    return SOME_FAILED if settings.strict and record["failed"] else DONE


def _evaluate(table: str | None, top_k: int = 20, labels: str | None = None) -> int:
    import json

    from .evaluating import draw, draw_agreement, evaluate
    from .evaluation import agreement, proxy_metrics
    from .tables import load

    path = Path(table or _newest_table())
    ranked = load(path)
    metrics = evaluate(ranked, labels)
    agreed = metrics.pop("agreement", None)
    print(f"Proxy metrics: {json.dumps(metrics)}")
    print(proxy_metrics.as_text(metrics))
    pictures = draw(ranked, path.stem, top_k)
    if labels is not None:
        print(f"Agreement: {json.dumps(agreed)}")
        print(agreement.as_text(agreed))
        pictures += draw_agreement(ranked, labels, agreed, path.stem, top_k)
    for picture in pictures:
        print(f"look at {picture}")
    return DONE


def _tune(source: str | None, output: str, config: str | None = None, **given: Any) -> int:
    names = [setting.name for setting in fields(Settings)]
    settings = Settings.load({k: v for k, v in given.items() if k in names}, config)
    own = {name: value for name, value in given.items() if name not in names}
    _log_at_level(settings)
    from . import pipeline
    from .tuned import check_output
    from .tuning import tune
    from .utils.io import TABLE_SUFFIXES

    check_output(Path(output))
    chosen = Path(source or _newest_table_or_demo())
    if chosen.suffix.lower() not in TABLE_SUFFIXES:
        pipeline.fetch_models(settings)
    tuned = tune(str(chosen), **own, **vars(settings))
    print(f"{chosen}: {tuned.report()}")
    print(f"wrote {tuned.save(output)}; use it: photorank rank DIR --weights {output}")
    name = chosen.stem if chosen.is_file() else chosen.resolve().name
    print(f"look at {tuned.plot(Path('results', f'tuning_{name}.png'))}")
    return DONE


def _newest_table_or_demo() -> str:
    """The newest table in output/csvs; where there is none, the demo photos, made if need be."""
    try:
        return str(_newest_table())
    except ValueError:
        pass
    from .training.demo import make_demo_photos

    folder = "output/demo_photos"
    try:
        make_demo_photos(folder)
    except OSError as error:
        raise ValueError(f"demo photos in {folder}: {error}; give a folder or a table") from error
    return folder


def _show(
    table: str | None,
    html: str | None,
    copy_top: int,
    to: str,
    link: bool,
    keepers_only: bool,
    dry_run: bool,
) -> int:
    _check_copying(copy_top, to)
    from .looking import show
    from .tables import load

    path = Path(table or _newest_table())
    ranked = load(path)
    page = Path(html) if html else Path("results", f"{path.stem}.html")
    show(ranked, page, path.stem)
    print(f"look at {page}")
    _copy(ranked, copy_top, to, link, keepers_only, dry_run)
    return DONE


def _check_copying(copy_top: int, to: str) -> None:
    if copy_top < 0:
        raise ValueError(f"copy_top is a whole number from 0 up, got {copy_top}")
    if bool(copy_top) != bool(to):
        raise ValueError("--copy_top N and --to DIR go together: give both")


def _copy(
    table: pd.DataFrame, copy_top: int, to: str, link: bool, keepers_only: bool, dry_run: bool
) -> None:
    if not copy_top:
        return
    from .looking import copy, keepers
    from .tables import measured_rows

    chosen = measured_rows(table)
    chosen = (keepers(chosen) if keepers_only else chosen).head(copy_top)
    places = copy(chosen, to, link, dry_run)
    done = "would be" if dry_run else "are"
    print(f"{len(places)} photos {done} in {Path(to).expanduser().absolute()}")


def _newest_table() -> Path:
    """The newest table of photorank's in output/csvs."""
    folder = Path("output", "csvs")
    records = sorted(folder.glob("*.meta.json"), key=lambda path: path.stat().st_mtime)
    for record in reversed(records):
        table = record.with_name(record.name.replace(".meta.json", ".csv"))
        if table.exists():
            return table
    raise ValueError(f"no table in {folder}: give one, or rank a folder first")


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

    from .utils.io import real

    folder = real(input)
    made_from = "table" if folder.is_file() else "source"
    name = (folder.stem if folder.is_file() else folder.name) or "root"
    csv = Path("output", "csvs", f"{name}.csv")
    record = csv.with_name(f"{name}.meta.json")
    try:
        same = json.loads(record.read_text(encoding="utf-8")).get(made_from) == str(folder)
    except (OSError, ValueError, AttributeError):
        same = not csv.exists()
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:8]
    return csv if same else csv.with_name(f"{name}-{digest}.csv")
