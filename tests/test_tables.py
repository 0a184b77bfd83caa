"""Tables of other people: what is written in them is what is read, or it is said."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import photorank as pr
from photorank.cli.main import main
from photorank.utils import cells
from photorank.utils.tables import read_table

ROWS = [["NA.jpg", 4.5, 3, True], ["b;c.jpg", 9.25, 4, False], ["None", 0.125, 5, True]]
WORDS = {
    "en": ("TRUE", "FALSE"),
    "de": ("WAHR", "FALSCH"),
    "fr": ("VRAI", "FAUX"),
    "01": ("1", "0"),
}


@pytest.mark.parametrize(
    ("encoding", "words"),
    [("utf-8", "en"), ("utf-8-sig", "01"), ("utf-16", "fr"), ("cp1252", "de")],
)
@pytest.mark.parametrize("mark", ".,")
@pytest.mark.parametrize("separator", ",;\t|")
def test_every_way_to_write_a_table_reads_the_same(
    tmp_path: Path, separator: str, mark: str, words: str, encoding: str
) -> None:
    lines = [["file", "beauty", "stars", "dup_keeper", "wörds"]]
    for file, beauty, stars, keeper in ROWS:
        number = str(beauty).replace(".", mark)
        lines.append([file, number, str(stars), WORDS[words][not keeper], "é, ü; x"])
    quoted = [[f'"{c}"' if set(c) & set(",;\t|") else c for c in line] for line in lines]
    text = "\r\n".join(separator.join(line) for line in quoted)
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    read = read_table(tmp_path / "t.csv")
    assert read.iloc[:, :4].to_numpy().tolist() == ROWS
    assert read["wörds"].to_list() == ["é, ü; x"] * 3


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (["1.234,5", "2"], [1234.5, 2]),
        (["1,234.5", "2"], [1234.5, 2]),
        (["1'234.5", "2"], [1234.5, 2]),
        (["1\u202f234,5", "2"], [1234.5, 2]),
        (["1,234", "0,5"], [1.234, 0.5]),
        (["1.000.000", "2"], [1_000_000, 2]),
        (["1,5E-05", "-2"], [1.5e-5, -2]),
        (["4,5", "NA"], [4.5, np.nan]),
        (["4", " "], [4, np.nan]),
        (["4", "9" * 400], [4, np.inf]),
    ],
)
def test_numbers_are_told_by_the_whole_column(written: list[str], wanted: list[float]) -> None:
    read, _, notes = cells.understood(pd.DataFrame({"v": written}))
    np.testing.assert_array_equal(read["v"].to_numpy(float), wanted)
    assert not notes


@pytest.mark.parametrize(
    "column", ["file", "scene", "person", "photo_id", "imageid", "Nr", "words"]
)
def test_names_stay_names(tmp_path: Path, column: str) -> None:
    names = ["NA", "None", "null", "nan", "inf", "007", "1e5", "TRUE", "1,5"]
    (tmp_path / "t.csv").write_text(f"{column};v\n" + "".join(f"{n};1\n" for n in [*names, "x"]))
    assert read_table(tmp_path / "t.csv")[column].to_list() == [*names, "x"]


def test_rows_in_which_nothing_stands_are_no_photos(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("file,v\na.jpg,1\n,\nb.jpg,2\n,\n")
    assert read_table(tmp_path / "t.csv")["file"].to_list() == ["a.jpg", "b.jpg"]


def test_points_that_are_taken_for_thousands_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "t.csv").write_text("file;v\na.jpg;1.250\nb.jpg;2.500\n")
    assert read_table(tmp_path / "t.csv")["v"].to_list() == [1250, 2500]
    assert "thousands separated by points" in caplog.text


def test_a_column_that_names_rows_is_never_ranked(tmp_path: Path) -> None:
    """pandas writes its index without a name."""
    (tmp_path / "t.csv").write_text(",file,photo_id,v\n0,a,9,1\n1,b,8,2\n")
    assert set(pr.rank(tmp_path / "t.csv").attrs["photorank"]["weights"]) == {"v"}
    frame = pd.DataFrame({"file": ["a", "b"], "id": [9, 8], "v": [1, 2]})
    assert set(pr.rank(frame).attrs["photorank"]["weights"]) == {"v"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file;v\na;4,5\nb;9\n", "t.csv: separated by ';', decimal commas"),
        ("file,v,dark\na,1,WAHR\nb,2,FALSCH\n", "t.csv: WAHR/FALSCH read as true/false"),
        (
            "file;v\na;4,5\nb;9.5\n",
            "v: decimal points and decimal commas in one column ('9.5', '4,5')",
        ),
        (
            "file;v\na;4,5\nb;9,5\nc;good\n",
            "v: 1 of 3 values is no number ('good'): counted as missing",
        ),
        ("file,v,phash\na,1,1.2E+15\nb,2,0\n", "phash: 1 are no hashes any more ('1.2E+15')"),
    ],
)
def test_what_was_understood_is_said(
    tmp_path: Path, text: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "t.csv").write_text(text)
    with contextlib.suppress(
        ValueError
    ):  # of a column that is left as text there is none to rank by
        pr.rank(tmp_path / "t.csv")
    assert said in caplog.text


def test_of_a_plain_table_nothing_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "t.csv").write_text("file,v,dark\na,1.5,TRUE\nb,2,FALSE\n")
    read_table(tmp_path / "t.csv")
    assert not caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,dup_keeper\na,true\nb,perhaps\n", "dup_keeper is true or false for each photo"),
        ("file,v\na,1,2,3\nb,2\n", "not a readable .csv table"),
        ("file,v\na\0,1\n", "it is no text, or UTF-16 without a mark"),
        (f"file,v\n{'x' * 40_000},1\n", "a text of 40,000 characters is too long"),
        (
            f"file,{','.join(map(str, range(6000)))}\n",
            "it has 6,001 columns, and 5,000 are the most",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path / "t.csv")


def test_a_line_for_excel_and_separators_at_the_end_of_lines(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("sep=;\nfile;v\na;4,5;\nb;2;\n")
    assert read_table(tmp_path / "t.csv").to_numpy().tolist() == [["a", 4.5], ["b", 2]]


def test_json_and_parquet_with_texts_for_numbers(tmp_path: Path) -> None:
    rows = [
        {"file": "NA", "v": "4,5", "dup_keeper": "WAHR"},
        {"file": "b", "v": "9", "dup_keeper": 0},
    ]
    (tmp_path / "t.json").write_text(json.dumps(rows))
    assert read_table(tmp_path / "t.json").to_numpy().tolist() == [
        ["NA", 4.5, True],
        ["b", 9, False],
    ]
    pytest.importorskip("pyarrow", reason="needs photorank[parquet]")
    pd.DataFrame(rows).astype(str).to_parquet(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet")["v"].to_list() == [4.5, 9]


@pytest.mark.parametrize("mark", ".,")
def test_photoranks_own_table_saved_by_a_spreadsheet(
    tmp_path: Path, photo: np.ndarray, mark: str
) -> None:
    pictures = {f"{i}.jpg": (photo // (1 + i)).astype(np.uint8) for i in range(4)}
    pictures["flat.jpg"] = np.zeros_like(photo)
    own = pr.rank(
        pictures, aesthetic="none", features=["sharpness", "noise", "phash", "content_hash"]
    )
    pr.save(own, tmp_path / "own.csv")
    plain = pr.load(tmp_path / "own.csv")
    words = {True: "WAHR", False: "FALSCH"}
    texts = plain.astype(object).map(
        lambda cell: (
            words[cell]
            if isinstance(cell, bool)
            else str(cell).replace(".", mark)
            if isinstance(cell, float) and cell == cell
            else cell
        )
    )
    texts["phash"] = texts["phash"].map(lambda v: str(int(v)) if v.isdecimal() else v)
    texts.to_csv(tmp_path / "excel.csv", sep=";", index=False, lineterminator="\r\n", na_rep="")
    again = pr.load(tmp_path / "excel.csv")
    pd.testing.assert_frame_equal(again, plain, check_dtype=False)
    one, other = (pr.tag(pr.rank(t)) for t in (plain, again))
    pd.testing.assert_frame_equal(other, one, check_dtype=False)


@pytest.mark.parametrize("values", [["WAHR", "FALSCH"], ["ja", "nein"], [1, 0], [True, None]])
def test_truths_of_a_table_in_hand(values: list[object]) -> None:
    assert cells.truths(pd.Series(values, name="dup_keeper")).tolist() == [True, False]


def test_copies_are_known_by_what_they_hold(tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    Image.new("RGB", (8, 8)).save(photo)
    table = pd.DataFrame({"file": ["a.jpg"], "path": [str(photo)]})
    (made,) = pr.copy(table, tmp_path / "best")
    os.utime(made, (1, 1))
    assert pr.copy(table, tmp_path / "best") == [made]
    Image.new("RGB", (8, 8), "red").save(made)
    shutil.copystat(photo, made)
    with pytest.raises(ValueError, match="1 of 1 files exist and differ"):
        pr.copy(table, tmp_path / "best")


def test_weights_of_a_feature_of_ones_own_say_how_to_use_them(
    tmp_path: Path, photo: np.ndarray
) -> None:
    def warmth(rgb: np.ndarray) -> float:
        return float(rgb[..., 0].mean() - rgb[..., 2].mean())

    mine = pr.Feature("warmth", "1", (pr.Column("warmth"),), warmth, size=512)
    (tmp_path / "w.json").write_text('{"warmth": 1}')
    pictures, weights = {"a": photo, "b": photo // 2}, str(tmp_path / "w.json")
    with pytest.raises(ValueError, match=r"weighs 'warmth', .* features=\[\*pr.BUILTIN, mine\]"):
        pr.rank(pictures, aesthetic="none", features="noise", weights=weights)
    ranked = pr.rank(pictures, aesthetic="none", features=[mine], weights=weights)
    assert ranked.attrs["photorank"]["weights"] == {"warmth": 1}


def test_some_photos_never_replace_all_of_them_in_silence(
    tmp_path: Path,
    photo: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("shoot").mkdir()
    for name in "abc":
        Image.fromarray(photo).save(f"shoot/{name}.png")
    quick = [
        "rank",
        "shoot",
        "--aesthetic",
        "none",
        "--features",
        "noise",
        "--quiet",
        "--cache",
        "off",
    ]
    default = Path("output/csvs/shoot.csv")
    assert main([*quick, "--limit", "2"]) == main(quick) == 0
    assert main([*quick, "--limit", "2"]) == 2
    assert "has 3 photos of this folder, and now 2 would replace them" in capsys.readouterr().err
    assert len(pr.load(default)) == 3
    assert main([*quick, "--limit", "2", "--output_csv", str(default)]) == 0
    assert "and now 2 replace them" in capsys.readouterr().err
