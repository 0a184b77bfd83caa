"""Looking at a ranking and taking the best away: words, pictures, copies; nothing is overwritten."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import photorank as pr
from photorank.cli.main import main
from photorank.features.quality import LEVELS
from photorank.verbs.evaluate import best_and_worst


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, photo: np.ndarray) -> Path:
    """A photo, a brighter re-save of it, another subject, and one that is damaged."""
    folder = tmp_path_factory.mktemp("shoot")
    (folder / "sub").mkdir()
    image = Image.fromarray(photo)
    image.save(folder / "good.jpg", quality=95)
    image.point(lambda v: min(255, v * 1.1)).resize((400, 400)).save(folder / "sub" / "good.jpg")
    Image.fromarray(np.rot90(photo)).save(folder / "turned.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8")
    return folder


@pytest.fixture(scope="module")
def ranked(folder: Path) -> pd.DataFrame:
    return pr.rank(folder, aesthetic="none")


def test_near_duplicates_are_marked_and_can_come_last(ranked: pd.DataFrame) -> None:
    by_file = ranked.set_index("file")
    assert by_file.loc["good.jpg", "dup_group"] == by_file.loc["sub/good.jpg", "dup_group"]
    assert by_file["dup_keeper"].sum() == 2
    assert by_file.loc[["good.jpg", "turned.png"], "dup_size"].tolist() == [2, 1]
    assert ranked.attrs["photorank"]["near_duplicates"] == 1
    kept = pr.rank(ranked, dedup="keep-best")
    assert kept["dup_keeper"].tolist() == [True, True, False, False]
    assert kept["rank"].tolist()[:3] == [1, 2, 3]
    assert "dup_group" not in pr.rank(ranked, dedup="off")
    with pytest.raises(ValueError, match="near-duplicates need the column 'phash'"):
        pr.rank(ranked.drop(columns="phash"), dedup="keep-best")


def test_explain_adds_up_to_the_score(ranked: pd.DataFrame) -> None:
    for file in ("turned.png", "sub/good.jpg"):
        explained = pr.explain(ranked, file)
        score = ranked.set_index("file").loc[file, "final_score"]
        numbers = explained.numbers
        assert numbers["contribution"].sum() == pytest.approx(score, abs=1e-9)
        np.testing.assert_allclose(numbers["weight"] * numbers["norm"], numbers["contribution"])
        mean = ranked["final_score"].mean()
        assert numbers["against_mean"].sum() == pytest.approx(score - mean, abs=1e-9)
        assert file in str(explained)
    first = pr.explain(ranked, ranked["file"].iloc[0])
    assert "is number 1 of 3" in first.text


def test_explain_names_defects_and_tags_in_plain_words(
    ranked: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "90")
    none = dict.fromkeys(LEVELS, 0.9)
    levels = none | {"motion_blur_level": 3.64, "defocus_level": 1.0, "noise_level": float("nan")}
    tags = "out_of_focus: defocus_level 2 (above 1.5); near_duplicate: the same picture as my_1.jpg"
    said = pr.explain(ranked.assign(**levels, tag_reasons=tags), "turned.png").text.splitlines()
    assert said[-3:] == [
        "It shows strong motion blur (3.6 of 5), slight defocus (1.0 of 5).",
        "Tagged out of focus: defocus_level 2 (above 1.5).",
        "Tagged near duplicate: the same picture as my_1.jpg.",
    ]
    untold = levels | {"motion_blur_score": float("nan")}
    why = "cannot tell motion_blur: edge_share 0.01 (below 0.03)"
    said = pr.explain(ranked.assign(**untold, tag_reasons=why), "turned.png").text.splitlines()
    assert said[-2:] == [
        "It shows slight defocus (1.0 of 5).",
        "Cannot tell motion blur: edge_share 0.01 (below 0.03).",
    ]
    large = ranked.assign(**none, tag_reasons=float("nan"), sharpness=12345.678)
    explained = pr.explain(large, "turned.png")
    assert "shows" not in explained.text
    assert "Tagged" not in explained.text
    assert "sharpness (12,346, better than" in explained.text
    assert max(map(len, str(explained).splitlines())) <= 90
    assert "e+" not in str(explained)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("god.jpg", r"no photo 'god.jpg' in this table; the nearest name is .good.jpg"),
        (Path("broken.jpg"), "broken.jpg failed and has no score: not a picture"),
    ],
)
def test_explain_says_what_is_wrong(ranked: pd.DataFrame, file: str | Path, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pr.explain(ranked, file)
    with pytest.raises(ValueError, match="not ranked: rank it first"):
        pr.explain(ranked.drop(columns="final_score"), "good.jpg")


@pytest.mark.parametrize("file", [3, None, 2.0])
def test_explain_takes_no_number(ranked: pd.DataFrame, file: object) -> None:
    with pytest.raises(
        ValueError, match=f"takes a photo's file name or path, got {file}; the photo"
    ):
        pr.explain(ranked, file)  # type: ignore[arg-type]


def test_explain_counts_in_whole_numbers_after_a_csv(ranked: pd.DataFrame, tmp_path: Path) -> None:
    pr.save(ranked, tmp_path / "t.csv")
    assert "is number 1 of 3" in pr.explain(pr.load(tmp_path / "t.csv"), ranked.file[0]).text


def test_montage_and_its_errors(ranked: pd.DataFrame, tmp_path: Path) -> None:
    moved = ranked.assign(path=ranked["path"].str.replace("turned", "gone"))
    pr.montage(moved, tmp_path / "m.png", "Best")
    with Image.open(tmp_path / "m.png") as picture:
        assert picture.width > 600
    with pytest.raises(ValueError, match=r"a montage is a \.png or \.jpg by its suffix"):
        pr.montage(ranked, tmp_path / "m.txt")
    with pytest.raises(ValueError, match="at least one photo"):
        pr.montage(ranked.head(0), tmp_path / "m.png")
    with pytest.raises(ValueError, match="a table without final_score is not ranked"):
        pr.montage(ranked.drop(columns="final_score"), tmp_path / "m.png")


def test_copies_sort_by_rank_and_never_overwrite(
    ranked: pd.DataFrame, folder: Path, tmp_path: Path
) -> None:
    best = tmp_path / "best"
    places = pr.copy(ranked, best)
    assert places == sorted(best.iterdir())  # photos of folders below, too
    for number, (place, file) in enumerate(zip(places, ranked["file"], strict=False), 1):
        assert place.name == f"00{number}_{Path(file).name}"
        assert place.read_bytes() == (folder / file).read_bytes()
    assert pr.copy(ranked, best) == places
    places[2].write_text("mine")
    places[0].unlink()
    with pytest.raises(ValueError, match=r"1 of 3 files exist .* \(first: 003_.*\): nothing was"):
        pr.copy(ranked, best)
    assert places[2].read_text() == "mine"
    assert not places[0].exists()


def test_copies_have_as_many_digits_as_are_needed(ranked: pd.DataFrame, tmp_path: Path) -> None:
    many = pd.concat([ranked.head(1)] * 1000)
    places = pr.copy(many, tmp_path / "best", dry_run=True)
    assert places[0].name.startswith("0001_")
    assert places == sorted(places)


@pytest.mark.parametrize("letter", ["x", "\u0444", "\u5199", "\U0001f4f7"])
def test_names_of_copies_fit_the_bytes_of_a_file_name(
    ranked: pd.DataFrame, folder: Path, tmp_path: Path, letter: str
) -> None:
    ends = ("1.jpg", "2.jpg")
    length = 250 // len(letter.encode())
    names = [letter * length + end for end in ends]
    for name in names:
        (tmp_path / name).write_bytes((folder / "good.jpg").read_bytes())
    paths = [str(tmp_path / name) for name in names]
    places = pr.copy(ranked.head(2).assign(file=names, path=paths), tmp_path / "best")
    assert sorted(places) == sorted((tmp_path / "best").iterdir())
    for number, (place, end) in enumerate(zip(places, ends, strict=True), 1):
        assert place.name.startswith(f"00{number}_{letter}")
        assert place.name.endswith(letter + end)
        assert len(place.name.encode()) <= 255


def test_explain_finds_a_name_in_any_form_of_unicode(ranked: pd.DataFrame) -> None:
    apart, together = "Cafe\u0301.jpg", "Caf\u00e9.jpg"
    table = ranked.head(2).assign(file=[f"sub/{apart}", "b.jpg"], path=[f"/p/sub/{apart}", "/p/b"])
    for name in (together, f"sub/{together}", f"/p/sub/{together}"):
        assert f"sub/{apart} is number 1" in pr.explain(table, name).text
    both = table.assign(file=[apart, together], path=[f"/p/{apart}", f"/p/{together}"])
    assert f"{together} is number 2" in pr.explain(both, together).text


def test_links_dry_runs_and_photos_that_have_gone(
    ranked: pd.DataFrame, folder: Path, tmp_path: Path
) -> None:
    planned = pr.copy(ranked.head(1), tmp_path / "dry", dry_run=True)
    assert len(planned) == 1
    assert not (tmp_path / "dry").exists()
    (link,) = pr.copy(ranked.head(1), tmp_path / "links", link=True)
    assert link.readlink() == folder / ranked["file"].iloc[0]
    assert pr.copy(ranked.head(1), tmp_path / "links", link=True) == [link]
    with pytest.raises(
        ValueError, match=r"1 of 1 files exist as links to these photos in .*: noth"
    ):
        pr.copy(ranked.head(1), tmp_path / "links")
    gone = ranked.assign(path="/no/such/" + ranked["file"])
    with pytest.raises(
        ValueError, match=r"3 of 3 photos are no longer there .* rank the folder again"
    ):
        pr.copy(gone, tmp_path / "none")
    assert not (tmp_path / "none").exists()
    (tmp_path / "here").mkdir()
    assert pr.copy(ranked.head(1), tmp_path / "here" / ".." / "best")[0].parent == tmp_path / "best"


def test_a_table_does_not_decide_what_is_touched(
    ranked: pd.DataFrame, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither a file that is no photo, nor one under a name or in a place that photos have not."""
    good, best, outside = (folder / "good.jpg").read_bytes(), tmp_path / "best", tmp_path / "out"
    best.mkdir()
    outside.mkdir()
    (best / "sub").symlink_to(outside)
    text = tmp_path / "secret.jpg"
    text.write_text("root:x:0:0")
    odd = [text, tmp_path / "photo.txt", tmp_path / ".bashrc.jpg", tmp_path / ".bashrc"]
    for path in odd[1:]:
        path.write_bytes(good)
    os.mkfifo(tmp_path / "fifo.jpg")
    paths = [
        *map(str, odd),
        "/etc/passwd",
        str(tmp_path / "fifo.jpg"),
        str(tmp_path),
        "a\0.jpg",
        "",
    ]
    names = ["../../.bashrc", "sub/x.jpg", "/etc/x.jpg", *map(str, range(len(paths) - 3))]
    table = ranked.iloc[[0] * len(paths)].assign(path=paths, file=names)
    with pytest.raises(ValueError, match=r"5 of 9 photos are none, by name or content \(first: /"):
        pr.copy(table, best)
    for link in (False, True):
        both = pd.concat([table, ranked.head(1).assign(file="sub/.bashrc")])
        made = pr.copy(both, best / str(link), link=link)
        assert [place.name for place in made] == [f"010_{Path(ranked['path'].iloc[0]).name}"]
        assert made == list((best / str(link)).iterdir())
    assert list(outside.iterdir()) == []
    assert caplog.records[-1].message.endswith("they are not copied")
    page = pr.show(table, tmp_path / "page.html").read_text()
    assert page.count("data:image/jpeg") == 0
    pr.montage(table, tmp_path / "montage.png")
    every = np.asarray(Image.open(tmp_path / "montage.png"))
    assert np.ptp(every.astype(int), axis=2).max() < 16  # grey tiles and lettering, no photo


def test_the_commands(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate"]) == 2
    assert "no table in output/csvs: give one, or rank a folder first" in capsys.readouterr().err
    flags = ["--aesthetic", "none", "--evaluate", "--copy_top", "1", "--to", "best"]
    assert main(["rank", str(folder), *flags]) == 0
    out = capsys.readouterr().out
    assert "1 of them near-duplicates of a better one" in out
    metrics = json.loads(next(line for line in out.splitlines() if "Proxy" in line)[15:])
    assert metrics["duplicate_fraction"] == pytest.approx(1 / 3, abs=5e-4)
    name = folder.name
    for picture in (
        f"results/{name}.png",
        *(f"output/topk_images/{name}/{end}.jpg" for end in ("top", "bottom")),
    ):
        assert f"look at {picture}" in out
        assert Path(picture).stat().st_size > 5000
    assert len([f for f in Path("best").rglob("*") if f.is_file()]) == 1
    assert main(["evaluate", "--input_csv", f"output/csvs/{name}.csv", "--top_k", "1"]) == 0
    assert main(["rank", str(folder), "--copy_top", "1"]) == 2
    assert "--copy_top N and --to DIR go together" in capsys.readouterr().err
    assert main(["rank", str(folder), "--dry_run"]) == 2


@pytest.mark.parametrize("n", [1, 2, 3, 9, 50])
def test_no_photo_is_among_the_best_and_the_worst(n: int) -> None:
    scores = np.linspace(1, 0, n)
    table = pd.DataFrame({"final_score": scores, "dup_keeper": np.arange(n) % 3 == 0})
    best, worst = best_and_worst(table.sample(frac=1, random_state=0), 20)
    assert best["final_score"].iloc[0] == scores[0]
    assert worst["final_score"].iloc[0] == scores[-1]
    assert best["dup_keeper"].all()
    assert n == 1 or not set(best.index) & set(worst.index)


def test_a_misspelt_name_is_sought_in_the_whole_table(ranked: pd.DataFrame) -> None:
    many = pd.concat([ranked.head(1).assign(file=f"x{i}.png", path="") for i in range(60)])
    many = pd.concat([many, ranked])
    with pytest.raises(ValueError, match=r"nearest name is .turned\.png"):
        pr.explain(many, "turnd.png")


def test_evaluate_on_a_table_that_is_not_ranked() -> None:
    with pytest.raises(ValueError, match="needs a ranked table"):
        pr.evaluate(pd.DataFrame({"a": [1]}))
