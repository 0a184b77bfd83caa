"""The contact sheet: everything is in it, in order, and nothing in a file's name can act."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from photorank.evaluation.pages.contact_sheet import contact_sheet

HOSTILE = (
    "\"'><img src=x onerror=alert(1)></script><script>alert(1)</script>&amp;\n\udcff#?%41"
    "\x1b[31m\x00\u202egpj.\u2066\u200b.jpg"
)


class Page(HTMLParser):
    """The tags of a page with their attributes, and the text within each class."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if not data.strip():
            return
        tag, attributes = self.tags[-1]
        self.texts.setdefault(attributes.get("class") or tag, []).append(data)

    def all(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        return [a for t, a in self.tags if t == tag and wanted.items() <= a.items()]


def photos(n: int, **columns: object) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "rank": range(1, n + 1),
            "file": pd.Series([f"{i}.jpg" for i in range(n)], dtype=object),
            "path": pd.Series([f"/photos/{i}.jpg" for i in range(n)], dtype=object),
            "final_score": np.linspace(0.9, 0.1, n),
        }
    )
    return table.assign(**columns)


def grey(path: str) -> np.ndarray:
    return np.full((300, 400, 3), 120, np.uint8)


def sheet(table: pd.DataFrame, folder: Path, **options: object) -> Page:
    contact_sheet(table, folder / "s.html", **{"thumbnail": grey, **options})  # type: ignore[arg-type]
    return Page((folder / "s.html").read_text(encoding="utf-8"))


def test_photos_stand_in_rank_order_with_their_scores(tmp_path: Path) -> None:
    asked: list[str] = []
    page = sheet(photos(3), tmp_path, thumbnail=lambda path: asked.append(path) or grey(path))
    assert asked == ["/photos/0.jpg", "/photos/1.jpg", "/photos/2.jpg"]
    assert page.texts["rank"] == ["1", "2", "3"]
    assert page.texts["score"] == ["0.900", "0.500", "0.100"]
    assert [p["data-score"] for p in page.all("li")] == ["0.900000", "0.500000", "0.100000"]
    assert page.all("a")[1]["href"] == "file:///photos/1.jpg"
    assert page.all("a")[1]["aria-label"] == "1.jpg, rank 2, score 0.500"


def test_class_and_tags_stand_beside_the_photo_and_tell_their_reasons(tmp_path: Path) -> None:
    table = photos(2)
    table["quality_class"] = ["Good", None]
    table["tags"], table["tag_reasons"] = (
        ["odd_aspect, <b>", ""],
        ["odd_aspect: aspect 0.2; near_duplicate: the same picture as <a> & b.jpg", ""],
    )
    table["semantic_tags"], table["semantic_scores"] = (
        ["beach, sea", np.nan],
        ["0.70, 0.20", np.nan],
    )
    page = sheet(table, tmp_path)
    assert page.texts["rank"] == ["1 · Good", "2"]
    assert [t["class"] for t in page.all("summary")] == ["tags", "tags seen"]
    said = [text for text in page.texts["span"] if ":" not in text and ".jpg" not in text]
    assert said[:3] == ["odd aspect", "<b>", "beach"]
    source = (tmp_path / "s.html").read_text(encoding="utf-8")
    reasons = "odd_aspect: aspect 0.2<br>near_duplicate: the same picture as &lt;a&gt; &amp; b.jpg"
    assert f"</summary>{reasons}</details>" in source
    assert "</summary>0.70, 0.20</details>" in source
    assert "open" not in page.all("details", **{"class": "because"})[0]
    plain = sheet(table.drop(columns=["tag_reasons", "semantic_scores"]), tmp_path)
    assert plain.all("details") == []
    assert [t["class"] for t in plain.all("div")[3:5]] == ["tags", "tags seen"]


def test_thumbnails_are_small_pictures_inside_the_file(tmp_path: Path) -> None:
    uri = sheet(photos(1), tmp_path).all("img")[0]["src"]
    assert uri is not None
    picture = Image.open(BytesIO(base64.b64decode(uri.removeprefix("data:image/jpeg;base64,"))))
    assert picture.size == (240, 180)
    assert picture.getpixel((120, 90)) == pytest.approx((120, 120, 120), abs=3)


def test_a_thumbnail_may_be_jpeg_bytes_or_lost(tmp_path: Path) -> None:
    file = BytesIO()
    Image.fromarray(grey("")).save(file, "JPEG")
    given = {"/photos/0.jpg": file.getvalue(), "/photos/1.jpg": None}
    page = sheet(photos(2), tmp_path, thumbnail=given.get)
    assert [image["src"] for image in page.all("img")] == [
        "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
    ]
    assert page.texts["thumb"] == ["cannot be opened"]
    with pytest.raises(ValueError, match="given as bytes is a JPEG"):
        sheet(photos(1), tmp_path, thumbnail=lambda path: b"<svg onload=alert(1)>")


def test_nothing_from_elsewhere_and_no_script_but_its_own(tmp_path: Path) -> None:
    page = sheet(photos(2, face_present=1.0), tmp_path)
    source = (tmp_path / "s.html").read_text()
    policy = page.all("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"] or ""
    assert policy.startswith("default-src 'none'; img-src data:; ")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        own = re.findall(f"<{tag}>(.*?)</{tag}>", source, re.S)
        digest = base64.b64encode(hashlib.sha256(own[0].encode()).digest()).decode()
        assert len(own) == 1
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not re.search(r"https?:|@import|url\(|srcdoc|\son\w+=|\sstyle=", source)
    assert {a.get("src", "data:")[:5] for _, a in page.tags} == {"data:"}  # type: ignore[index]
    assert "{{" not in source


def test_a_hostile_name_is_only_a_name(tmp_path: Path) -> None:
    table = photos(2, error=pd.Series([None, HOSTILE], dtype=object))
    table["file"] = pd.Series([HOSTILE] * 2, dtype=object)
    table["path"] = pd.Series(["/photos/" + HOSTILE.replace("/", "")] * 2, dtype=object)
    page = sheet(table, tmp_path, title=HOSTILE)
    plain = sheet(photos(2, error=[None, "x"]), tmp_path)
    assert [(t, list(a)) for t, a in page.tags] == [(t, list(a)) for t, a in plain.tags]
    shown = HOSTILE.replace("\n", r"\n").replace("\udcff", r"\udcff")
    shown = shown.replace("\x1b", r"\x1b").replace("\x00", r"\x00").replace("\u202e", r"\u202e")
    shown = shown.replace("\u2066", r"\u2066").replace("\u200b", r"\u200b")
    assert page.all("div", **{"class": "name"})[0]["title"] == shown
    assert "".join(page.texts["span"]) == shown
    assert "".join(page.texts["title"]).strip() == shown
    assert "".join(page.texts["dd"]) == shown
    address = urlsplit(page.all("a")[0]["href"] or "")
    assert address.scheme == "file"
    assert os.fsdecode(unquote_to_bytes(address.path)) == table["path"][0]


def test_links_may_be_relative(tmp_path: Path) -> None:
    table = photos(1)
    table["path"] = pd.Series([str(tmp_path / "a b" / "C:#1.jpg")], dtype=object)
    assert (
        sheet(table, tmp_path, relative_to=tmp_path).all("a")[0]["href"] == "./a%20b/C%3A%231.jpg"
    )


def test_near_duplicates_lie_in_the_stack_of_their_keeper(tmp_path: Path) -> None:
    groups = {"dup_group": [1, 2, 1, 1], "dup_keeper": [True, True, False, False]}
    page = sheet(photos(4, **groups), tmp_path)
    assert page.texts["rank"] == ["1", "3", "4", "2"]
    assert page.texts["summary"] == ["2 near-duplicates"]
    assert "open" not in page.all("details")[0]
    assert "4 photos (2 stacked under others)" in page.texts["p"]
    assert "hidden" not in page.all("button")[0]
    assert "hidden" in sheet(photos(2), tmp_path).all("button")[0]


def test_photos_without_a_group_are_not_stacked(tmp_path: Path) -> None:
    table = photos(3, dup_group=pd.array([None, None, 1], dtype="Int64"), dup_keeper=False)
    assert sheet(table, tmp_path).all("details") == []


def test_failed_files_stand_at_the_end_with_their_reason(tmp_path: Path) -> None:
    page = sheet(photos(3, error=["truncated", None, ""]), tmp_path)
    assert page.texts["rank"] == ["2", "3"]
    assert (page.texts["dt"], page.texts["dd"]) == (["0.jpg"], ["truncated"])
    assert "2 photos (1 failed, at the end)" in page.texts["p"]


def test_bars_are_contributions_and_raw_values_stand_beside_them(tmp_path: Path) -> None:
    table = photos(
        2,
        sharpness=[21.04, np.nan],
        sharpness_norm=[0.5, 0.5],
        sharpness_contribution=[0.375, 0.375],
        exposure=[0.8, 0.2],
        exposure_norm=[0.8, 0.2],
        exposure_contribution=[0.2, 0.05],
    )
    page = sheet(table, tmp_path)
    assert page.texts["raw"] == ["21", "0.8", "missing", "0.2"]
    assert [bar["width"] for bar in page.all("rect", **{"class": "most"})] == ["100.0", "33.3"] * 2
    assert [bar["width"] for bar in page.all("rect", **{"class": "got"})] == [
        *("50.0", "26.7"),
        *("50.0", "6.7"),
    ]
    assert page.all("dd")[0]["title"] == "contributes 0.375 of at most 0.750"


def test_the_filters_span_the_table(tmp_path: Path) -> None:
    page = sheet(photos(3, face_present=[1.0, 0.0, np.nan]), tmp_path)
    slider = page.all("input")[0]
    assert (slider["min"], slider["max"]) == ("0.10", "0.90")
    assert [p["data-faces"] for p in page.all("li")] == ["1", "0", ""]
    assert "hidden" not in page.all("label")[1]
    assert "hidden" in sheet(photos(3), tmp_path).all("label")[1]


def test_nothing_ranked_is_still_a_page(tmp_path: Path) -> None:
    page = sheet(photos(1, error="truncated"), tmp_path)
    assert "0 photos (1 failed, at the end)" in page.texts["p"]


def test_not_a_ranked_table(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"column 'final_score'; this one has file"):
        sheet(pd.DataFrame({"file": ["a"]}), tmp_path)
    assert not (tmp_path / "s.html").exists()
