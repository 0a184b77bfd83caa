"""A run before it begins: source and settings, resolved and checked once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from photorank.config.config import Settings
from photorank.features.base import declare
from photorank.features.run.database import check_ours as check_cache
from photorank.ranking.dedup import mark_duplicates
from photorank.ranking.fusion import Scale
from photorank.ranking.profiles import Profile
from photorank.utils import io
from photorank.utils.words import near

from . import models, pipeline, weighing
from .sources import OF_PHOTOS, Photos, photos_of
from .table.columns import cleaned, columns_of, empty_table
from .table.files import as_table, is_table
from .table.record import record_of
from .table.tags import check_profile


@dataclass(eq=False)
class Plan:
    """Everything that a run needs, known to be right; `Plan.of` makes one.

    Attributes:
        settings: as they were given.
        source: the photos to measure, or a table of measurements.
        profile: of the tags.
        notes: what was amiss with the table, a sentence each.
        missing: the models that the run could use and that are not here.
        features: what is measured, as this machine can; none of a table.
        columns: their declarations.
        weights: the user's own; None: the default ones that fit the table.
        scale: the one to apply, or the name of the normalisation to fit to the photos.
        scale_name: what the scale is called, where it has a name.
    """

    settings: Settings
    source: Photos | pd.DataFrame
    profile: Profile
    notes: list[str] = field(default_factory=list)
    missing: list[models.Finder] = field(default_factory=list)
    features: list[Any] = field(default_factory=list)
    columns: list[dict[str, Any]] = field(default_factory=list)
    weights: dict[str, float] | None = None
    scale: Scale | str = ""
    scale_name: str = ""

    @classmethod
    def of(
        cls,
        source: Any,
        settings: Settings,
        idle: Sequence[str] = OF_PHOTOS,
        may_fetch: bool = False,
    ) -> Plan:
        """Find the photos or read the table, and find what is wrong, before anything is done.

        Args:
            source: what `rank` takes, or `Photos`, be there any or none yet.
            idle: the settings that are not for a table: an error where they are asked of one.
            may_fetch: `fetch` is called before `run`; what depends on models that are missing is
                left until then.

        Raises:
            ValueError: the first mistake.
        """
        if is_table(source):
            check_asked(settings, idle)
            table, notes = cleaned(as_table(source))
            plan = cls(settings, table, Profile.load(settings.profile), notes=notes)
        else:
            photos = source if isinstance(source, Photos) else photos_of(source, settings)
            missing = models.missing(settings) if may_fetch else []
            plan = cls(settings, photos, Profile.load(settings.profile), missing=missing)
        if plan.missing:
            check_settings(settings, plan.profile)
        else:
            plan._settle()
        if cache := models.cache_of(settings):
            with suppress(OSError):  # one that cannot be read costs a line and the memory
                check_cache(Path(cache).expanduser())
        if settings.save_scale:
            io.check_ours(settings.save_scale)
            io.check_writable(Path(settings.save_scale).expanduser())
        return plan

    def fetch(self) -> None:
        """Download the models that are missing; without a network, say so and do without."""
        if self.missing:
            models.fetch(self.missing)
            self.missing = []
            self._settle()

    def measure(self) -> pd.DataFrame:
        """A row per photo, not ranked: the table of measurements, with its record."""
        return self.source if isinstance(self.source, pd.DataFrame) else pipeline.measured(self)

    def run(self) -> pd.DataFrame:
        """Measure, rank and tag: the table that `rank` returns."""
        return pipeline.run(self)

    def _settle(self) -> None:
        """Choose features, weights and scale, and find out whether they go together."""
        if isinstance(self.source, pd.DataFrame):
            table = self.source
            known = columns_of(table, self.settings.lower_is_better)
        else:
            self.features = models.features_of(self.settings)
            self.columns = declare(self.features)
            table = empty_table(self.columns)
            known = columns_of(table)
        self.weights = weighing.given_weights(self.settings, known)
        there = [column for column in known if column["name"] in table]
        self.scale, self.scale_name = weighing.scale_of(self.settings, there, record_of(table))
        check_profile(self.profile, table)
        if self.columns:
            self._check_measured(table)

    def _check_measured(self, table: pd.DataFrame) -> None:
        """Find out before the work whether its table can be ranked as is asked."""
        if wrong := [name for name in self.settings.lower_is_better if name not in table]:
            raise ValueError(
                f"lower_is_better: no numeric column {wrong[0]!r}; {near(wrong[0], map(str, table))}"
            )
        if self.weights is not None and not set(self.weights) & set(table):
            raise ValueError(
                f"none of the weighted columns ({', '.join(self.weights)}) is measured in this run, "
                f"which has {', '.join(map(str, table))}: give other weights or features"
            )
        if pipeline.compares(table, self.settings):
            mark_duplicates(table, self.settings.dedup_distance)


def check_settings(settings: Settings, profile: Profile) -> None:
    """Find out what is wrong whatever is measured, without the models that it takes.

    Raises:
        ValueError: the first mistake in names, weights, scale or profile.
    """
    models.check(settings)
    weighing.scale_of(settings, [], {})
    columns = columns_of(pd.DataFrame())
    weighing.given_weights(settings, columns)
    profile.check_names(column["name"] for column in columns)


def check_asked(settings: Settings, idle: Sequence[str] = OF_PHOTOS) -> None:
    """Make sure that nothing is asked of a table that takes photos.

    Raises:
        ValueError: a setting of `idle` is, but for `aesthetic="none"`, which a table can do.
    """
    chosen = [name for name in idle if name in settings.asked]
    if settings.aesthetic == "none":
        chosen = [name for name in chosen if name != "aesthetic"]
    if chosen:
        flags = ", ".join(f"--{name}" for name in chosen)
        raise ValueError(
            f"{flags}: a table is taken as it was measured: give the folder of its photos instead, or "
            "leave this out"
        )
