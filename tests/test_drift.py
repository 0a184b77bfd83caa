"""Drift: figures equal to an independent computation, laws, known answers, and what is refused."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import stats

import photorank as pr
from photorank.cli.main import main
from photorank.evaluation.drift import compare, drift, psi
from photorank.evaluation.drift_text import as_text
from photorank.evaluation.plots import drift as drift_plot
from photorank.evaluation.plots import figures
from photorank.evaluation.plots.drift import draw_drift
from photorank.utils.text import WIDTH


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def table(rng: np.random.Generator, n: int, shift: float = 0.0) -> pd.DataFrame:
    files = [f"{i:05}.jpg" for i in range(n)]
    return pd.DataFrame({"file": files, "a": rng.normal(shift, 1, n), "b": rng.uniform(0, 1, n)})


def row(found: dict[str, Any], column: str) -> dict[str, Any]:
    return next(r for r in found["columns"] if r["column"] == column)


def slow_psi(reference: np.ndarray, current: np.ndarray) -> float:
    """The definition, value by value, for columns without ties."""
    ends = [-np.inf, *np.percentile(reference, range(10, 100, 10)), np.inf]
    total = 0.0
    for low, high in itertools.pairwise(ends):
        r, c = (
            max(sum(low < v <= high for v in side), 0.5) / len(side)
            for side in (reference, current)
        )
        total += (c - r) * np.log(c / r)
    return total


@pytest.mark.parametrize(("n", "m", "shift"), [(40, 30, 0), (500, 200, 0.5), (2000, 50, 4)])
def test_figures_equal_independent_ones(
    rng: np.random.Generator, n: int, m: int, shift: float
) -> None:
    old, new = rng.normal(size=n), rng.normal(shift, size=m)
    found = compare(old, new)
    ks = stats.ks_2samp(old, new)
    assert (found["ks"], found["ks_p"], found["p"]) == (ks.statistic, ks.pvalue, ks.pvalue)
    assert found["psi"] == pytest.approx(slow_psi(old, new), rel=1e-12)


def test_large_tables_take_scipy_s_asymptotic_p(rng: np.random.Generator) -> None:
    old, new = rng.normal(size=12_000), rng.normal(0.02, size=3_000)
    assert compare(old, new)["ks_p"] == stats.ks_2samp(old, new).pvalue


def test_known_psi() -> None:
    """Ten photos per decile; the current table has the lowest five bins only."""
    old = np.arange(100.0)
    by_hand = 5 * (0.2 - 0.1) * np.log(2) + 5 * (0.005 - 0.1) * np.log(0.005 / 0.1)
    index, bins = psi(old, np.repeat(old[:50], 2))
    assert bins == 10
    assert index == pytest.approx(by_hand, rel=1e-12)


@pytest.mark.parametrize(
    ("old", "new", "bins"),
    [
        ([1] * 95 + [0] * 5, [1] * 50 + [0] * 50, 2),  # a share that falls from the top
        ([0] * 97 + [1] * 3, [0] * 50 + [1] * 50, 2),
        (
            [0] * 60 + list(range(1, 41)),
            [0] * 20 + list(range(1, 81)),
            5,
        ),  # 0 is six of the deciles
        ([7] * 100, [7] * 50 + [8] * 50, 2),  # constant before
        ([7] * 100, [6] * 50 + [8] * 50, 3),
    ],
)
def test_ties_have_bins_of_their_own(old: list[int], new: list[int], bins: int) -> None:
    index, found = psi(np.array(old, float), np.array(new, float))
    assert found == bins
    assert index > 0.5
    assert psi(np.array(old, float), np.array(old, float))[0] == 0


def test_a_table_has_not_drifted_from_itself(rng: np.random.Generator) -> None:
    one = table(rng, 300)
    found = drift(one, one, ["a", "b"])
    assert not found["drifted"]
    assert all((r["psi"], r["ks"], r["p_holm"]) == (0, 0, 1) for r in found["columns"])


def test_a_shift_is_found_and_said_in_units(rng: np.random.Generator) -> None:
    old, new = table(rng, 400), table(rng, 300, shift=1)
    found = pr.drift(old, new)
    assert found["drifted"]
    assert [r["verdict"] for r in found["columns"]] == ["drifted", "stable"]
    moved = row(found, "a")
    assert moved["current"]["median"] - moved["reference"]["median"] == pytest.approx(1, abs=0.2)
    text = as_text(found)
    assert text.startswith("DRIFTED: 400 photos in the reference, 300 photos now")
    assert "drifted: +" in text
    assert ", better" in text  # a foreign column is better higher
    moved["unit"] = "thousandths of the long side, of a million"
    assert "thousandths" in as_text(found)
    assert max(map(len, as_text(found).splitlines())) <= WIDTH
    large = as_text(pr.drift(old[["a"]] * 1e6, new[["a"]] * 1e6))
    assert re.search(r" -?\d{1,3}(,\d{3})+ +-?\d{1,3}(,\d{3})+  drifted: \+\d{1,3}(,\d{3})+", large)


def test_rows_may_come_in_any_order(rng: np.random.Generator) -> None:
    old, new = table(rng, 200), table(rng, 100, shift=0.3)
    shuffled = drift(old.sample(frac=1, random_state=1), new[::-1], ["a", "b"])
    found = drift(old, new, ["a", "b"])
    assert [r["psi"] for r in shuffled["columns"]] == [r["psi"] for r in found["columns"]]
    assert [r["p"] for r in shuffled["columns"]] == [r["p"] for r in found["columns"]]


def test_ks_is_symmetric_and_ignores_a_monotonic_scale(rng: np.random.Generator) -> None:
    old, new = rng.normal(size=90), rng.normal(0.5, size=70)
    there, back = compare(old, new), compare(new, old)
    assert (there["ks"], there["ks_p"]) == (back["ks"], back["ks_p"])
    assert compare(np.exp(old), np.exp(new))["ks"] == there["ks"]


def test_more_shift_more_of_both(rng: np.random.Generator) -> None:
    old, new = rng.normal(size=500), rng.normal(size=500)
    rising = [compare(old, new + shift) for shift in (0, 0.5, 1, 2)]
    for figure in ("psi", "ks"):
        values = [found[figure] for found in rising]
        assert values == sorted(values)
        assert values[0] < values[-1]


def test_two_values_are_compared_by_fisher_s_test() -> None:
    old, new = np.repeat([0.0, 1.0], [95, 5]), np.repeat([0.0, 1.0], [40, 20])
    expected = stats.fisher_exact([[5, 95], [20, 40]]).pvalue
    found = compare(old, new)
    assert found["p"] == pytest.approx(expected, rel=1e-12)
    assert found["p"] < found["ks_p"]


def test_holm_s_correction(rng: np.random.Generator) -> None:
    """Step by step: the smallest p times 3, the next times 2, never below the one before."""
    old = pd.DataFrame({name: rng.normal(size=200) for name in "xyz"})
    new = old + np.array([0.3, 0.25, 0.05])
    rows = sorted(drift(old, new, list("xyz"))["columns"], key=lambda r: r["p"])
    expected, highest = [], 0.0
    for times, found in zip((3, 2, 1), rows, strict=True):
        highest = max(highest, min(1, times * found["p"]))
        expected.append(highest)
    assert [found["p_holm"] for found in rows] == expected


def test_what_is_proved_but_small_is_no_drift(rng: np.random.Generator) -> None:
    old = pd.DataFrame({"a": rng.normal(size=9_000)})
    found = drift(old, old + 0.15, ["a"])
    assert row(found, "a")["p_holm"] < 1e-6
    assert row(found, "a")["verdict"] == "small"
    assert not found["drifted"]
    assert drift(old, old + 0.15, ["a"], least_psi=0.01)["drifted"]


def test_false_alarms_stay_below_alpha(rng: np.random.Generator) -> None:
    """Five columns, nothing changed, 200 times: by chance 1 in 1,000 such runs has 8 alarms."""
    alarms = 0
    for _ in range(200):
        old, new = (pd.DataFrame(rng.normal(size=(n, 5)), columns=list("abcde")) for n in (200, 50))
        alarms += drift(old, new, list("abcde"), alpha=0.01)["drifted"]
    assert alarms < 8


def test_missing_values_and_failed_photos_are_columns_of_their_own(
    rng: np.random.Generator,
) -> None:
    old, new = table(rng, 300), table(rng, 200)
    new.loc[:59, "b"] = np.nan
    new.loc[60:65, "b"] = np.inf
    new.loc[180:, ["a", "b"]] = 1e9
    new["error"] = pd.Series([None] * 180 + ["truncated"] * 20, dtype=object)
    found = drift(old, new, ["a", "b"])
    assert found["current"] == {"photos": 200, "failed": 20}
    assert row(found, "a")["n_current"] == 180
    assert row(found, "b")["n_current"] == 114
    drifted = {r["column"]: r for r in found["columns"] if r["verdict"] == "drifted"}
    assert set(drifted) == {"b missing", "failed"}
    assert drifted["b missing"]["current"]["mean"] == pytest.approx(66 / 180)
    assert drifted["failed"]["current"]["mean"] == 0.1
    assert "10.0 %" in as_text(found)


def test_a_column_without_values_says_so(rng: np.random.Generator) -> None:
    old, new = table(rng, 50), table(rng, 50).assign(b=np.nan)
    found = drift(old, new, ["a", "b"])
    assert row(found, "b")["verdict"] == "no values"
    assert row(found, "b missing")["verdict"] == "drifted"
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_least_ks_is_what_would_count(rng: np.random.Generator) -> None:
    old, new = rng.uniform(size=500), rng.uniform(size=400)
    frame = [pd.DataFrame({"a": v}) for v in (old, new)]
    least = drift(*frame, ["a"])["least_ks"]
    assert stats.kstwobign.sf(least * np.sqrt(500 * 400 / 900)) == pytest.approx(0.01, rel=0.01)


@pytest.mark.parametrize(("alpha", "least_psi"), [(0, 0.1), (1, 0.1), (0.01, -1)])
def test_numbers_out_of_range(rng: np.random.Generator, alpha: float, least_psi: float) -> None:
    with pytest.raises(ValueError, match="alpha is between 0 and 1 and least_psi from 0 up, got"):
        drift(table(rng, 9), table(rng, 9), ["a"], alpha, least_psi)


def test_no_columns(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="at least one column to compare, got none"):
        drift(table(rng, 9), table(rng, 9), [])


def test_columns_of_one_table_only_are_named(rng: np.random.Generator) -> None:
    old = table(rng, 50).assign(c=1.0, words="x")
    new = table(rng, 50).assign(d=2, words=3.0)
    found = pr.drift(old, new)
    assert [r["column"] for r in found["columns"]] != []
    assert {r["column"] for r in found["columns"]} == {"a", "b"}
    assert found["only_reference"] == ["c"]
    assert found["only_current"] == ["d", "words"]
    assert "only in the reference, not compared: c" in found["notes"]
    assert "note: only in the current, not compared: d, words" in as_text(found)


def test_chosen_columns(rng: np.random.Generator) -> None:
    found = pr.drift(table(rng, 50), table(rng, 50), columns=["b"])
    assert [r["column"] for r in found["columns"]] == ["b"]
    with pytest.raises(
        ValueError, match="'zz' is no numeric column of both tables; there is: a, b"
    ):
        pr.drift(table(rng, 50), table(rng, 50), columns=["zz"])


def test_nothing_in_common(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match=r"no measured column in common.*has a, b, the current c"):
        pr.drift(table(rng, 5), pd.DataFrame({"c": [1.0, 2.0]}))


def test_a_camera_held_upright_is_no_drift_unless_it_is_asked_for(
    rng: np.random.Generator, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = (table(rng, 100).assign(width=w, height=h, bytes=w) for w, h in ((9, 4), (4, 9)))
    assert {r["column"] for r in pr.drift(old, new)["columns"]} == {"a", "b"}
    for name, one in (("old.csv", old), ("new.csv", new)):
        one.to_csv(name, index=False)
    given = ["drift", "--reference", "old.csv", "--current", "new.csv", "--columns"]
    assert main([*given, "a,b"]) == 0
    assert main([*given, "width, a", "b"]) == 3
    assert "width" in capsys.readouterr().out


def test_one_photo_of_each_scene(rng: np.random.Generator) -> None:
    """A burst repeated looks like evidence; one photo of each is what there was."""
    old = table(rng, 200).assign(scene=range(200))
    new = table(rng, 20).assign(scene=range(20))
    burst = pd.concat([new.assign(file=new["file"] + str(i)) for i in range(8)])
    alone, counted = pr.drift(old, new, scene="scene"), pr.drift(old, burst, scene="scene")
    assert row(alone, "a")["p"] == row(counted, "a")["p"]
    assert counted["current"]["photos"] == 20
    assert "one photo of each scene counts" in counted["notes"]
    with pytest.raises(ValueError, match="the reference has no column 'burst' to tell"):
        pr.drift(old, new, scene="burst")
    with pytest.raises(ValueError, match=r"no column 'scen' to tell .*; did you mean scene\?"):
        pr.drift(old, new, scene="scen")


def test_two_versions_of_a_column_do_not_compare(photo: np.ndarray) -> None:
    old = pr.extract({"a": photo, "b": photo // 2}, ["sharpness", "contrast"])
    new = old.copy()
    new.attrs = json.loads(json.dumps(old.attrs))
    new.attrs["photorank"]["columns"][0]["version"] = "another"
    with pytest.raises(ValueError, match=r"sharpness is version .* in the reference and 'another'"):
        pr.drift(old, new)
    assert not pr.drift(old, new, columns=["contrast"])["drifted"]
    new.attrs = {}
    assert any("taken on trust" in note for note in pr.drift(old, new)["notes"])


def test_scores_compare_under_one_scale_only(photo: np.ndarray) -> None:
    photos = {str(i): photo // i for i in range(1, 6)}
    measured = pr.extract(photos, ["sharpness", "contrast"])
    scale = pr.fit_scale(measured)
    weights = {"sharpness": 1.0, "contrast": 1.0}
    first, second = (pr.rank(measured, weights=weights, scale=scale, dedup="off") for _ in range(2))
    assert "final_score" in {r["column"] for r in pr.drift(first, second)["columns"]}
    other = pr.rank(measured, weights={"sharpness": 1.0}, scale=scale)
    found = pr.drift(first, other)
    assert "final_score" not in {r["column"] for r in found["columns"]}
    assert any("final_score not compared" in note for note in found["notes"])


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet"])
def test_the_command_on_every_kind_of_table(
    here: Path, rng: np.random.Generator, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow", reason="needs photorank[parquet]")
    for name, shift in (("old", 0.0), ("same", 0.0), ("new", 1.5)):
        pr.save(table(rng, 200, shift), f"{name}{suffix}")
    options = ["drift", "--reference", f"old{suffix}", "--current"]
    assert main([*options, f"same{suffix}"]) == 0
    assert capsys.readouterr().out.startswith("stable: 200 photos in the reference, 200 photos now")
    assert main([*options, f"new{suffix}"]) == 3
    assert "look at results/drift_new.png" in capsys.readouterr().out
    assert json.loads(Path("results/drift_new.json").read_text())["drifted"] is True
    with Image.open("results/drift_new.png") as picture:
        assert picture.width == 1200
        assert picture.text["Software"] == "photorank"  # type: ignore[attr-defined]
    assert main([*options, f"new{suffix}"]) == 3  # over its own earlier files


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--current", "nowhere.csv"], "cannot read the table nowhere.csv"),
        (["--current", "old.csv", "--columns", "x"], "'x' is no numeric column of both tables"),
        (["--current", "old.csv", "--alpha", "2"], "alpha is between 0 and 1"),
        (["--current", "old.txt"], "a table is .csv, .json, .parquet by its suffix"),
    ],
)
def test_wrong_use(
    here: Path,
    rng: np.random.Generator,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    pr.save(table(rng, 20), "old.csv")
    assert main(["drift", "--reference", "old.csv", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_somebody_else_s_file_stays(here: Path, rng: np.random.Generator) -> None:
    pr.save(table(rng, 20), "old.csv")
    Path("results").mkdir()
    Path("results/drift_old.json").write_text("mine")
    assert main(["drift", "--reference", "old.csv", "--current", "old.csv"]) == 2
    assert Path("results/drift_old.json").read_text() == "mine"


def test_every_sort_of_column_can_be_drawn(here: Path, rng: np.random.Generator) -> None:
    """Heavy-tailed, constant, whole numbers, missing, failed, names with $: no warning, a picture."""
    n = 150
    old = pd.DataFrame({"laplacian_variance": rng.lognormal(3, 2, n), "k": 1.0, "face_count": 0})
    old["$x$_"] = rng.normal(size=n)
    new = old.assign(k=2.0, face_count=rng.integers(0, 4, n), laplacian_variance=1.0)
    new.loc[:80, "$x$_"] = np.nan
    old["error"] = None
    new["error"] = ["bad"] * 20 + [None] * (n - 20)
    pr.save(old, "old.csv")
    pr.save(new, "new.csv")
    assert main(["drift", "--reference", "old.csv", "--current", "new.csv"]) == 3
    assert Path("results/drift_new.png").stat().st_size > 10_000


def test_the_plot_says_that_it_does_not_show_all_that_drifted(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    old, new = (
        pd.DataFrame({f"c{i}": rng.normal(shift, 1, 60) for i in range(15)}) for shift in (0, 9)
    )
    draw_drift(old, new, pr.drift(old, new), tmp_path / "plot.svg")
    assert "15 of 15 columns drifted, the first 12 are shown" in (tmp_path / "plot.svg").read_text()


@pytest.mark.parametrize(
    ("low", "high"), [(0, 12), (0, 60), (2, 700), (0, 2e5), (5000, 6000), (9e4, 6e5)]
)
@pytest.mark.parametrize("heavy", [True, False])
def test_tick_labels_are_there_and_do_not_collide(low: float, high: float, heavy: bool) -> None:
    values = np.linspace(low, high, 200)
    figure = figures.blank(12, 4)
    axes = figure.add_subplot(1, 3, 1)
    figure.add_subplot(1, 3, 3)
    about = {"column": "x", "psi": 0, "ks": 0, "verdict": "stable", "heavy_tailed": heavy}
    drift_plot._panel(axes, about, values, values)
    figure.canvas.draw()
    boxes = sorted(
        (label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()),
        key=lambda box: box.x0,
    )
    inside = [b for b in boxes if axes.bbox.x0 <= (b.x0 + b.x1) / 2 <= axes.bbox.x1]
    assert len(inside) >= 2
    assert all(a.x1 < b.x0 for a, b in itertools.pairwise(inside))
