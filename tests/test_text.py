"""Text for a terminal: no line is too long, no word is lost, names are cut where they say least."""

from __future__ import annotations

import pytest

from photorank.utils import text
from photorank.utils.words import printable

WORDS = "near 1 the score says little that sharpness does not " * 5


@pytest.mark.parametrize("name", ["a", "a" * 60, "[bold]写真 :smile:"])
def test_words_are_wrapped_and_figures_stand_below_one_another(name: str) -> None:
    lines = text.table([("", "value", ""), (name, "1.5", WORDS), ("b", "10.25", "short")])
    words = " ".join(lines.split())
    assert max(map(len, lines.splitlines())) <= text.WIDTH
    assert words == f"value {name} 1.5 {WORDS}b 10.25 short"
    ends = [
        line.index(n) + len(n)
        for line in lines.splitlines()
        for n in ("10.25", "value")
        if n in line
    ]
    assert len(set(ends)) == 1


def test_words_have_room_however_long_a_name_is() -> None:
    lines = text.table([("a" * 120, "1", "one two three four five six")]).splitlines()
    assert max(map(len, lines)) <= text.WIDTH
    assert "one two three four five six" in lines[0]


def test_notes_are_wrapped_and_names_of_files_stay_whole() -> None:
    name = "IMG-2024-05-17-holiday-in-spain.jpg"
    for start in range(60, 100):
        (note,) = text.notes(["x" * start + f" {name} {WORDS}"])
        assert max(map(len, note.splitlines())) <= max(text.WIDTH, start + 6)
        assert name in note
        assert " ".join(note.split()) == " ".join(f"note: {'x' * start} {name} {WORDS}".split())


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("short.jpg", "short.jpg"),
        ("日本.jpg", "日本.jpg"),
        ("日本の写真.jpg", "日本の…jpg"),
        ("much_longer.jpg", "much_….jpg"),
        ("a\nb\x1b.jpg", r"a\nb\….jpg"),
    ],
)
def test_names_are_as_wide_as_a_terminal_shows_them(name: str, shown: str) -> None:
    assert printable(name, 10) == shown
