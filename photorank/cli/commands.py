"""What each command does: call the library, print what came of it. `parser.py` has the flags.

What `rank` does not need (matplotlib, SciPy, Optuna) is imported by the commands that do: with all
photos in the cache it is done before those would be there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from photorank.config.config import Settings
from photorank.utils.find import real
from photorank.utils.logging import set_up_logging
from photorank.utils.rows import measured_rows
from photorank.utils.words import printable

from .. import models, pipeline, sources
from ..table import files as table_files
from ..verbs import copy as copying
from . import places
from .summary import print_summary

DONE, SOME_FAILED, DRIFTED = 0, 1, 3


def rank(
    input: str | None = None,
    config: str | None = None,
    evaluate: bool = False,
    copy_top: int = 0,
    to: str = "",
    link: bool = False,
    keepers_only: bool = False,
    dry_run: bool = False,
    **flags: Any,
) -> int:
    """Rank, save, summarise; then evaluate and copy where that is wanted."""
    if input is None:
        input = places.taken_for_a_feature(flags, "rank")
    settings = places.with_cache(Settings.load(flags, config))
    copying.check(copy_top, to, link or keepers_only or dry_run)
    _log_at_level(settings)
    output = Path(settings.output_csv or places.default_output(input)).expanduser()
    sources.check_table(input, Settings.load(flags))
    _get_ready(input, settings, partial(table_files.check_output, output))
    table = pipeline.rank_by(input, settings)
    if table_files.is_table(input):
        table.attrs["photorank"]["table"] = str(real(input))
    written = table_files.save(table, output)
    record = table.attrs["photorank"]
    if not settings.quiet:
        print_summary(table, record, written)
    _check_any_read(table, written)
    if evaluate:
        _draw_and_print(str(output))
    _copy(table, copy_top, to, link, keepers_only, dry_run)
    return SOME_FAILED if settings.strict and record["failed"] else DONE


def _check_any_read(table: pd.DataFrame, written: Sequence[Path]) -> None:
    """Make sure that not all photos failed.

    Raises:
        ValueError: they did.
    """
    if measured_rows(table).empty:
        first, (reasons,) = table.iloc[0], [p for p in written if p.name.endswith(".failed.csv")]
        raise ValueError(
            f"none of the {len(table)} photos could be read (the first, {printable(first['file'], 40)}: "
            f"{first['error']}); the reasons are in {reasons}"
        )


def _get_ready(source: str | Path, settings: Settings, check_place: Callable[[], None]) -> None:
    """Find mistakes in source, settings and place to write; only then download models.

    A table needs no model, and what is wrong with it shows at once.

    Raises:
        ValueError: the first mistake.
    """
    is_table = table_files.is_table(source)
    if not is_table:
        sources.check(source, settings)
        pipeline.check_settings(settings)
    check_place()
    if not is_table:
        models.fetch_models(settings)


def tag(
    input: str | None = None, config: str | None = None, output_dir: str = "", **flags: Any
) -> int:
    """Tag, save, draw and summarise."""
    from photorank.ranking.profiles import Profile

    from ..verbs import tag as tagging

    if input is None:
        input = places.taken_for_a_feature(flags, "tag")
    settings = places.with_cache(Settings.load(flags, config))
    _log_at_level(settings)
    is_table = table_files.is_table(input)
    sources.check_table(input, Settings.load(flags))
    name = real(input).stem if is_table else real(input).name
    folder = Path(output_dir or Path("output", "tags", name or "root")).expanduser()
    profile = Profile.load(settings.profile)
    if is_table:  # what is wrong with it shows before a place to write is made
        table = tagging.marked(table_files.load(input))
    else:
        _get_ready(input, settings, partial(tagging.check_places, folder))
        table = pipeline.rank_by(input, settings)
    tagged, found = tagging.told(table, profile)
    written = tagging.save(tagged, found, folder)
    if not settings.quiet:
        print(tagging.as_text(tagged, found, {} if is_table else table.attrs["photorank"]))
        for path in written:
            print(f"wrote {path}")
    _check_any_read(tagged, written)
    failed = len(tagged) - len(measured_rows(tagged))
    return SOME_FAILED if settings.strict and failed else DONE


def calibrate(
    table: str | None,
    labels: str | None,
    precision: float | None,
    recall: float | None,
    suggest: int | None,
    tags: Sequence[str],
    sensitivity: bool,
    profile: str,
    output: str | None,
) -> int:
    """Fit thresholds to labels, or choose what to label, or try the tags on degraded copies."""
    from photorank.utils import io
    from photorank.utils.text import WIDTH

    from ..verbs import calibrate as calibrating
    from ..verbs.sensitivity import sensitivity as shares_by_level
    from ..verbs.suggest import suggest as photos_to_label

    if not (labels or suggest is not None or sensitivity):
        raise ValueError("nothing to do: give --labels FILE, --suggest N or --sensitivity")
    path = Path(table or places.newest_table())
    measured = table_files.load(path)
    if sensitivity:
        shares = shares_by_level(measured, profile)
        print(shares.to_string(float_format="{:.2f}".format, line_width=WIDTH))
    if suggest is not None:
        target = calibrating.check_new(output or places.free("to_label", ".csv"))
        chosen = photos_to_label(measured, suggest, profile, tags)
        io.write_table(chosen, target)
        print(f"wrote {target}: fill in 1 or 0 for {len(chosen)} photos, then --labels {target}")
    elif labels:
        target = calibrating.check_new(output or places.free("tags", ".toml"))
        found = calibrating.calibrate(measured, labels, profile, precision, recall, tags)
        print(found.report())
        print(f"wrote {found.save(target)}; use it: photorank tag DIR --profile {target}")
        print(f"look at {found.plot(Path('results', f'{target.stem}_detection.png'))}")
    return DONE


def evaluate(table: str | None, top_k: int = 20, labels: str | None = None) -> int:
    """Print figures of a ranked table and draw it."""
    _draw_and_print(table, top_k, labels)
    return DONE


def _draw_and_print(table: str | None, top_k: int = 20, labels: str | None = None) -> None:
    from photorank.evaluation import agreement, proxy_metrics

    from ..verbs import evaluate as evaluating
    from ..verbs import show as looking

    path = Path(table or places.newest_table())
    ranked = table_files.load(path)
    found = evaluating.evaluate(ranked, labels)
    looking.warn_of_gone(ranked)
    metrics = {name: figure for name, figure in found.items() if name != "agreement"}
    print(f"Proxy metrics: {proxy_metrics.as_line(metrics)}")
    print(proxy_metrics.as_text(metrics))
    files = [evaluating.write(found, path.stem), *evaluating.draw(ranked, path.stem, top_k)]
    if labels is not None:
        agreed = found["agreement"]
        print(agreement.as_text(agreed))
        if agreed["spearman"]:  # else there is no order to compare
            files += evaluating.draw_agreement(ranked, labels, agreed, path.stem, top_k)
    for file in files:
        print(f"look at {file}")
    print(f"for a page with thumbnails and reasons: {places.own_command()} show {path}")


def drift(reference: str, current: str, **options: Any) -> int:
    """Compare two tables, report, save and draw what moved."""
    from photorank.evaluation.drift_text import as_text

    from ..verbs import drift as drifting

    old, new = table_files.as_table(reference), table_files.as_table(current)
    found = drifting.drift(old, new, **options)
    print(as_text(found))
    for path in drifting.write(old, new, found, Path(current).stem):
        print(f"look at {path}")
    return DRIFTED if found["drifted"] else DONE


def watch(
    folder: str,
    reference: str | None = None,
    once: bool = False,
    window: int = 200,
    every: float = 2.0,
    config: str | None = None,
    **flags: Any,
) -> int:
    """Score what arrives in a folder, until interrupted or once."""
    from ..verbs import watch as watching

    settings = places.with_cache(Settings.load(flags, config))
    _log_at_level(replace(settings, quiet=True))  # a line per photo says enough
    default = f"output/csvs/{real(folder).name or 'root'}_watch.csv"
    output = Path(settings.output_csv or default).expanduser()
    old = watching.check(folder, output, reference, settings, window, every)
    models.fetch_models(settings)
    watched = watching.Watch(folder, output, old, settings, window)
    watched.run(every, once)
    if watched.drifted:
        return DRIFTED
    return SOME_FAILED if settings.strict and watched.failed else DONE


def tune(source: str | None, output: str, config: str | None = None, **given: Any) -> int:
    """Tune weights, report, save and draw them."""
    from ..verbs import tune as tuning
    from ..verbs.tuned import check_output

    names = [setting.name for setting in fields(Settings)]
    flags = {name: value for name, value in given.items() if name in names}
    settings = places.with_cache(Settings.load(flags, config))
    own = {name: value for name, value in given.items() if name not in names}
    _log_at_level(settings)
    chosen = Path(source or places.newest_table_or_demo())
    sources.check_table(chosen, Settings.load(flags), sources.NO_COPIES)
    _get_ready(chosen, settings, partial(check_output, Path(output)))
    meant_for_photos = sources.NO_COPIES if table_files.is_table(chosen) else ()  # by --config
    tuned = tuning.tune(str(chosen), **own, **vars(settings) | dict.fromkeys(meant_for_photos))
    print(f"{chosen}: {tuned.report()}")
    again = ", in the place of an earlier one" if Path(output).expanduser().exists() else ""
    print(f"wrote {tuned.save(output)}{again}")
    print(f"to rank by these weights: photorank rank DIR --weights {output}")
    name = chosen.stem if chosen.is_file() else chosen.resolve().name
    print(f"look at {tuned.plot(Path('results', f'tuning_{name}.png'))}")
    return DONE


def show(
    table: str | None,
    html: str | None,
    copy_top: int,
    to: str,
    link: bool,
    keepers_only: bool,
    dry_run: bool,
) -> int:
    """Write the contact sheet; then copy where that is wanted."""
    from ..verbs import show as looking

    copying.check(copy_top, to, link or keepers_only or dry_run)
    path = Path(table or places.newest_table())
    ranked = table_files.load(path)
    looking.warn_of_gone(ranked)
    page = Path(html) if html else Path("results", f"{path.stem}.html")
    looking.show(ranked, page, path.stem)
    print(f"look at {page}")
    _copy(ranked, copy_top, to, link, keepers_only, dry_run)
    return DONE


def _copy(
    table: pd.DataFrame, copy_top: int, to: str, link: bool, keepers_only: bool, dry_run: bool
) -> None:
    if not copy_top:
        return
    from ..verbs import show as looking

    chosen = measured_rows(table)
    chosen = (looking.keepers(chosen) if keepers_only else chosen).head(copy_top)
    made = copying.copy(chosen, to, link, dry_run)
    done = "would be" if dry_run else "are"
    print(f"{len(made)} photos {done} in {Path(to).expanduser().absolute()}")


def download(config: str | None = None, **flags: Any) -> int:
    """Fetch all models."""
    _log_at_level(Settings.load(flags, config))
    for name, place in models.download(**flags).items():
        print(f"{name}: {place}")
    return DONE


def _log_at_level(settings: Settings) -> None:
    noise = logging.WARNING if settings.quiet else logging.INFO
    set_up_logging(logging.DEBUG if settings.verbose else noise)
