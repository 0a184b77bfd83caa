"""Rank the photos of folders and all folders below them, best first, into a table."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from . import DONE, SOME_FAILED, copies
from .arguments import add_input, add_settings, add_switches, the_input, the_settings
from .evaluate import run as run_evaluate


def add_arguments(parser: argparse.ArgumentParser, everything: bool) -> None:
    add_input(parser, everything)
    add_settings(parser, everything)
    copies.add_copying(parser, everything)
    switches = {
        "--evaluate": "then do what `evaluate` does",
        "--json": "print the record as JSON, last, and no summary",
    }
    add_switches(parser, switches, everything)


def run(
    inputs: list[str],
    config: str | None = None,
    evaluate: bool = False,
    json: bool = False,
    **flags: Any,
) -> int:
    """Rank, save, summarise; then evaluate and copy where that is wanted."""
    from ..plan import Plan
    from ..sources import Photos
    from ..table.files import check_output, is_table, save
    from ..table.record import record_of
    from . import places, summary

    copying = copies.taken_from(flags)
    source = the_input("rank", inputs, flags)
    settings = the_settings(flags, config)
    output = Path(settings.output_csv or places.default_output(source)).expanduser()
    plan = Plan.of(source, settings, may_fetch=True)
    check_output(output)
    if isinstance(plan.source, Photos):
        places.check_whole(plan.source.record, output, bool(settings.output_csv))
    plan.fetch()
    table = plan.run()
    record = record_of(table)
    if is_table(source):
        record["table"] = str(places.the_place(source))
    written = save(table, output)
    if not (json or settings.quiet):
        summary.print_summary(table, record, written)
    summary.check_any_read(table, written)
    if evaluate:
        run_evaluate(str(output))
    copies.copy_best(table, copying)
    if json:
        summary.print_json(record)
    return _failed(record["failed"], output) if settings.strict else DONE


def _failed(count: int, output: Path) -> int:
    from photorank.utils.logging import logger
    from photorank.utils.words import plural

    if not count:
        return DONE
    logger.warning("%s failed: the last rows of %s", plural(count, "photo"), output)
    return SOME_FAILED
