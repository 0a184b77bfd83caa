"""The Plan: what a run needs is found out once, and mistakes before anything is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import photorank as pr
from photorank import models, plan, sources
from photorank.config.config import Settings
from photorank.features.run import extract
from photorank.plan import Plan
from photorank.ranking.profiles import Profile
from photorank.verbs import rank


@pytest.fixture
def folder(tmp_path: Path, photo: np.ndarray) -> Path:
    for name in ("a", "b"):
        Image.fromarray(photo).save(tmp_path / f"{name}.png")
    return tmp_path


def test_a_rank_looks_at_each_thing_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pr.rank(folder, aesthetic="none")  # what a process keeps is there
    calls: Counter[str] = Counter()

    def counted(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*args: Any, **kwargs: Any) -> Any:
            calls[name] += 1
            return call(*args, **kwargs)

        return counting

    monkeypatch.setattr(sources, "find", counted("walk", sources.find))
    for place in (plan, extract):
        monkeypatch.setattr(place, "declare", counted("declare", plan.declare))
    for place in (models, extract):
        monkeypatch.setattr(place, "resolve", counted("resolve", models.resolve))
    monkeypatch.setattr(Profile, "load", counted("profile", Profile.load))
    monkeypatch.setattr(plan.weighing, "scale_of", counted("scale", plan.weighing.scale_of))
    monkeypatch.setattr(rank.Settings, "load", counted("settings", Settings.load))
    pr.rank(folder, aesthetic="none")
    names = ("walk", "declare", "resolve", "profile", "scale", "settings")
    assert calls == dict.fromkeys(names, 1)


def test_several_folders_are_one_with_paths_from_what_they_lie_in(
    folder: Path, photo: np.ndarray
) -> None:
    for place in ("one/x.png", "two/deep/y.png"):
        (folder / place).parent.mkdir(parents=True)
        Image.fromarray(photo).save(folder / place)
    found = Plan.of([folder / "one", folder / "two"], Settings.load({"aesthetic": "none"}))
    assert isinstance(found.source, sources.Photos)
    assert found.source.files == ["one/x.png", "two/deep/y.png"]
    assert found.source.record["source"] == str(folder)
    nested = Plan.of([folder, folder / "one"], Settings.load({"aesthetic": "none"}))
    assert isinstance(nested.source, sources.Photos)
    assert nested.source.files == ["a.png", "b.png", "one/x.png", "two/deep/y.png"]


def test_a_plan_of_a_table_opens_no_photo_and_keeps_what_it_was_given() -> None:
    table = pd.DataFrame({"file": ["x", "y"], "sharpness": [1.0, 2.0]})
    made = Plan.of(table, Settings.load({}))
    assert (made.features, made.missing) == ([], [])
    assert made.run()["file"].to_list() == ["y", "x"]
    assert list(table) == ["file", "sharpness"]


def test_a_result_that_is_changed_changes_no_other_run(folder: Path) -> None:
    table = pr.rank(folder, aesthetic="none")
    for column in table.attrs["photorank"]["columns"]:
        column["better"] = "lower"
    again = pr.rank(folder, aesthetic="none")
    declared = {c["name"]: c["better"] for c in again.attrs["photorank"]["columns"]}
    assert declared["quality"] == "higher"


def test_a_scale_is_asked_only_of_columns_that_are_there() -> None:
    table = pd.DataFrame({"file": ["x", "y"], "sharpness": [1.0, 2.0], "aesthetic": [0.1, 0.9]})
    table.attrs["photorank"] = {
        "columns": [
            {"name": "aesthetic", "better": "higher", "version": "clip-xyz"},
            {"name": "sharpness", "better": "higher", "version": "9"},
        ]
    }
    scale = pr.fit_scale(table, "minmax")
    without = table.drop(columns="aesthetic")
    without.attrs = {"photorank": {"columns": table.attrs["photorank"]["columns"][1:]}}
    ranked = pr.rank(without, scale=scale, weights={"sharpness": 1})
    assert ranked["final_score"].to_list() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lower_is_better": "sharpnes"}, "no numeric column 'sharpnes'; did you mean sharpness"),
        ({"weights": {"nosuch": 1}, "save_scale": "new/scale.json"}, "'nosuch' is no column"),
    ],
)
def test_what_is_wrong_is_found_before_anything_is_measured_or_made(
    folder: Path, settings: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(ValueError, match=message):
        Plan.of(folder, Settings.load({"aesthetic": "none"} | settings))
    assert not Path("new").exists()


def test_a_folder_in_another_one_is_counted_once(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "notes.txt").write_text("x")
    found = Plan.of([folder, folder / "sub", folder], Settings.load({"aesthetic": "none"}))
    assert isinstance(found.source, sources.Photos)
    assert found.source.record["skipped"] == {"txt": 1}


def test_somebody_else_s_file_as_cache_is_refused_before_anything_is_measured(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine " * 40)
    with pytest.raises(ValueError, match="is no cache of photorank's"):
        Plan.of(folder, Settings.load({"aesthetic": "none", "cache": folder / "notes.txt"}))
