"""Files of strangers: whatever they hold, one clear line and exit 2, or a result; never a traceback."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from photorank.cli.main import main

TABLE = "file,sharpness,noise,mine\na.jpg,4.5,2,1\nb.jpg,9.5,1,2\nc.jpg,3,,5\n"
NAMES = st.sampled_from(
    "sharpness noise mine method knots columns scale weights schema better range version name tags "
    "photorank settings rules thresholds quality file dup_keeper phash is_noisy error".split()
)
WORDS = st.sampled_from(
    "photorank/weights/1 photorank/scale/1 robust higher lower default NA nan 1e999 WAHR true 4,5 "
    "9.5 1.234,5 00ff a.jpg".split()
)
NUMBERS = st.one_of(
    st.integers(), st.sampled_from([10**399, -(10**399), 1e308, -1e308, 5e-324]), st.floats()
)
PLAIN = st.one_of(st.none(), st.booleans(), NUMBERS, WORDS, st.text(max_size=9))
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(NAMES, st.text(max_size=9)), inner, max_size=4),
    ),
    max_leaves=12,
)
WEIGHTS = {"schema": "photorank/weights/1", "columns": {"noise": "2"}, "weights": {"noise": 1}}
COLUMN = {"name": "sharpness", "better": "higher", "version": "2", "range": [0, 1]}
SCALE = {
    "method": "robust",
    "knots": {"sharpness": [1, 9], "noise": [0, 4]},
    "columns": {"sharpness": COLUMN, "noise": {"name": "noise", "better": "lower"}},
}
WHOLE = {
    "weights": WEIGHTS,
    "scale": {"schema": "photorank/scale/1", "columns": {}, "scale": SCALE},
    "record": {
        "photorank": "0.1.0",
        "columns": [COLUMN],
        "settings": {"scale": "me.json"},
        "scale": SCALE,
        "tags": {"profile": "default", "version": "1", "counts": {"noisy": 1}},
        "weights": {"sharpness": 1},
    },
    "config": {"weights": {"noise": 1}, "workers": 0, "default_weights": {}, "exclude": ["a"]},
    "profile": {
        "name": "mine",
        "version": "1",
        "extends": "default",
        "rules": {"noisy": [{"noise": [1, 2]}]},
        "thresholds": {"all": 0.5},
        "quality": {"serious": ["noisy"]},
    },
    "csv": [
        ["file", "sharpness", "dup_keeper", "mine"],
        ["a.jpg", "4.5", "WAHR", "3"],
        ["NA", 1, 0, 7],
    ],
    "table": [{"file": "a.jpg", "sharpness": 1, "dup_keeper": True}, {"file": "b.jpg", "noise": 2}],
}
"""A sound file of each kind, of which the generator spoils a part."""


def places(value: object) -> list[list[object]]:
    """The way to each part of a value."""
    parts = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [[], *([key, *more] for key, part in parts for more in places(part))]


@st.composite
def spoilt(draw: st.DrawFn) -> tuple[str, bytes]:
    """A kind of file and its bytes: of a sound one a part is replaced, or bytes are."""
    kind = draw(st.sampled_from(sorted(WHOLE)))
    whole = [json.loads(json.dumps(WHOLE[kind]))]
    *way, key = [0, *draw(st.sampled_from(places(whole[0])))]
    part = whole
    for step in way:
        part = part[step]
    part[key] = draw(st.one_of(PLAIN, VALUES))
    data = written(kind, whole[0])
    if draw(st.sampled_from([False, False, False, True])):
        at, length = draw(st.integers(0, len(data))), draw(st.integers(0, 9))
        other = draw(st.sampled_from([b"", b"\xff", b"\0", b'"', b"[", data[at:]]))
        data = data[:at] + other + data[at + length :]
    return kind, data


def written(kind: str, value: object) -> bytes:
    if kind == "csv" and isinstance(value, list):
        rows = (";".join(map(str, row)) if isinstance(row, list) else str(row) for row in value)
        return "\n".join(rows).encode("utf-8", "replace")
    if kind not in ("config", "profile") or not isinstance(value, dict):
        return json.dumps(value).encode()
    return "\n".join(f"{json.dumps(str(k))} = {toml(v)}" for k, v in value.items()).encode(
        "utf-8", "replace"
    )


def toml(value: object) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{json.dumps(str(k))} = {toml(v)}" for k, v in value.items())
        return f"{{ {inner} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps("null" if value is None else value)


def said_of(
    kind: str, data: bytes, folder: Path, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    """The exit code of `rank` on a table with that file, and the last line that it printed."""
    os.chdir(folder)
    for old in folder.iterdir():
        old.unlink()
    (folder / "t.csv").write_text(TABLE)
    name, flags = {
        "weights": ("w.json", ["--weights", "w.json"]),
        "scale": ("s.json", ["--scale", "s.json"]),
        "record": ("t.meta.json", []),
        "config": ("c.toml", ["--config", "c.toml"]),
        "profile": ("p.toml", ["--profile", "p.toml"]),
        "table": ("t.json", []),
        "csv": ("t.csv", []),
    }[kind]
    (folder / name).write_bytes(data)
    table = "t.json" if kind == "table" else "t.csv"
    code = main(["rank", table, *flags, "--output_csv", "out.csv", "--quiet"])
    return code, capsys.readouterr().err


@pytest.mark.filterwarnings("default")
@settings(
    max_examples=100,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(file=spoilt())
def test_a_spoilt_file_is_one_line_and_exit_2_or_a_result(
    file: tuple[str, bytes],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, said = said_of(*file, tmp_path, capsys)
    assert code in (0, 2)
    assert code == 0 or said.splitlines()[-1].startswith("photorank: ")
    assert max(map(len, said.splitlines()), default=0) < 2000


@pytest.mark.parametrize("kind", sorted(WHOLE))
def test_the_sound_file_is_taken(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said_of(kind, written(kind, WHOLE[kind]), tmp_path, capsys)[0] == 0
