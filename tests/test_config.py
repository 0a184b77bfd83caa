"""Settings and files: what may be said, what is found, what is written."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from photorank.config.config import Settings, defaults
from photorank.table.files import load, save
from photorank.utils import io
from photorank.utils.find import find
from photorank.utils.tables import read_table


def test_defaults_are_complete_and_valid() -> None:
    assert set(defaults()) == set(Settings.model_fields)
    assert Settings.load({}).clip_model == "ViT-B-32"


def test_flags_go_before_the_file_and_the_file_before_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('batch_size = 8\nworkers = 3\npositive_prompt = "nice"\n')
    settings = Settings.load({"workers": 1, "limit": None}, file)
    assert (settings.workers, settings.batch_size, settings.limit) == (1, 8, 0)
    assert settings.positive_prompt == ("nice",)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"baatch_size": 1},
            r"unknown key 'baatch_size' in the settings; did you mean batch_size\?",
        ),
        ({"device": "tpu"}, "device is one of auto, cpu, cuda, mps, got 'tpu'"),
        ({"precision": "int8"}, "precision is one of auto, fp32, bf16, fp16, got 'int8'"),
        ({"batch_size": 0}, "batch_size is a whole number from 1 up, got 0"),
        ({"workers": "two"}, "workers is a whole number from -1 up, got 'two'"),
        ({"strict": "no"}, "strict is true or false, got 'no'"),
        ({"exclude": 3}, "exclude is a list, got 3"),
        ({"exclude": [3]}, "exclude is a list of texts, got 3"),
        ({"save_scale": 3}, "save_scale is text, got 3"),
    ],
)
def test_wrong_settings(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Settings.load(given)


def test_one_set_of_default_weights_leaves_the_other(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[default_weights.with_clip]\naesthetic = 1")
    sets = Settings.load({}, file).default_weights.model_dump()
    assert sets == defaults()["default_weights"] | {"with_clip": {"aesthetic": 1}}


def test_a_path_is_as_good_as_its_text(tmp_path: Path) -> None:
    assert Settings.load({"clip_model": tmp_path}).clip_model == str(tmp_path)


def test_wrong_configuration_files(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    with pytest.raises(ValueError, match="cannot read the configuration file"):
        Settings.load({}, file)
    file.write_text('device = "tpu"')
    with pytest.raises(ValueError, match=r"mine\.toml: device is one of auto, cpu, cuda, mps"):
        Settings.load({}, file)
    assert Settings.load({"device": "cpu"}, file).device == "cpu"
    file.write_text("sharp = = 1")
    with pytest.raises(ValueError, match="is not TOML"):
        Settings.load({}, file)
    file.write_text("sharp = 1")
    with pytest.raises(ValueError, match=r"unknown key 'sharp' in .*mine.toml"):
        Settings.load({}, file)


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def test_find_takes_regular_files_with_a_listed_suffix(tmp_path: Path) -> None:
    _touch(tmp_path, "b.JPG", "a/c.jpg", "a/d.png", "x.txt", "noext", "._b.JPG", "e.mp4", "f.mp4")
    _touch(tmp_path, ".thumbnails/b.jpg", "a/.Trash-1000/files/g.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "dangling.jpg").symlink_to("nowhere")
    (tmp_path / "linked.jpg").symlink_to(tmp_path / "b.JPG")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "folder.jpg").mkdir()
    found = find(tmp_path, {"jpg", "png"})
    names = [os.path.relpath(path, tmp_path) for path in found.photos]
    assert names == ["a/c.jpg", "a/d.png", "b.JPG", "linked.jpg"]
    assert found.skipped == {
        "txt": 1,
        "(no suffix)": 1,
        "._* (macOS metadata)": 1,
        "mp4": 2,
        "jpg (not a regular file)": 1,
        "jpg (broken link)": 1,
        ".* (hidden folder)": 2,
        "link to a folder (not followed)": 1,
    }


def test_what_other_programs_keep_beside_photos_is_counted_and_not_entered(tmp_path: Path) -> None:
    photos = ["a.jpg", "@home/b.jpg", "My.photoslibrary/originals/0/c.jpg", "resources/d.jpg"]
    kinds = {
        "folder of thumbnails": "sub/@eaDir @EADIR Previews.lrdata My.photoslibrary/resources",
        "bin": "#recycle @Recycle $RECYCLE.BIN sub/#Recycle",
        "folder of snapshots": "#snapshot ~snapshot",
        "folder of the system": "lost+found",
    }
    _touch(tmp_path, *photos, "System Volume Information/x.jpg")
    for folders in kinds.values():
        _touch(tmp_path, *(f"{folder}/x.jpg" for folder in folders.split()))
    _touch(
        tmp_path, ".hidden.jpg", ".DS_Store", ".trashed-1712345678-IMG.jpg", ".pending-1-IMG.jpg"
    )
    found = find(tmp_path, {"jpg"})
    assert [os.path.relpath(path, tmp_path) for path in found.photos] == sorted(photos)
    expected = {
        f"{os.path.basename(folder)} ({kind})": 1
        for kind, folders in kinds.items()
        for folder in folders.split()
    }
    assert found.skipped == expected | {
        "System Volume Information (folder of the system)": 1,
        ".* (hidden file)": 2,
        ".trashed-* (deleted on a phone)": 1,
        ".pending-* (half-written by a phone)": 1,
    }
    assert len(find(tmp_path / "#recycle", {"jpg"}).photos) == 1  # asked for by its name


def test_links_that_lead_in_circles_and_deep_folders_end(tmp_path: Path) -> None:
    (tmp_path / "itself.jpg").symlink_to("itself.jpg")
    (tmp_path / "above").symlink_to(tmp_path.parent)
    place = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1200):  # more than Python has calls
        os.mkdir("d", dir_fd=place)
        below = os.open("d", os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = below
    os.close(os.open("a.jpg", os.O_CREAT, dir_fd=place))
    os.close(place)
    found = find(tmp_path, {"jpg"})
    subprocess.run(["rm", "-r", tmp_path / "d"], check=True)  # pytest cannot
    assert [os.path.basename(path) for path in found.photos] == ["a.jpg"]
    assert found.skipped == {"jpg (broken link)": 1, "link to a folder (not followed)": 1}


def test_a_raw_beside_its_jpeg_is_one_photo(tmp_path: Path) -> None:
    _touch(tmp_path, "1.jpg", "1.NEF", "2.nef", "sub/1.cr2")
    found = find(tmp_path, {"jpg"})
    assert len(found.photos) == 1
    assert found.raw_beside_jpeg == 1
    assert found.skipped == {"nef": 1, "cr2": 1}


def test_exclude_matches_names_and_paths(tmp_path: Path) -> None:
    _touch(tmp_path, "a.jpg", "small_a.jpg", "thumbs/b.jpg", "deep/thumbs/c.jpg")
    found = find(tmp_path, {"jpg"}, ["small_*", "thumbs/*"])
    assert [os.path.relpath(p, tmp_path) for p in found.photos] == ["a.jpg", "deep/thumbs/c.jpg"]
    assert not found.skipped
    found = find(tmp_path, {"jpg"}, ["thumbs/"])
    assert [os.path.relpath(p, tmp_path) for p in found.photos] == ["a.jpg", "small_a.jpg"]
    assert found.excluded == 2
    _touch(tmp_path, "Cafe\u0301/d.jpg")  # as a Mac spells it
    assert find(tmp_path, {"jpg"}, ["Caf\u00e9"]).excluded == 1


def test_one_path_however_it_is_spelt(tmp_path: Path) -> None:
    _touch(tmp_path / "photos", "a.jpg")
    (tmp_path / "link").symlink_to("photos")
    spellings = [tmp_path / "photos", tmp_path / "link", tmp_path / "photos" / ".." / "photos"]
    assert {*map(str, spellings)} != {str(tmp_path / "photos")}
    assert [find(s, ["jpg"]).photos for s in spellings] == [[str(tmp_path / "photos/a.jpg")]] * 3


def test_an_empty_name_is_not_the_current_folder() -> None:
    with pytest.raises(ValueError, match="the folder's name is empty"):
        find("", ["jpg"])


def test_no_folder(tmp_path: Path) -> None:
    _touch(tmp_path, "a.jpg")
    with pytest.raises(ValueError, match="No such file or directory; give a folder of photos"):
        find(tmp_path / "none", {"jpg"})
    with pytest.raises(ValueError, match="Not a directory; give the folder that holds it"):
        find(tmp_path / "a.jpg", {"jpg"})


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "t.txt"
    target.write_text("before")

    def half(part: Path) -> None:
        part.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(
        ValueError, match=r"cannot write .*t\.txt: No space left on device; make room"
    ):
        io.write(target, half)
    assert target.read_text() == "before"
    assert os.listdir(tmp_path) == ["t.txt"]


def test_only_regular_files_are_written_over() -> None:
    with pytest.raises(ValueError, match="/dev/full: it is not a regular file"):
        io.check_writable("/dev/full")


def awkward_table() -> pd.DataFrame:
    names = [
        "plain.jpg",
        "line\nbreak.jpg",
        "return\r.jpg",
        os.fsdecode(b"caf\xe9.jpg"),
        'quote",comma.jpg',
        "=1.jpg",
    ]
    return pd.DataFrame(
        {
            "file": pd.Series(names, dtype=object),
            "phash": pd.Series(
                ["0000000000000000", "12e4567890123456", *["f" * 16] * 4], dtype=object
            ),
            "sharpness": [0.1, 1 / 3, 1e-12, np.nan, 12345.678, 0.0],
            "rank": pd.array([1, 2, 3, None, None, None], dtype="Int64"),
        }
    )


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_names_that_are_not_utf8_or_hold_newlines_survive(tmp_path: Path, suffix: str) -> None:
    table = awkward_table()
    save(table, tmp_path / f"t{suffix}")
    again = load(tmp_path / f"t{suffix}")
    assert again["file"].tolist() == table["file"].tolist()
    assert again["phash"].tolist() == table["phash"].tolist()
    np.testing.assert_allclose(again["sharpness"].astype(float), table["sharpness"], rtol=1e-9)


def test_a_table_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("image,note,v\né.jpg,café,1\n".encode("latin-1"))
    table = read_table(tmp_path / "t.csv")
    assert table.iloc[0].to_list() == ["é.jpg", "café", 1]


def test_parquet_round_trip(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="needs photorank[parquet]")
    io.write_table(awkward_table(), tmp_path / "t.parquet")
    again = read_table(tmp_path / "t.parquet")
    assert again["file"].tolist()[:4] == [
        "plain.jpg",
        "line\nbreak.jpg",
        "return\r.jpg",
        "caf\\xe9.jpg",
    ]
    assert again["phash"].tolist() == awkward_table()["phash"].tolist()


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "the file is empty"), (b"a,b\n", "has no rows"), (b'a\n"', "is not a readable")],
)
def test_bad_tables(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path / "t.csv")
    with pytest.raises(ValueError, match="cannot read the table"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(ValueError, match=r"a table is .csv, .json, .parquet by its suffix"):
        read_table(tmp_path / "t.xlsx")
