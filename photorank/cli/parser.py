"""What may be typed: the commands and the flags of each. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
from typing import Any

from .. import __version__
from .arguments import Names, add_copying, add_input, add_settings, add_table

_LABELS = (
    "your ratings: a table with the columns file (or path), rating (or stars, mos, score) and "
    "perhaps scene"
)


def make_parser() -> argparse.ArgumentParser:
    """The parser of the command line: `command` names the function of `commands.py`."""
    parser = argparse.ArgumentParser(
        prog="photorank", description="Rank a folder of photographs, best first, with the reasons."
    )
    parser.add_argument("--version", action="version", version=f"photorank {__version__}")
    commands = parser.add_subparsers(title="commands", required=True)
    _add_rank(commands)
    _add_tag(commands)
    _add_calibrate(commands)
    _add_evaluate(commands)
    _add_tune(commands)
    _add_drift(commands)
    _add_watch(commands)
    _add_show(commands)
    _add_download(commands)
    for name, command in commands.choices.items():
        command.set_defaults(command=name)
    return parser


def _add_rank(commands: Any) -> None:
    parser = commands.add_parser(
        "rank",
        help="rank a folder of photos, or a table of measurements",
        description="Rank the photos of a folder and all folders below it, best first, into a table.",
        argument_default=argparse.SUPPRESS,
    )
    add_input(parser)
    add_settings(parser)
    add_copying(parser)
    parser.add_argument(
        "--evaluate", action="store_true", default=False, help="then do what `evaluate` does"
    )


def _add_tag(commands: Any) -> None:
    parser = commands.add_parser(
        "tag",
        help="say of each photo what is amiss with it, and what to do",
        description="Tag the photos of a folder, or of a table of measurements: blurry, noisy, "
        "underexposed and more, each with a score, the reason in numbers and a suggestion; write "
        "quality_results.csv, tagged_images.json and tags.png. Nothing is hidden, moved or deleted.",
        argument_default=argparse.SUPPRESS,
    )
    add_input(parser, "--input_csv")
    parser.add_argument(
        "--output_dir", metavar="DIR", help="where to write (default: output/tags/<folder>)"
    )
    elsewhere = ("output_csv", "save_scale")
    add_settings(parser, without=elsewhere)


def _add_calibrate(commands: Any) -> None:
    parser = commands.add_parser(
        "calibrate",
        help="fit the thresholds of the tags to your labels, or choose photos to label",
        description="Fit a profile's thresholds to labels, say what the tags are worth on them, and "
        "write a new profile for --profile. With --suggest, write a table of the photos whose labels "
        "would teach most, to fill in with 1 or 0 and give back with --labels.",
    )
    add_table(parser)
    task = parser.add_mutually_exclusive_group()
    task.add_argument("--labels", metavar="FILE", help="a table: file, and a column for each tag")
    task.add_argument("--suggest", type=int, metavar="N", help="choose N photos to label")
    wish = parser.add_mutually_exclusive_group()
    for name in ("precision", "recall"):
        wish.add_argument(f"--{name}", type=float, metavar="P", help=f"the {name} that is wished")
    parser.add_argument(
        "--tags",
        nargs="+",
        metavar="TAG",
        default=(),
        help="which (default: with --labels all that it has, with --suggest the faults of [quality])",
    )
    parser.add_argument(
        "--sensitivity", action="store_true", help="how the tags answer to blur, light and noise"
    )
    parser.add_argument(
        "--profile", default="default", help="what to start from (default: default)"
    )
    parser.add_argument(
        "--output", metavar="FILE", help="a new file (default: tags-1.toml, or to_label-1.csv, ...)"
    )


def _add_evaluate(commands: Any) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="figures and pictures of a ranking",
        description="Print figures of a ranked table, with --labels also how far it agrees with "
        "people's ratings; write all digits and histograms to results/ and montages of the best and "
        "the worst photos to output/topk_images/.",
    )
    add_table(parser)
    parser.add_argument(
        "--top_k", type=int, default=20, metavar="N", help="photos per montage (default: 20)"
    )
    parser.add_argument("--labels", metavar="FILE", help=_LABELS)


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
        "--columns",
        nargs="+",
        action=Names,
        metavar="COLUMN",
        help="what to weigh (default: all that vary)",
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        default="best_weights.json",
        help="where to write the weights (default: best_weights.json)",
    )
    elsewhere = ("output_csv", "save_scale", "dedup", "strict")
    add_settings(parser, without=elsewhere)


def _add_drift(commands: Any) -> None:
    parser = commands.add_parser(
        "drift",
        help="whether photos measure otherwise than those of a reference table",
        description="Compare two tables of measurements column by column; write figures and a plot to "
        "results/. Exit code 0: stable, 3: drifted.",
        argument_default=argparse.SUPPRESS,
    )
    for name, text in (("reference", "the table to compare with"), ("current", "the newer table")):
        parser.add_argument(f"--{name}", required=True, metavar="FILE", help=text)
    parser.add_argument(
        "--columns",
        nargs="+",
        action=Names,
        metavar="COLUMN",
        help="what to compare (default: all in common but width, height, bytes)",
    )
    parser.add_argument(
        "--scene", metavar="COLUMN", help="count one photo of each of these, such as dup_group"
    )
    parser.add_argument(
        "--alpha", type=float, metavar="P", help="false alarms that are allowed (default: 0.01)"
    )
    parser.add_argument(
        "--least_psi", type=float, metavar="X", help="the least PSI that is drift (default: 0.1)"
    )


def _add_watch(commands: Any) -> None:
    parser = commands.add_parser(
        "watch",
        help="score the photos that arrive in a folder, and say when they drift",
        description="Score each photo that arrives in a folder into a table, by a fixed scale, and "
        "compare each window of them with a reference. Goes on where it left off.",
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("folder", metavar="DIR", help="the folder that photos arrive in")
    parser.add_argument(
        "--reference",
        metavar="FILE",
        help="a table to compare with, whose scale is used where --scale names none "
        "(default: the first window)",
    )
    parser.add_argument(
        "--once", action="store_true", help="score what is there and exit; 3 if it has drifted"
    )
    parser.add_argument(
        "--window", type=int, metavar="N", help="photos that are compared at a time (default: 200)"
    )
    parser.add_argument(
        "--every", type=float, metavar="SECONDS", help="between two looks (default: 2)"
    )
    elsewhere = ("lower_is_better", "save_scale", "dedup", "dedup_distance", "limit")
    add_settings(parser, without=elsewhere)


def _add_show(commands: Any) -> None:
    parser = commands.add_parser(
        "show",
        help="a page to look at a ranking, and copies of the best",
        description="Write a ranked table as one HTML page with thumbnails, scores and reasons.",
    )
    add_table(parser)
    parser.add_argument(
        "--html", metavar="FILE", help="where to write the page (default: results/<table>.html)"
    )
    add_copying(parser)


def _add_download(commands: Any) -> None:
    parser = commands.add_parser(
        "download",
        help="fetch all models, for use without a network",
        argument_default=argparse.SUPPRESS,
    )
    add_settings(parser, only=("clip_model", "clip_pretrained"))
