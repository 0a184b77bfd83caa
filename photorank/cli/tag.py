"""Say of each photo what is amiss with it: blurry, noisy, underexposed and more.

Each tag has a score, the reason in numbers and a suggestion. Writes quality_results.csv,
tagged_images.json and tags.png. Nothing is hidden, moved or deleted.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from photorank.utils.text import say, say_lines

from . import DONE, SOME_FAILED
from .arguments import add_input, add_settings, the_input, the_settings


def add_arguments(parser: argparse.ArgumentParser, everything: bool) -> None:
    add_input(parser, everything, "--input_csv")
    text = "where to write (default: output/tags/<folder>)"
    parser.add_argument("--output_dir", metavar="DIR", help=text)
    add_settings(parser, everything, without=("output_csv", "save_scale"))


def run(inputs: list[str], config: str | None = None, output_dir: str = "", **flags: Any) -> int:
    """Tag, save, draw and summarise."""
    from photorank.ranking.profiles import Profile
    from photorank.utils.rows import failed

    from ..plan import Plan, check_asked
    from ..table.files import is_table, load
    from ..table.record import Record, record_of
    from ..table.tags import marked, told
    from ..verbs import tag
    from . import places, summary

    source = the_input("tag", inputs, flags)
    settings = the_settings(flags, config)
    folder = Path(output_dir or Path("output", "tags", places.name_of(source))).expanduser()
    if is_table(source):  # what is wrong with it shows before a place to write is made
        check_asked(settings)
        table, beside = marked(load(source)), Record()
        profile = Profile.load(settings.profile)
    else:
        plan = Plan.of(source, settings, may_fetch=True)
        tag.check_places(folder)
        plan.fetch()
        table, profile = plan.run(), plan.profile
        beside = record_of(table)
    tagged, found = told(table, profile)
    written = tag.save(tagged, found, folder)
    if not settings.quiet:
        say_lines(summary.of_tags(tagged, found, beside))
        for path in written:
            say(f"wrote {path}")
    summary.check_any_read(tagged, written)
    return SOME_FAILED if settings.strict and failed(tagged).any() else DONE
