"""Near-duplicate groups: exact, greedy by rank, and honest about what cannot be grouped."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import photorank as pr
from photorank.ranking.dedup import mark_duplicates, scenes
from photorank.ranking.hamming import first_keepers
from photorank.ranking.keep import keep_best, keepers_first, soundness
from photorank.training.degradations import KINDS, degrade


def greedy(hashes: np.ndarray, distance: int) -> np.ndarray:
    """The rule as it is stated, all hashes against each keeper."""
    keeper = np.full(len(hashes), -1)
    for i in range(len(hashes)):
        if keeper[i] < 0:
            keeper[(np.bitwise_count(hashes ^ hashes[i]) <= distance) & (keeper < 0)] = i
    return keeper


def flipped(rng: np.random.Generator, hashes: np.ndarray, share: float) -> np.ndarray:
    """The same hashes with this share of their bits flipped at random."""
    noise = np.packbits(rng.random((len(hashes), 64)) < share, axis=1)
    return hashes ^ noise.view(">u8").ravel().astype(np.uint64)


@pytest.fixture(scope="module")
def hashes() -> np.ndarray:
    """20,000: random, 20 % near another, 10 % equal to another, 2 % zero, one tight group."""
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, 20_000, dtype=np.uint64)
    near, equal = (
        rng.permutation(20_000)[:6_000].reshape(3, 2_000)[:2],
        rng.integers(20_000, size=2_000),
    )
    for some in near:
        hashes[some] = flipped(rng, rng.choice(hashes, len(some)), 8 / 64)
    hashes[rng.permutation(20_000)[:2_000]] = hashes[equal]
    hashes[9_000:11_000] = flipped(rng, np.repeat(hashes[:1], 2_000), 3 / 64)
    hashes[rng.permutation(20_000)[:400]] = 0
    return hashes


@pytest.mark.parametrize("distance", [0, 1, 8, 16, 64])
def test_equal_to_the_stated_rule(hashes: np.ndarray, distance: int) -> None:
    assert np.array_equal(first_keepers(hashes, distance), greedy(hashes, distance))


@pytest.mark.parametrize("n", [0, 1, 2, 513])
def test_few_hashes(hashes: np.ndarray, n: int) -> None:
    assert np.array_equal(first_keepers(hashes[:n], 8), greedy(hashes[:n], 8))


@pytest.mark.parametrize("blocks", [9, 10, 11])
def test_lookup_by_keys_misses_nothing(blocks: int) -> None:
    from photorank.ranking import hamming

    rng = np.random.default_rng(blocks)
    kept = rng.integers(0, 2**64, 3_000, dtype=np.uint64)
    pool = flipped(rng, kept[rng.integers(3_000, size=2_000)], 8 / 64)
    found = hamming._first_by_keys(kept, pool, hamming._choices(blocks, blocks - 8), 8)
    assert np.array_equal(found, hamming._first_by_comparing(kept, pool, 8))


def photos(*hashes: str | None, **columns: list[object]) -> pd.DataFrame:
    names = [f"{i}.jpg" for i in range(len(hashes))]
    return pd.DataFrame({"file": names, "phash": list(hashes), **columns})


def test_the_best_photo_keeps_and_takes_what_resembles_it() -> None:
    chain = photos("00000000ffffffff", "0000000fffffffff", "000000ffffffffff")
    marked = mark_duplicates(chain, distance=4)
    assert marked.dup_group.to_list() == [1, 1, 2]  # the third resembles the second, not its keeper
    assert marked.dup_keeper.to_list() == [True, False, True]
    assert marked.dup_distance.to_list() == [0, 4, 0]
    worse_first = mark_duplicates(chain.iloc[[1, 0, 2]], distance=4)
    assert worse_first.dup_group.to_list() == [1, 1, 1]


def test_a_photo_without_a_hash_is_its_own_keeper() -> None:
    marked = mark_duplicates(photos("ff" * 8, None, "", "ff" * 8, None))
    assert marked.dup_group.to_list() == [1, 2, 3, 1, 4]
    assert marked.dup_keeper.to_list() == [True, True, True, False, True]


def test_a_hash_with_few_ones_says_nothing() -> None:
    few, photo = "800000000000a000", "00000000ffffffff"
    table = photos(few, few, photo, few, "0" * 16, "000000000000ffff", photo, few)
    assert mark_duplicates(table).dup_group.to_list() == [1, 2, 3, 4, 5, 6, 3, 7]
    assert mark_duplicates(table, 16).dup_group.to_list() == [1, 2, 3, 4, 5, 3, 3, 6]
    table["content_hash"] = ["a", "b", "c", "a", "a", "c", "d", None]
    marked = mark_duplicates(table)
    assert marked.dup_group.to_list() == [1, 2, 3, 1, 1, 4, 3, 5]
    assert marked.dup_distance.to_list() == [0, 0, 0, 0, 3, 0, 0, 0]
    nothing = photos(few, few, content_hash=["", ""])
    assert mark_duplicates(nothing).dup_group.to_list() == [1, 2]


def test_flat_and_striped_pictures_are_not_one_another(photo: np.ndarray) -> None:
    y, x = np.mgrid[0:480, 0:640]
    luma = {
        "black": 0 * x,
        "grey": 0 * x + 128,
        "across": x * 255 // 640,
        "down": y * 255 // 480,
        "stripes": x // 40 % 2 * 255,
        "bars": y // 60 % 2 * 255,
        "horizon": (y > 300) * 255,
        "checks": (x // 80 + y // 80) % 2 * 255,
        "same checks": (x // 80 + y // 80) % 2 * 255,
    }
    pictures = {name: np.dstack([values.astype(np.uint8)] * 3) for name, values in luma.items()}
    pictures |= {"photo": photo, "darker": photo // 4 * 3}
    measured = pr.extract(pictures, ["sharpness", "phash", "content_hash"])
    by_file = pr.rank(measured).set_index("file")
    assert by_file.index[by_file["dup_size"] > 1].sort_values().to_list() == [
        "checks",
        "darker",
        "photo",
        "same checks",
    ]
    assert by_file["dup_group"].nunique() == 9


def test_failed_rows_are_in_no_group() -> None:
    marked = mark_duplicates(photos("ff" * 8, "ff" * 8, None, error=[None, "", "truncated"]))
    assert marked.dup_group.to_list() == [1, 1, pd.NA]
    assert marked.dup_keeper.to_list() == [True, False, False]
    assert marked.dup_distance.isna().to_list() == [False, False, True]


def test_the_table_given_is_left_alone() -> None:
    given = photos("ff" * 8, "ff" * 8)
    mark_duplicates(given)
    assert list(given) == ["file", "phash"]


@pytest.mark.parametrize("distance", [-1, 65, 2.5, True])
def test_impossible_distance(distance: float) -> None:
    with pytest.raises(ValueError, match=r"whole number of bits from 0 to 64, got .*; 8 finds"):
        mark_duplicates(photos("ff" * 8), distance)  # type: ignore[arg-type]


def test_no_hash_column() -> None:
    with pytest.raises(
        ValueError, match=r"need the column 'phash', .* rank with the feature phash"
    ):
        mark_duplicates(pd.DataFrame({"file": ["a.jpg"]}))


@pytest.mark.parametrize("bad", ["123", "g" * 16, "0" * 17, 0, 1.5, "\u0661" * 16])
def test_malformed_hash_names_its_file(bad: object) -> None:
    with pytest.raises(ValueError, match=r"^1\.jpg: phash is 16 hex digits, got .* as text$"):
        mark_duplicates(photos("ff" * 8, bad))  # type: ignore[arg-type]


def test_the_soundest_is_kept_and_stands_before_its_copies() -> None:
    measured = {
        "exposure": 0.9,
        "noise": 0.2,
        "laplacian_variance": 300.0,
        "colourfulness": 40.0,
        "width": 4000,
        "height": 3000,
    }
    rows = [
        {"quality": 0.5, "jpeg_quality": 90, "phash": "00000000ffffffff", "file": "lucky"},
        {"quality": 0.6, "jpeg_quality": 90, "phash": "0123456789abcdef", "file": "other"},
        {"quality": 0.8, "jpeg_quality": 90, "phash": "00000000fffffffe", "file": "sound"},
        {"quality": 0.8, "jpeg_quality": 40, "phash": "00000000fffffffe", "file": "saved again"},
    ]
    table = pd.DataFrame([measured | row for row in rows]).assign(rank=range(1, 5), error=None)
    ordered = keepers_first(mark_duplicates(table))
    assert ordered["file"].tolist() == ["sound", "lucky", "other", "saved again"]
    assert ordered["rank"].tolist() == [1, 2, 3, 4]
    assert ordered["dup_group"].tolist() == [1, 1, 2, 1]
    assert ordered["file"][ordered["dup_keeper"]].tolist() == ["sound", "other"]
    smaller = soundness(table.assign(width=400, height=300)) < soundness(table)
    assert smaller.all()
    assert not soundness(table.drop(columns="noise")).any()  # then the table's order decides


@pytest.mark.parametrize("level", [2, 4])
def test_a_damaged_copy_is_never_kept_in_the_place_of_its_original(
    photo: np.ndarray, level: int
) -> None:
    named = {"original": photo} | {kind: degrade(photo, kind, level) for kind in KINDS}
    ranked = pr.rank(named, aesthetic="none", quiet=True, dedup_distance=16)
    group = ranked[ranked["dup_group"] == ranked.set_index("file")["dup_group"]["original"]]
    assert len(group) > 5
    assert group["file"].tolist()[0] == "original"
    assert group["dup_keeper"].tolist() == [True] + [False] * (len(group) - 1)


def test_keep_best_ranks_keepers_first() -> None:
    table = photos(*["ff" * 8] * 2, "00" * 8, None, error=[None, None, None, "empty"])
    ordered = keep_best(mark_duplicates(table))
    assert ordered.file.to_list() == ["0.jpg", "2.jpg", "1.jpg", "3.jpg"]
    assert ordered["rank"].to_list() == [1, 2, 3, pd.NA]
    with pytest.raises(ValueError, match="mark near-duplicates first"):
        keep_best(table)


def test_a_pause_starts_a_new_scene() -> None:
    seconds = ["45", "00", "30", None, "46"]
    times = [s and f"2024-05-01T10:00:{s}" for s in seconds]
    times[4] = "2024-05-01T10:01:16"
    table = pd.DataFrame({"taken_at": times})
    assert scenes(table).to_list() == [1, 1, 1, 2, 3]


def test_times_with_and_without_an_offset_compare_and_a_day_alone_is_no_time() -> None:
    times = [
        *("2024-05-01T10:00:00+02:00", "2024-05-01T08:00:10.5+00:00", "2024-05-01T10:00:20.25"),
        *("2024-05-01T10:00:20+05:00", "2024-05-01T11:00:00+02:00", "2024-05-01", "2024-05-01"),
    ]
    assert scenes(pd.DataFrame({"taken_at": times})).to_list() == [1, 1, 1, 2, 3, 4, 5]


def test_an_untimed_copy_joins_the_scene_of_its_near_duplicates() -> None:
    times = ["2024-05-01T10:00:00", None, "2024-05-01T12:00:00", None, None, None]
    table = pd.DataFrame({"taken_at": times, "dup_group": [1, 1, 2, 3, 3, 4]})
    assert scenes(table).to_list() == [1, 1, 2, 3, 3, 4]
    assert scenes(table.drop(columns="taken_at")).to_list() == [1, 1, 2, 3, 3, 4]
    assert scenes(table.assign(taken_at=np.nan)).to_list() == [1, 1, 2, 3, 3, 4]


def test_scenes_by_label() -> None:
    table = pd.DataFrame(
        {"place": ["b", "a", None, "b", "a", None], "error": [None] * 4 + ["x"] * 2}
    )
    assert scenes(table, "place").to_list() == [1, 2, 3, 1, pd.NA, pd.NA]
    with pytest.raises(ValueError, match="no column 'site' to take scenes from; columns: place"):
        scenes(table, "site")
    with pytest.raises(ValueError, match="a labels column, 'taken_at' or 'dup_group'"):
        scenes(table)
