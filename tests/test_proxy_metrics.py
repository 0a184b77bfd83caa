"""The proxy metrics: known answers, and a reason wherever there is no answer."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from photorank.evaluation.proxy_metrics import as_text, proxy_metrics


def table(**columns: object) -> pd.DataFrame:
    return pd.DataFrame(columns)


def test_known_answers() -> None:
    metrics = proxy_metrics(
        table(
            final_score=[1.0, 0.0, 0.5, 0.5, 9.0],
            sharpness=[1, 2, 3, 10, 0],
            aesthetic=[0.1, 0.2, 0.3, 0.4, 0.0],
            dup_keeper=[True, True, False, True, False],
            error=[None, "", None, None, "truncated"],
        )
    )
    assert metrics["n"] == 4
    assert metrics["score_std"] == pytest.approx(np.std([1, 0, 0.5, 0.5]), abs=1e-6)
    assert metrics["duplicate_fraction"] == 0.25
    pearson = np.corrcoef([1, 2, 3, 10], [1, 2, 3, 4])[0, 1]
    assert metrics["sharpness_corr"] == {
        "with": "aesthetic",
        "pearson": pytest.approx(pearson, abs=1e-6),
        "spearman": 1.0,
        "n": 4,
    }
    assert metrics["absent"] == {}
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics


def test_sharpness_is_related_to_the_score_where_aesthetic_is_empty() -> None:
    scored = table(final_score=[3, 2, 1], sharpness=[1, 2, 3], aesthetic=[None, np.nan, ""])
    corr = proxy_metrics(scored)["sharpness_corr"]
    assert (corr["with"], corr["spearman"], corr["n"]) == ("final_score", -1.0, 3)


def test_marks_read_from_a_csv_count_as_marks() -> None:
    scored = table(final_score=[1, 2, 3, 4], dup_keeper=["True", "False", "True", "False"])
    assert proxy_metrics(scored)["duplicate_fraction"] == 0.5


@pytest.mark.parametrize(
    ("columns", "figure", "reason"),
    [
        ({"final_score": [1.0]}, "score_std", "1 photo(s) with a score: spread needs two"),
        ({"final_score": ["x", "y"]}, "score_std", "0 photo(s) with a score: spread needs two"),
        ({"final_score": [1, 2]}, "duplicate_fraction", "no column dup_keeper"),
        ({"final_score": [], "dup_keeper": []}, "duplicate_fraction", "no photos"),
        ({"final_score": [1, 2, 3]}, "sharpness_corr", "no column sharpness"),
        (
            {"final_score": [1, 2, 3], "sharpness": [1, np.inf, 3]},
            "sharpness_corr",
            "2 photo(s) with sharpness and final_score: correlation needs 3",
        ),
        (
            {"final_score": [1, 2, 3], "sharpness": [5, 5, 5]},
            "sharpness_corr",
            "sharpness is the same for all 3 photos",
        ),
    ],
)
def test_no_answer_has_a_reason(columns: dict[str, list[object]], figure: str, reason: str) -> None:
    metrics = proxy_metrics(table(**columns))
    value = metrics[figure]
    assert value is None or (value["pearson"], value["spearman"]) == (None, None)
    assert reason in metrics["absent"][figure]
    assert reason in as_text(metrics)


def test_the_text_says_what_was_compared_and_how_to_read_it() -> None:
    lines = as_text(
        proxy_metrics(table(final_score=[3, 2, 1], sharpness=[1, 2, 3], dup_keeper=[True] * 3))
    ).splitlines()
    assert lines[0] == "photos ranked: 3"
    assert lines[1].split()[:2] == ["score_std", "0.816"]
    assert lines[3].startswith("sharpness_corr, pearson   -1.000  near 1: final_score repeats")
    assert len(lines) == 5


def test_not_a_ranked_table() -> None:
    with pytest.raises(ValueError, match=r"column 'final_score'; this one has file: rank it first"):
        proxy_metrics(table(file=["a.jpg"]))
