"""What each command does: call the library, print what came of it. `cli.py` parses.

What `rank` does not need (matplotlib, SciPy, Optuna) is imported by the commands that do: with all
photos in the cache it is done before those would be there.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from . import models, pipeline, sources, tables
from .config.config import Settings
from .summary import print_summary
from .utils.find import real
from .utils.logging import set_up_logging

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
        input = _taken_for_a_feature(flags)
    settings = _with_cache(Settings.load(flags, config))
    _check_copying(copy_top, to, link or keepers_only or dry_run)
    _log_at_level(settings)
    output = Path(settings.output_csv or _default_output(input)).expanduser()
    _get_ready(input, settings, partial(tables.check_output, output))
    table = pipeline.rank(input, **vars(settings))
    if tables.is_table(input):
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
        _draw_and_print(str(output))
    _copy(table, copy_top, to, link, keepers_only, dry_run)
    return SOME_FAILED if settings.strict and record["failed"] else DONE


def _with_cache(settings: Settings) -> Settings:
    """With a place to keep measurements: unlike `photorank.rank`, the command has one of its own."""
    if settings.cache:
        return settings
    base = os.environ.get("XDG_CACHE_HOME", "")
    folder = base if os.path.isabs(base) else os.path.expanduser("~/.cache")
    place = os.path.join(folder, "photorank", "measurements.sqlite")
    return replace(settings, cache=place if os.path.isabs(place) else "off")


def _get_ready(source: str | Path, settings: Settings, check_place: Callable[[], None]) -> None:
    """Find mistakes in source, settings and place to write before models are downloaded; do that.

    A table needs no model, and what is wrong with it shows at once.

    Raises:
        ValueError: the first mistake.
    """
    is_table = tables.is_table(source)
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
    from . import tagging
    from .ranking.profiles import Profile

    if input is None:
        input = _taken_for_a_feature(flags)
    settings = _with_cache(Settings.load(flags, config))
    _log_at_level(settings)
    is_table = tables.is_table(input)
    name = real(input).stem if is_table else real(input).name
    folder = Path(output_dir or Path("output", "tags", name or "root")).expanduser()
    profile = Profile.load(settings.profile)
    _get_ready(input, settings, partial(tagging.check_places, folder))
    table = tables.load(input) if is_table else pipeline.rank(input, **vars(settings))
    tagged, found = tagging.with_tags(tagging.marked(table) if is_table else table, profile)
    written = tagging.save(tagged, found, folder)
    if not settings.quiet:
        print(tagging.as_text(tagged, found))
        for path in written:
            print(f"wrote {path}")
    failed = len(tagged) - len(tables.measured_rows(tagged))
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
    from . import calibrating
    from .utils import io

    if not (labels or suggest is not None or sensitivity):
        raise ValueError("nothing to do: give --labels FILE, --suggest N or --sensitivity")
    path = Path(table or _newest_table())
    measured = tables.load(path)
    if sensitivity:
        print(calibrating.sensitivity(measured, profile).to_string(float_format="{:.2f}".format))
    if suggest is not None:
        target = calibrating.check_new(output or _free("to_label", ".csv"))
        chosen = calibrating.suggest(measured, suggest, profile, tags)
        io.write_table(chosen, target)
        print(f"wrote {target}: fill in 1 or 0 for {len(chosen)} photos, then --labels {target}")
    elif labels:
        target = calibrating.check_new(output or _free("tags", ".toml"))
        found = calibrating.calibrate(measured, labels, profile, precision, recall)
        print(found.report())
        print(f"wrote {found.save(target)}; use it: photorank tag DIR --profile {target}")
        print(f"look at {found.plot(Path('results', f'{target.stem}_detection.png'))}")
    return DONE


def _free(stem: str, suffix: str) -> Path:
    """The first of stem-1, stem-2, ... that is not there yet."""
    names = (Path(f"{stem}-{number}{suffix}") for number in itertools.count(1))
    return next(name for name in names if not name.exists())


def _taken_for_a_feature(flags: dict[str, Any]) -> str:
    """The folder in `--features a b DIR`, which argparse takes for one more feature.

    Raises:
        ValueError: no folder was given.
    """
    names = flags.get("features", [])
    if len(names) > 1 and Path(names[-1]).expanduser().exists():
        return str(names.pop())
    raise ValueError("nothing to rank: give a folder of photos (photorank rank DIR)")


def evaluate(table: str | None, top_k: int = 20, labels: str | None = None) -> int:
    """Print figures of a ranked table and draw it."""
    _draw_and_print(table, top_k, labels)
    return DONE


def _draw_and_print(table: str | None, top_k: int = 20, labels: str | None = None) -> None:
    from . import evaluating
    from .evaluation import agreement, proxy_metrics

    path = Path(table or _newest_table())
    ranked = tables.load(path)
    found = evaluating.evaluate(ranked, labels)
    metrics = {name: figure for name, figure in found.items() if name != "agreement"}
    print(f"Proxy metrics: {json.dumps(metrics)}")
    print(proxy_metrics.as_text(metrics))
    files = [evaluating.write(found, path.stem), *evaluating.draw(ranked, path.stem, top_k)]
    if labels is not None:
        agreed = found["agreement"]
        print(agreement.as_text(agreed))
        files += evaluating.draw_agreement(ranked, labels, agreed, path.stem, top_k)
    for file in files:
        print(f"look at {file}")
    print(f"for a page with thumbnails and reasons: photorank show {path}")


def drift(reference: str, current: str, **options: Any) -> int:
    """Compare two tables, report, save and draw what moved."""
    from . import drifting
    from .evaluation.drift_text import as_text

    old, new = tables.as_table(reference), tables.as_table(current)
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
    from . import watching

    settings = _with_cache(Settings.load(flags, config))
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
    from . import tuning
    from .tuned import check_output

    names = [setting.name for setting in fields(Settings)]
    settings = _with_cache(Settings.load({k: v for k, v in given.items() if k in names}, config))
    own = {name: value for name, value in given.items() if name not in names}
    _log_at_level(settings)
    chosen = Path(source or _newest_table_or_demo())
    _get_ready(chosen, settings, partial(check_output, Path(output)))
    tuned = tuning.tune(str(chosen), **own, **vars(settings))
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
    from . import looking

    _check_copying(copy_top, to, link or keepers_only or dry_run)
    path = Path(table or _newest_table())
    ranked = tables.load(path)
    page = Path(html) if html else Path("results", f"{path.stem}.html")
    looking.show(ranked, page, path.stem)
    print(f"look at {page}")
    _copy(ranked, copy_top, to, link, keepers_only, dry_run)
    return DONE


def _check_copying(copy_top: int, to: str, how: bool) -> None:
    if copy_top < 0:
        raise ValueError(f"copy_top is a whole number from 0 up, got {copy_top}")
    if bool(copy_top) != bool(to) or (how and not to):
        raise ValueError(
            "--copy_top N and --to DIR go together, and --link, --keepers_only and --dry_run with them"
        )


def _copy(
    table: pd.DataFrame, copy_top: int, to: str, link: bool, keepers_only: bool, dry_run: bool
) -> None:
    if not copy_top:
        return
    from . import copying, looking

    chosen = tables.measured_rows(table)
    chosen = (looking.keepers(chosen) if keepers_only else chosen).head(copy_top)
    places = copying.copy(chosen, to, link, dry_run)
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


def download(config: str | None = None, **flags: Any) -> int:
    """Fetch all models."""
    _log_at_level(Settings.load(flags, config))
    for name, place in models.download(**flags).items():
        print(f"{name}: {place}")
    return DONE


def _log_at_level(settings: Settings) -> None:
    warnings.filterwarnings("ignore", module="PIL")  # a damaged photo's row says what matters
    noise = logging.WARNING if settings.quiet else logging.INFO
    set_up_logging(logging.DEBUG if settings.verbose else noise)


def _default_output(input: str) -> Path:
    """output/csvs/<folder>.csv, unless that was made from another folder of the same name."""
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
