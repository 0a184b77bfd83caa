"""`rank`: from a folder, pictures or a table to the ordered table, and back from files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import photorank as pr

FIRST = (
    "rank,file,path,final_score,aesthetic,sharpness_norm,exposure_norm,contrast_norm,face_present,"
    "sharpness,exposure,contrast,noise,colourfulness,laplacian_variance,brightness,clipped_shadows,"
    "clipped_highlights,face_count,face_area,phash"
).split(",")
LAST = "width,height,bytes,jpeg_quality,taken_at,camera,missing,error".split(",")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, photo: np.ndarray) -> Path:
    """A photo, the same blurred, dark and grey, and one that is damaged; an odd name among them."""
    folder = tmp_path_factory.mktemp("my photos é")
    image = Image.fromarray(photo)
    image.save(folder / "good.jpg", quality=95)
    (folder / "sub").mkdir()
    image.resize((40, 40)).resize((512, 512)).save(folder / "sub" / "blurred.jpg")
    Image.fromarray(photo // 8).save(os.fsencode(folder) + b"/dark\xe9.png")
    Image.new("RGB", (300, 200), "grey").save(folder / "grey\nlines.png")
    (folder / "broken.jpg").write_bytes((folder / "good.jpg").read_bytes()[:9000])
    (folder / "notes.txt").write_text("not a photo")
    return folder


@pytest.fixture(scope="module")
def ranked(folder: Path) -> pd.DataFrame:
    return pr.rank(folder, aesthetic="none")


def test_the_columns_the_readme_promises(ranked: pd.DataFrame) -> None:
    columns = list(ranked.columns)
    assert columns[: len(FIRST)] == FIRST
    assert columns[-len(LAST) :] == LAST
    declared = ranked.attrs["photorank"]["columns"]
    for column in declared:
        made = {f"{column['name']}_norm", f"{column['name']}_contribution"}
        assert made <= set(columns) if column["better"] != "neither" else not made & set(columns)
    assert ranked["aesthetic"].isna().all()


def test_the_best_comes_first_and_contributions_add_up(ranked: pd.DataFrame) -> None:
    assert ranked["file"].iloc[0] == "good.jpg"
    assert ranked["file"].iloc[-1] == "broken.jpg"
    good = ranked[ranked["error"].isna()]
    assert good["rank"].tolist() == [1, 2, 3, 4]
    assert good["final_score"].is_monotonic_decreasing
    parts = good.filter(like="_contribution").sum(axis=1)
    np.testing.assert_allclose(parts, good["final_score"], atol=1e-9)


def test_found_is_ranked_and_failed(ranked: pd.DataFrame) -> None:
    record = ranked.attrs["photorank"]
    assert (record["found"], record["ranked"], record["failed"]) == (5, 4, 1)
    assert record["skipped"] == {"txt": 1}
    broken = ranked.iloc[-1]
    assert "truncated" in broken["error"]
    assert broken[["rank", "final_score", "sharpness", "phash"]].isna().all()


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_saved_and_loaded_it_ranks_the_same(
    ranked: pd.DataFrame, tmp_path: Path, suffix: str
) -> None:
    written = pr.save(ranked, tmp_path / f"t{suffix}")
    assert [p.name for p in written] == [f"t{suffix}", "t.meta.json", "t.failed.csv"]
    again = pr.load(tmp_path / f"t{suffix}")
    assert again["file"].tolist() == ranked["file"].tolist()
    assert json.loads((tmp_path / "t.meta.json").read_text())["failed"] == 1
    reranked = pr.rank(again)
    assert list(reranked.columns) == list(ranked.columns)
    np.testing.assert_allclose(
        reranked["final_score"].astype(float), ranked["final_score"], atol=1e-9
    )


def test_json_holds_no_infinity(tmp_path: Path) -> None:
    table = pd.DataFrame({"file": ["a", "b", "c"], "x": [1.5, np.inf, np.nan], "n": [1, 2, 3]})
    pr.save(table, tmp_path / "t.json")
    rows = json.loads((tmp_path / "t.json").read_text(), parse_constant=pytest.fail)
    assert [row["x"] for row in rows] == [1.5, None, None]
    assert [row["n"] for row in rows] == [1, 2, 3]


def test_what_is_not_photoranks_is_never_written_over(ranked: pd.DataFrame, tmp_path: Path) -> None:
    mine = tmp_path / "mine.csv"
    mine.write_text("my,own,table\n")
    with pytest.raises(ValueError, match=r"mine\.csv exists and was not written by photorank"):
        pr.save(ranked, mine)
    assert mine.read_text() == "my,own,table\n"
    pr.save(ranked, tmp_path / "ours.csv")
    pr.save(ranked.head(2), tmp_path / "ours.csv")
    assert not (tmp_path / "ours.failed.csv").exists()


def test_pictures_in_hand_rank_like_their_files(folder: Path, photo: np.ndarray) -> None:
    dark = photo // 8
    table = pr.rank({"good": photo, "dark": Image.fromarray(dark)}, aesthetic="none")
    assert table["file"].tolist() == ["good", "dark"]
    same = pr.rank([os.fsencode(folder).decode("utf-8", "surrogateescape") + "/dark\udce9.png"])
    assert same["sharpness"].iloc[0] == table["sharpness"].iloc[1]


def test_one_photo_and_equal_photos(photo: np.ndarray) -> None:
    one = pr.rank({"a": photo}, aesthetic="none")
    assert one["rank"].tolist() == [1]
    equal = pr.rank(dict.fromkeys("cab", photo), aesthetic="none")
    assert equal["file"].tolist() == ["a", "b", "c"]
    assert (equal["final_score"] == 0.5).all()
    assert any("same for every photo" in note for note in equal.attrs["photorank"]["notes"])


def test_weights_replace_the_set_and_no_pixels_are_read(ranked: pd.DataFrame) -> None:
    gone = ranked.assign(path="/no/such/place/" + ranked["file"])
    table = pr.rank(gone, weights={"contrast": 1})
    np.testing.assert_array_equal(
        table["final_score"].dropna().to_numpy(), table["contrast_norm"].dropna().to_numpy()
    )
    assert table.attrs["photorank"]["weights"] == {"contrast": 1.0}


def test_a_weight_for_what_was_not_computed_drops_out(ranked: pd.DataFrame) -> None:
    table = pr.rank(ranked, weights="aesthetic=.5,sharpness=.5")
    assert table.attrs["photorank"]["weights"] == {"sharpness": 1.0}
    assert any("aesthetic has no value here" in n for n in table.attrs["photorank"]["notes"])


def test_a_feature_of_ones_own(folder: Path) -> None:
    def warmth(rgb: np.ndarray) -> float:
        return float(rgb[..., 0].mean() - rgb[..., 2].mean())

    mine = pr.Feature("warmth", "1", (pr.Column("warmth"),), warmth, size=512)
    measured = pr.extract(folder, ["sharpness", mine], aesthetic="none")
    table = pr.rank(measured, weights={"sharpness": 0.5, "warmth": 0.5})
    assert {"warmth_norm", "warmth_contribution"} <= set(table.columns)
    assert "exposure" not in table


def test_a_foreign_table(tmp_path: Path) -> None:
    foreign = pd.DataFrame({"image": ["x", "y"], "blur": [9.0, 1.0], "stars": [1, 2]})
    table = pr.rank(foreign, lower_is_better=["blur"])
    assert table["file"].tolist() == ["y", "x"]
    assert table.attrs["photorank"]["weights"] == {"blur": 0.5, "stars": 0.5}
    with pytest.raises(ValueError, match=r"no numeric column 'blurr'; did you mean blur\?"):
        pr.rank(foreign, lower_is_better="blurr")
    with pytest.raises(ValueError, match="no numeric column to rank by"):
        pr.rank(foreign[["image"]])


def test_on_the_default_scale_a_photo_scores_the_same_alone_and_in_a_folder(
    ranked: pd.DataFrame,
) -> None:
    among = pr.rank(ranked, scale="default")
    name = str(among.loc[among.error.isna(), "file"].iloc[-1])
    alone = pr.rank(ranked[ranked.file == name], scale="default")
    together = among[among.file == name]
    assert alone["final_score"].item() == together["final_score"].item()
    assert alone["score_1_to_10"].item() == round(1 + 9 * alone["final_score"].item(), 1)
    assert "score_1_to_10" not in pr.rank(among, normalization="minmax")


def test_a_scale_makes_scores_compare_across_folders(ranked: pd.DataFrame, tmp_path: Path) -> None:
    scale = pr.fit_scale(ranked)
    scale.save(tmp_path / "scale.json")
    alone = pr.rank(ranked.iloc[[2]], scale=tmp_path / "scale.json")
    among = pr.rank(ranked, scale=scale)
    file = ranked["file"].iloc[2]
    expected = among.loc[among["file"] == file, "final_score"].item()
    assert alone["final_score"].item() == pytest.approx(expected, abs=1e-12)


def test_nothing_to_rank(tmp_path: Path) -> None:
    (tmp_path / "a.nef").write_bytes(b"raw")
    with pytest.raises(
        ValueError, match=r"no photos in .*; other files there: 1 nef; give a folder"
    ):
        pr.rank(tmp_path)


def test_unknown_names_come_with_near_ones(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown feature 'sharpnes'; did you mean sharpness\?"):
        pr.rank(folder, features="sharpnes")
    with pytest.raises(ValueError, match=r"unknown key 'weight' .*did you mean weights\?"):
        pr.rank(folder, weight={})


def test_tables_that_were_put_together(ranked: pd.DataFrame, tmp_path: Path) -> None:
    both = pd.concat([ranked, ranked.assign(path=ranked["path"] + "2")])
    table = pr.rank(both)
    assert len(table) == len(both)
    assert table["path"].is_unique
    assert table["error"].notna().sum() == 2
    pr.save(both, tmp_path / "both.csv")
    assert len(pd.read_csv(tmp_path / "both.failed.csv")) == 2


def test_a_foreign_table_with_gaps_in_its_names() -> None:
    foreign = pd.DataFrame({"file": ["a", None, 3], "v": [1.0, 2, 3], "error": ["", None, ""]})
    assert pr.rank(foreign)["file"].tolist() == ["3", "", "a"]


@pytest.mark.parametrize("beside", ["mine.failed.csv", "mine.meta.json"])
def test_what_lies_beside_a_table_is_never_written_over(
    ranked: pd.DataFrame, tmp_path: Path, beside: str
) -> None:
    (tmp_path / beside).write_text("[]")
    with pytest.raises(ValueError, match=f"{beside} .* move it away"):
        pr.save(ranked, tmp_path / "mine.csv")
    assert [path.name for path in tmp_path.iterdir()] == [beside]


@pytest.mark.parametrize(
    "record",
    ["[]", "{", '{"photorank": "1", "columns": ["a"]}', '{"photorank": "1", "tags": null}'],
)
def test_a_record_that_is_not_photoranks(tmp_path: Path, record: str) -> None:
    (tmp_path / "t.csv").write_text("file,v\na,1\nb,2\n")
    (tmp_path / "t.meta.json").write_text(record)
    with pytest.raises(ValueError, match=r"t.meta.json is (damaged|not photorank's)"):
        pr.load(tmp_path / "t.csv")


@pytest.mark.parametrize("source", [None, 3, b"photos", [np.zeros((9, 9, 3), np.uint8)]])
def test_what_is_no_source(source: object) -> None:
    with pytest.raises(ValueError, match="the source is a folder, a list of paths, a dict"):
        pr.rank(source)


def test_a_table_keeps_the_settings_that_its_photos_were_measured_by(folder: Path) -> None:
    by = {"features": ("sharpness", "noise"), "aesthetic": "none", "limit": 2}
    again = pr.rank(pr.rank(folder, **by), normalization="rank")
    settings = again.attrs["photorank"]["settings"]
    assert {name: settings[name] for name in by} == by
    assert settings["normalization"] == "rank"


@pytest.mark.parametrize("table", [pd.DataFrame({"file": ["a.jpg"]}), "mine.csv"])
def test_a_table_is_nothing_to_extract_from(table: object) -> None:
    with pytest.raises(ValueError, match="extract measures photos, and this is a table: give"):
        pr.extract(table)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"features": "noise", "weights": {"contrast": 1}}, "none of the weighted columns"),
        ({"features": [3]}, "a feature is a Feature, a Head or a built-in one's name, got 3"),
        ({"features": "aesthetic"}, "nothing to measure"),
        ({"scale": 3}, "scale is a saved scale's file or what fit_scale returned, got 3"),
        (
            {"aesthetic": "auto", "positive_prompt": ["a", "b"], "negative_prompt": ["c"] * 3},
            "prompts pair in order",
        ),
    ],
)
def test_mistakes_are_found_before_a_photo_is_opened(
    tmp_path: Path, settings: dict[str, object], message: str
) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"x")  # were it opened, no mistake would be noticed
    with pytest.raises(ValueError, match=message):
        pr.rank(tmp_path, **{"aesthetic": "none"} | settings)


@pytest.mark.parametrize(
    ("features", "settings", "message"),
    [
        (["phash"], {"dedup_distance": 65}, "dedup distance is a whole number of bits"),
        ([], {"dedup": "keep-best"}, "near-duplicates need the column 'phash'"),
    ],
)
def test_near_duplicates_that_cannot_be_found_cost_no_work(
    folder: Path, features: list[object], settings: dict[str, object], message: str
) -> None:
    measured = []
    spy = pr.Feature("spy", "1", (pr.Column("spy"),), lambda rgb: measured.append(rgb) or 1)
    with pytest.raises(ValueError, match=message):
        pr.rank(folder, features=[*features, spy], aesthetic="none", **settings)
    assert not measured
