"""Fusion: known answers by hand, laws, and the message of every error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from photorank.ranking.fusion import Scale, fuse
from photorank.ranking.order import order
from photorank.ranking.weights import check_weights, read_weights


def column(name: str, better: str = "higher", **more: Any) -> dict[str, Any]:
    return {"name": name, "better": better, "version": "1"} | more


COLUMNS = [column("a"), column("b", "lower"), column("r", range=[0, 2]), column("info", "neither")]


def table(n: int = 101, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {"a": rng.permutation(n) * 1.0, "b": rng.normal(size=n), "r": rng.uniform(0, 2, n)}
    )


def test_robust_by_hand() -> None:
    values = pd.DataFrame(
        {"a": np.arange(101.0), "b": np.arange(101.0), "r": np.linspace(0, 1, 101)}
    )
    fused = fuse(values, COLUMNS, {"a": 2, "b": 1, "r": 1})
    norm = np.clip((np.arange(101) - 2) / 96, 0, 1)
    np.testing.assert_allclose(fused.table["a_norm"], norm)
    np.testing.assert_allclose(fused.table["b_norm"], 1 - norm)
    np.testing.assert_allclose(fused.table["r_norm"], np.linspace(0, 0.5, 101))
    expected = 0.5 * norm + 0.25 * (1 - norm) + 0.25 * np.linspace(0, 0.5, 101)
    np.testing.assert_allclose(fused.table["final_score"], expected)
    assert fused.weights == {"a": 0.5, "b": 0.25, "r": 0.25}
    assert "info_norm" not in fused.table


def test_heavy_tails_are_normalised_on_log1p() -> None:
    values = pd.DataFrame({"a": np.expm1(np.arange(101.0) / 10)})
    fused = fuse(values, [column("a", heavy_tailed=True)], {"a": 1})
    np.testing.assert_allclose(
        fused.table["a_norm"], np.clip((np.arange(101) - 2) / 96, 0, 1), atol=1e-3
    )


def test_minmax_and_rank_by_hand() -> None:
    values = pd.DataFrame({"a": [1.0, 2.0, 2.0, 5.0]})
    minmax = fuse(values, COLUMNS, {"a": 1}, "minmax").table["a_norm"]
    np.testing.assert_allclose(minmax, [0, 0.25, 0.25, 1])
    ranks = fuse(values, COLUMNS, {"a": 1}, "rank").table["a_norm"]
    np.testing.assert_allclose(ranks, [0, 0.5, 0.5, 1])


@pytest.mark.parametrize("method", ["robust", "minmax", "rank"])
def test_contributions_add_up_and_order_is_monotonic(method: str) -> None:
    values = table()
    fused = fuse(values, COLUMNS, {"a": 1, "b": 2, "r": 0.5}, method).table
    parts = fused.filter(like="_contribution").sum(axis=1)
    np.testing.assert_allclose(parts, fused["final_score"], atol=1e-12)
    norms = fused.filter(like="_norm")
    assert ((norms >= 0) & (norms <= 1)).all(axis=None)
    for name, sign in (("a", 1), ("b", -1)):
        steps = np.diff(fused[f"{name}_norm"].to_numpy()[np.argsort(values[name])])
        assert (sign * steps >= -1e-12).all()


def test_a_missing_value_counts_as_half_and_is_named() -> None:
    values = table(5)
    values.loc[2, ["a", "b"]] = [np.nan, np.inf]
    fused = fuse(values, COLUMNS, {"a": 1, "b": 1, "r": 1})
    assert fused.table.loc[2, ["a_norm", "b_norm"]].tolist() == [0.5, 0.5]
    assert fused.table["missing"].tolist() == ["", "", "a,b", "", ""]


def test_a_constant_column_is_half_and_said_so() -> None:
    values = table(5).assign(a=3.0, r=2.0)
    fused = fuse(values, COLUMNS, {"a": 1, "r": 1, "b": 1})
    assert (fused.table[["a_norm", "r_norm"]] == 0.5).all(axis=None)
    assert [n for n in fused.notes if "same for every photo" in n and n.startswith(("a ", "r "))]


def test_a_rare_value_is_kept_apart() -> None:
    values = pd.DataFrame({"a": [0.0] * 200 + [1.0]})
    norm = fuse(values, COLUMNS, {"a": 1}).table["a_norm"]
    assert norm.iloc[-1] == 1
    assert (norm.iloc[:-1] == 0).all()


def test_a_column_without_values_drops_out_with_a_note() -> None:
    values = table(5).assign(r=np.nan)
    fused = fuse(values, COLUMNS, {"a": 3, "b": 1, "r": 4})
    assert fused.weights == {"a": 0.75, "b": 0.25}
    assert fused.dropped == ["r"]
    with pytest.raises(ValueError, match=r"none of the weighted columns \(r\) has a value"):
        fuse(values, COLUMNS, {"r": 1})


def test_a_saved_scale_gives_a_photo_the_same_score_anywhere(tmp_path: Path) -> None:
    values = table()
    for method in ("robust", "minmax", "rank"):
        scale = Scale.fit(values, COLUMNS[:3], method)
        scale.save(tmp_path / "s.json")
        again = Scale.load(tmp_path / "s.json", COLUMNS)
        whole = fuse(values, COLUMNS, {"a": 1, "b": 1, "r": 1}, method).table["final_score"]
        alone = [
            fuse(values.iloc[[i]], COLUMNS, {"a": 1, "b": 1, "r": 1}, again).table["final_score"]
            for i in range(len(values))
        ]
        np.testing.assert_allclose(np.ravel(alone), whole, atol=1e-12)


def test_values_beyond_a_saved_scale_are_clipped_and_counted() -> None:
    scale = Scale.fit(table(), COLUMNS[:3], "minmax")
    beyond = table(3).assign(a=[-5.0, 50.0, 500.0])
    fused = fuse(beyond, COLUMNS, {"a": 1}, scale)
    assert fused.table["a_norm"].tolist() == [0, 0.5, 1]
    assert "beyond the saved scale, of 3, clipped: a 2" in fused.notes


def test_a_scale_of_another_version_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "s.json"
    Scale.fit(table(), COLUMNS[:3]).save(file)
    with pytest.raises(ValueError, match=r"version '1' of 'a', this table has '2': measure"):
        Scale.load(file, [column("a") | {"version": "2"}])
    file.write_text("{}")
    with pytest.raises(ValueError, match="wanted schema 'photorank/scale/1', got None"):
        Scale.load(file)
    with pytest.raises(ValueError, match="cannot read the scale file"):
        Scale.load(tmp_path / "none.json")


def test_a_column_with_a_range_of_its_own_needs_no_fitting(tmp_path: Path) -> None:
    ranged = column("r", range=[0, 2])
    values = table(3).assign(r=[0.0, 1.0, 2.0])
    Scale.fit(values, [*COLUMNS[:1], ranged]).save(tmp_path / "s.json")
    scale = Scale.load(tmp_path / "s.json", [ranged | {"version": "another"}])
    assert list(scale.columns) == [COLUMNS[0]["name"]]
    assert fuse(values, [ranged], {"r": 1}, scale).table["final_score"].tolist() == [0, 0.5, 1]
    with pytest.raises(ValueError, match="the scale has no r"):
        fuse(values, [ranged], {"r": 1}, Scale.fit(values, COLUMNS[:1], "minmax"))


def test_a_scale_that_lacks_a_weighted_column_is_refused() -> None:
    scale = Scale.fit(table(), COLUMNS[:1])
    with pytest.raises(ValueError, match="the scale has no b, which this run weighs"):
        fuse(table(), COLUMNS, {"a": 1, "b": 1}, scale)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"z": 1}, "'z' is no column; there is: a, b, r"),
        ({"info": 1}, "'info' is reported but never ranked"),
        ({"a": -1}, "wanted 0 or more, got -1"),
        ({"a": float("nan")}, "wanted 0 or more, got nan"),
        ({"a": "much"}, "wanted a number, got 'much'"),
        ({"a": True}, "wanted a number, got True"),
        ({"a": 0}, "every weight is 0"),
        ({}, "every weight is 0"),
    ],
)
def test_wrong_weights(weights: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_weights(weights, COLUMNS)


def test_faces_is_the_one_alias() -> None:
    assert check_weights({"faces": 1}, [column("face_present")]) == {"face_present": 1.0}


def test_weights_are_read_from_text_files_and_dicts(tmp_path: Path) -> None:
    assert read_weights("a=1, b=.5", COLUMNS) == {"a": 1.0, "b": 0.5}
    plain, saved = tmp_path / "plain.json", tmp_path / "saved.json"
    plain.write_text('{"a": 2}')
    shape = {"schema": "photorank/weights/1", "columns": {"a": "1"}, "weights": {"a": 3}}
    saved.write_text(json.dumps(shape))
    assert read_weights(plain, COLUMNS) == {"a": 2}
    assert read_weights(str(saved), COLUMNS) == {"a": 3}
    for wrong in ("a=x", "nothing.json"):
        with pytest.raises(ValueError, match="weights: wanted name=value"):
            read_weights(wrong, COLUMNS)


def test_order_breaks_ties_by_path_and_puts_failures_last() -> None:
    rows = pd.DataFrame(
        {
            "path": ["d", "c", "b", "a"],
            "final_score": [0.5, np.nan, 0.5, 0.9],
            "error": [None, "broken", None, None],
        }
    )
    for shuffled in (rows, rows[::-1], rows.iloc[[2, 0, 3, 1]]):
        ordered = order(shuffled)
        assert ordered["path"].tolist() == ["a", "b", "d", "c"]
        assert ordered["rank"].tolist() == [1, 2, 3, pd.NA]


def test_a_scale_of_a_foreign_table_fits_it_again(tmp_path: Path) -> None:
    foreign = [{"name": "a", "better": "higher", "foreign": True}]
    Scale.fit(table(), foreign).save(tmp_path / "s.json")
    assert list(Scale.load(tmp_path / "s.json", foreign).columns) == ["a"]


@pytest.mark.parametrize(
    "scale",
    [
        "[]",
        "{}",
        '{"method": "best", "knots": {}, "columns": {}}',
        '{"method": "robust", "knots": {}, "columns": {"a": {"name": "a", "better": "higher"}}}',
        *(
            f'{{"method": "robust", "knots": {{"a": {knots}}}, "columns": {{"a": {{"better": "higher"}}}}}}'
            for knots in (
                '[0, "x"]',
                '"01"',
                "null",
                "[]",
                "[1]",
                "[5, 1]",
                "[NaN, 1]",
                "[0, Infinity]",
            )
        ),
    ],
)
def test_a_damaged_scale_is_said_to_be_one(tmp_path: Path, scale: str) -> None:
    file = tmp_path / "s.json"
    file.write_text(f'{{"schema": "photorank/scale/1", "columns": {{}}, "scale": {scale}}}')
    with pytest.raises(
        ValueError, match=r"the scale file .* is (damaged; make it again|not JSON that)"
    ):
        Scale.load(file)


def test_a_scale_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"cannot write .*: File exists; give another place"):
        Scale.fit(table(), COLUMNS[:1]).save(tmp_path / "file" / "s.json")


def test_weights_may_be_numpys_numbers() -> None:
    assert check_weights({"a": np.float32(0.5), "b": np.int64(1)}, COLUMNS) == {"a": 0.5, "b": 1.0}


def test_a_scale_prints_as_one_line() -> None:
    scale = Scale.fit(table(), COLUMNS)
    assert (
        repr(scale)
        == f"Scale(robust, {len(scale.columns)} columns, fitted to {len(table())} photos)"
    )
