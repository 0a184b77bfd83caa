"""Faces: boxes -> values, both detectors on labelled photos, and which of them is chosen."""

from __future__ import annotations

import logging
import subprocess
import sys
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from clip_models import put_in_hub_cache

from photorank.features import Feature
from photorank.features.measures import faces
from photorank.features.photo.image import Photo
from photorank.utils import hub


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty Hub cache in place of the user's, and no network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


@pytest.fixture
def yunet_cached(hub_cache: Path, shared_data: Path) -> Path:
    file = shared_data / "yunet" / faces.YUNET_FILE
    return put_in_hub_cache(hub_cache, faces.YUNET_REPO, [file]) / file.name


def measure(feature: Feature, path: Path) -> tuple[float, int, float]:
    values: tuple[float, int, float] = feature.measure(
        Photo.open(path).view(feature.view, feature.size)
    )
    return values


def labelled(folder: Path) -> dict[Path, int]:
    """The number of boxes for every labelled photo of dlib's examples."""
    images = [
        image
        for name in ("training.xml", "testing.xml")
        for image in ET.parse(folder / name).getroot().iter("image")
    ]
    return {folder / image.attrib["file"]: len(image.findall("box")) for image in images}


def test_boxes_are_counted_and_their_union_covers_the_frame() -> None:
    none = np.empty((0, 4))
    assert faces.face_values(none, (10, 20)) == (0.0, 0, 0.0)
    two_overlapping = np.array([[0, 0, 10, 10], [5, 0, 10, 10]])
    assert faces.face_values(two_overlapping, (10, 20)) == (1.0, 2, 0.75)


def test_what_lies_outside_the_frame_does_not_count() -> None:
    assert faces.face_values(np.array([[-5, -5, 10, 10]]), (10, 10)) == (1.0, 1, 0.25)
    assert faces.face_values(np.array([[-50, -50, 500, 500]]), (10, 10)) == (1.0, 1, 1.0)


def test_yunet_counts_all_labelled_photos_exactly(yunet_cached: Path, shared_data: Path) -> None:
    assert faces.FACES.resolve is not None
    feature = faces.FACES.resolve()
    assert "detector=yunet" in feature.settings
    truth = labelled(shared_data / "faces_dlib")
    assert len(truth) == 9
    assert {path.name: measure(feature, path)[1] for path in truth} == {
        path.name: count for path, count in truth.items()
    }


def test_yunet_finds_faces_that_fill_the_frame(yunet_cached: Path, shared_data: Path) -> None:
    crops = sorted((shared_data / "utkface").rglob("*.jpg"))[::100]
    feature = faces.yunet(yunet_cached)
    assert sum(measure(feature, crop)[0] for crop in crops) >= 0.95 * len(crops)


def test_without_yunet_the_cascade_finds_faces(
    hub_cache: Path, shared_data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "photorank")
    feature = faces.best_detector()
    assert feature.fingerprint == faces.haar().fingerprint == faces.FACES.fingerprint
    assert "`photorank download` fetches the better YuNet" in caplog.text
    truth = labelled(shared_data / "faces_dlib")
    found = {path: measure(feature, path) for path in truth}
    assert all(present == 1.0 for present, _, _ in found.values())
    assert all(count <= truth[path] for path, (_, count, _) in found.items())
    assert sum(count for _, count, _ in found.values()) >= 0.85 * sum(truth.values())


def test_the_cascades_cover_what_is_labelled(shared_data: Path) -> None:
    path = shared_data / "faces_dlib" / "2008_002506.jpg"
    labelled_share = (109 * 109 + 91 * 91 + 90 * 91) / (500 * 375)
    present, count, area = measure(faces.haar(), path)
    assert (present, count) == (1.0, 3)
    assert labelled_share < area < 1.6 * labelled_share  # their boxes have chin and forehead too


def test_the_cascades_find_faces_that_fill_the_frame(shared_data: Path) -> None:
    crops = sorted((shared_data / "utkface").rglob("*.jpg"))[::100]
    assert sum(measure(faces.haar(), crop)[0] for crop in crops) >= 0.7 * len(crops)


FACELESS = {
    "drawing": 7, "cat": 9, "dog": 10, "mask": 11, "snow": 13, "cake": 14, "car": 15, "flowers": 19,
}  # fmt: skip


@pytest.mark.parametrize("number", FACELESS.values(), ids=FACELESS.keys())
def test_the_cascades_see_no_face_where_there_is_none(number: int, shared_data: Path) -> None:
    path = shared_data / "faces_photoprism" / f"{number}.jpg"
    assert measure(faces.haar(), path) == (0.0, 0, 0.0)


def test_a_mirrored_face_is_a_face(shared_data: Path) -> None:
    luma = Photo.open(shared_data / "faces_photoprism" / "2.jpg").view("luma", faces.HAAR_SIDE)
    straight, mirrored = (faces.haar().measure(view)[:2] for view in (luma, luma[:, ::-1].copy()))
    assert straight == mirrored == (1.0, 1)


def test_a_damaged_yunet_is_refused_with_a_warning(
    hub_cache: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / faces.YUNET_FILE
    file.write_bytes(b"no model")
    put_in_hub_cache(hub_cache, faces.YUNET_REPO, [file])
    feature = faces.best_detector()
    assert "detector=yunet" not in feature.settings
    [record] = caplog.records
    assert (record.name, record.levelname) == ("photorank", "WARNING")
    assert faces.YUNET_SHA256 in record.getMessage()


def test_find_yunet_says_why_it_cannot_be_downloaded(hub_cache: Path) -> None:
    with pytest.raises(hub.HubError, match=r"face_detection_yunet.*HF_HUB_OFFLINE is set"):
        faces.find_yunet(download=True)


def test_the_detectors_have_different_fingerprints() -> None:
    assert faces.yunet(Path("any")).fingerprint != faces.haar().fingerprint
    assert faces.yunet(Path("any")).columns == faces.haar().columns


def test_only_the_cascade_needs_opencvs_data() -> None:
    code = "import sys, cv2; sys.modules['cv2.data'] = None; import photorank; photorank.BUILTIN"
    root = Path(__file__).resolve().parent.parent
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)


SHAPES = [(1, 1), (640, 1), (1, 640), (2, 640), (31, 640), (640, 32), (640, 33), (640, 64)]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_cascade_survives_any_shape(shape: tuple[int, int]) -> None:
    assert faces.haar().measure(np.full(shape, 200, np.uint8)) == (0.0, 0, 0.0)


@pytest.mark.parametrize("shape", SHAPES)
def test_yunet_survives_any_shape(yunet_cached: Path, shape: tuple[int, int]) -> None:
    measure_one = faces.yunet(yunet_cached).measure
    for level in (0, 255):
        assert measure_one(np.full((*shape, 3), level, np.uint8)) == (0.0, 0, 0.0)


def test_yunet_gives_one_value_in_any_thread_and_order(
    yunet_cached: Path, shared_data: Path
) -> None:
    crowd = Photo.open(shared_data / "faces_dlib" / "bald_guys.jpg")
    views = [crowd.view("rgb", size) for size in (640, 200, 480, 320)]
    alone = [faces.yunet(yunet_cached).measure(view) for view in views]
    with ThreadPoolExecutor(4) as pool:  # one detector for all threads crashes here
        together = list(pool.map(faces.yunet(yunet_cached).measure, views[::-1] * 4))
    assert together == alone[::-1] * 4


def test_yunet_sees_the_colours_in_opencvs_order(yunet_cached: Path, shared_data: Path) -> None:
    view = Photo.open(shared_data / "faces_dlib" / "bald_guys.jpg").view("rgb", 640)
    bgr = cv2.cvtColor(view, cv2.COLOR_RGB2BGR)
    detector = cv2.FaceDetectorYN.create(
        str(yunet_cached), "", bgr.shape[1::-1], score_threshold=0.8
    )
    boxes = detector.detect(bgr)[1][:, :4]
    assert faces.yunet(yunet_cached).measure(view) == faces.face_values(boxes, view.shape[:2])
