"""Tables for a terminal: no line is too long, no word is lost, figures stand below one another."""

from __future__ import annotations

import pytest

from photorank.evaluation.text_table import WIDTH, text_notes, text_table

WORDS = "near 1 the score says little that sharpness does not " * 5


@pytest.mark.parametrize("name", ["a", "a" * 60])
def test_long_words_are_wrapped_below_themselves(name: str) -> None:
    rows = [("", "value", ""), (name, "1.5", WORDS), ("b", "10.25", "short")]
    lines = text_table(rows).splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert " ".join(line[len(name) + 9 :] for line in lines[1:-1]) == WORDS.strip()
    assert {line[: len(name) + 7].rstrip() for line in lines[2:-1]} == {""}
    assert [line[len(name) + 2 : len(name) + 7] for line in (lines[0], lines[1], lines[-1])] == [
        "value",
        "  1.5",
        "10.25",
    ]


def test_words_have_room_however_wide_the_figures_are() -> None:
    lines = text_table([("a" * 120, "1", "one two three four five six")]).splitlines()
    assert [line[125:] for line in lines] == ["one two three four", "five six"]


def test_notes_are_wrapped() -> None:
    (note,) = text_notes([WORDS])
    assert max(map(len, note.splitlines())) <= WIDTH
    assert " ".join(note.split()) == f"note: {WORDS.strip()}"


@pytest.mark.parametrize("start", range(60, 100))
def test_the_name_of_a_file_stays_in_one_line(start: int) -> None:
    name = "IMG-2024-05-17-holiday-in-spain.jpg"
    assert name in text_notes(["x" * start + f" {name}"])[0]
    assert name in text_table([("a", "1", "x" * start + f" {name}")])
