"""Faces: whether there are any, how many, and how much of the frame they cover."""

from __future__ import annotations

import dataclasses
import functools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from photorank.utils import hub
from photorank.utils.logging import logger
from photorank.utils.words import one_line

from ..base import Column, Feature, UnavailableError

YUNET_REPO = "opencv/face_detection_yunet"
YUNET_FILE = "face_detection_yunet_2023mar.onnx"
YUNET_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
SCORE_THRESHOLD = 0.8
YUNET_SIDE = 512  # the view that other features use too; one of 640 pixels takes twice the time
YUNET_NARROWEST = 64  # on 32 pixels and fewer the network returns what lay in memory (OpenCV 4.14)
_SIZES = 4  # upright and lying photos of one camera, each also halved; some 15 MB each
HAAR_SIDE = 512  # the view that other features use too
HAAR_COARSE_SIDE = 320
HAAR_COARSE = "frontalface_alt2"
HAAR_FINE = ("frontalface_default", "frontalface_alt")  # others: they err elsewhere
HAAR_COARSE_FACTOR = 1.25
HAAR_FINE_FACTOR = 1.1
HAAR_NEIGHBOURS = 2  # each fine look must find a face oftener than this
HAAR_ALIKE = 0.2
_HAAR_SMALLEST = 20  # pixels, what the cascades were trained on; 32 of the view
_HAAR_MARGIN = 0.3  # of a box's width, on each side
_HAAR_CROP = 64  # pixels, 40 of them the box
_HAAR_FINE_SIZES = (28, 56)

_COLUMNS = (
    Column("face_present", "higher", range=(0, 1)),
    Column("face_count", "neither", unit="faces"),
    Column("face_area", "neither", unit="share of the frame", range=(0, 1)),
)


def face_values(boxes: np.ndarray, shape: tuple[int, int]) -> tuple[float, int, float]:
    """Presence, number and share of the frame of the faces in `boxes`.

    Args:
        boxes: (n, 4) left, top, width, height in pixels; parts outside the frame do not count.
        shape: height and width of the frame in pixels.

    Returns:
        1.0 if there is a face, else 0.0; the number of faces; the share of the frame that the boxes
        cover together, 0 to 1, what two boxes share counted once.

    >>> face_values(np.array([[0, 0, 5, 5], [0, 0, 5, 5]]), (10, 10))
    (1.0, 2, 0.25)
    """
    covered = np.zeros(shape, bool)
    for left, top, width, height in np.rint(boxes).astype(int):
        covered[max(0, top) : max(0, top + height), max(0, left) : max(0, left + width)] = True
    return float(len(boxes) > 0), len(boxes), float(covered.mean())


def yunet(path: Path) -> Feature:
    """Faces by the neural detector YuNet, whose model file is at `path`.

    It counted the faces exactly on all 9 labelled photos of dlib's examples (43 faces) and found the
    face on 200 of 200 crops that a face fills; on 238 macro photos without a face it saw one twice.
    A photo without a face at 512 pixels is looked at once more at 256, since the network is trained
    on faces of 10 to 300 pixels. What fools it: smaller faces and ones behind hair are missed; a
    face on a screen counts.

    References:
        W. Wu, H. Peng, S. Yu: "YuNet: a tiny millisecond-level face detector", Machine Intelligence
        Research 20, 2023, doi:10.1007/s11633-023-1423-y
    """

    def load(size: tuple[int, int]) -> Any:
        return cv2.FaceDetectorYN.create(str(path), "", size, score_threshold=SCORE_THRESHOLD)

    detector = _one_per_thread(load)

    def boxes(rgb: np.ndarray) -> np.ndarray:
        height, width = rgb.shape[:2]
        below, right = (max(0, YUNET_NARROWEST - side) for side in (height, width))
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        bgr = cv2.copyMakeBorder(bgr, 0, below, 0, right, cv2.BORDER_CONSTANT)
        _, faces = detector((width + right, height + below)).detect(bgr)
        return np.empty((0, 4)) if faces is None else faces[:, :4]

    def measure(rgb: np.ndarray) -> tuple[float, int, float]:
        faces = boxes(rgb)
        if len(faces) == 0:  # a face that fills the frame is larger than the network looks for
            faces = 2 * boxes(_halved(rgb))
        return face_values(faces, rgb.shape[:2])

    settings = ("detector=yunet", f"sha256={YUNET_SHA256}", f"score_threshold={SCORE_THRESHOLD}")
    return Feature("faces", "3", _COLUMNS, measure, size=YUNET_SIDE, settings=settings)


def haar() -> Feature:
    """Faces by three Haar cascades that OpenCV brings along: upright frontal faces.

    One looks coarsely at a small picture and proposes whatever it finds; the two others look closely at
    each box and must both find a face. On the photos named at `yunet` they found 39 of 43 faces
    (exactly as many as labelled on 7 of 9), a face on 168 of 200 crops and one on 1 of 238 macro
    photos, in .195 of the time of one fine look at all (39, 7, 90 and 1): 22 instead of 113 ms on one
    core. What fools it: masks, tilted heads and faces under 32 pixels of the 512 are missed.

    References:
        P. Viola, M. Jones: "Rapid object detection using a boosted cascade of simple features",
        CVPR 2001, doi:10.1109/CVPR.2001.990517
    """

    def load(name: str) -> Any:
        from cv2 import data  # builds of OpenCV other than PyPI's may lack it

        file = Path(data.haarcascades) / f"haarcascade_{name}.xml"
        found = cv2.CascadeClassifier(str(file)) if file.is_file() else None
        if found is None or found.empty():
            raise ValueError(f"OpenCV's file {file.name} is missing or damaged")
        return found

    cascade = _one_per_thread(load)

    def measure(luma: np.ndarray) -> tuple[float, int, float]:
        fine = [cascade(name) for name in HAAR_FINE]
        found = [_confirmed(fine, luma, box) for box in _proposed(cascade(HAAR_COARSE), luma)]
        return face_values(_merged(np.concatenate([np.empty((0, 4)), *found])), luma.shape)

    cascades = f"detector=haarcascades {'+'.join((HAAR_COARSE, *HAAR_FINE))}"
    numbers = (HAAR_COARSE_SIDE, HAAR_COARSE_FACTOR, HAAR_FINE_FACTOR, HAAR_NEIGHBOURS)
    settings = (cascades, *numbers)
    return Feature("faces", "4", _COLUMNS, measure, "luma", HAAR_SIDE, settings=settings)


def _proposed(cascade: Any, luma: np.ndarray) -> np.ndarray:
    """Boxes (n, 4) of `luma` in which there may be a face, most of them wrong."""
    scale = HAAR_COARSE_SIDE / max(luma.shape)
    size = [max(1, round(side * scale)) for side in luma.shape[::-1]]
    small = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
    smallest = (_HAAR_SMALLEST, _HAAR_SMALLEST)
    boxes = cascade.detectMultiScale(small, HAAR_COARSE_FACTOR, minNeighbors=0, minSize=smallest)
    return _merged(boxes) / scale


def _confirmed(cascades: list[Any], luma: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The faces (n, 4) of `luma` in and around `box`, if each of `cascades` finds one; the last one's."""
    left, top, width, _ = np.rint(box).astype(int)
    margin = round(_HAAR_MARGIN * width)
    around = np.arange(-margin, width + margin)
    rows, columns = (  # the edge goes on outside, so that a face that fills the frame has a margin
        np.clip(start + around, 0, length - 1)
        for start, length in zip((top, left), luma.shape, strict=True)
    )
    way = cv2.INTER_AREA if len(around) > _HAAR_CROP else cv2.INTER_LINEAR
    crop = cv2.resize(luma[rows][:, columns], (_HAAR_CROP, _HAAR_CROP), interpolation=way)
    least, most = ((side, side) for side in _HAAR_FINE_SIZES)
    for cascade in cascades:
        found = cascade.detectMultiScale(
            crop, HAAR_FINE_FACTOR, minNeighbors=HAAR_NEIGHBOURS, minSize=least, maxSize=most
        )
        if len(found) == 0:
            return np.empty((0, 4))
    return found * (len(around) / _HAAR_CROP) + (left - margin, top - margin, 0, 0)


def _merged(boxes: np.ndarray) -> np.ndarray:
    """One box for all that are alike, (n, 4)."""
    whole = np.rint(np.reshape(boxes, (-1, 4))).astype(int).tolist()
    # OpenCV drops what it finds fewer than two of, hence each one twice
    return np.reshape(cv2.groupRectangles(whole * 2, 1, HAAR_ALIKE)[0], (-1, 4))


def find_yunet(download: bool = False) -> Path:
    """YuNet's model file in the Hub's cache, its checksum verified.

    Args:
        download: fetch it if it is not there or damaged.

    Raises:
        hub.HubError: it is not there, damaged or cannot be downloaded.
    """
    path = hub.cached(YUNET_REPO, YUNET_FILE)
    try:
        if path is None:
            raise hub.HubError(f"{YUNET_REPO}/{YUNET_FILE} is not cached: run `photorank download`")
        hub.verify(path, YUNET_SHA256)
    except hub.HubError:
        if not download:
            raise
        path = hub.fetch(YUNET_REPO, [YUNET_FILE], anew=path is not None)
        hub.verify(path, YUNET_SHA256)
    return path


def best_detector() -> Feature:
    """YuNet if its file is cached and sound, else the Haar cascade; says which on the log."""
    try:
        return yunet(find_yunet())
    except hub.HubError as error:
        if hub.cached(YUNET_REPO, YUNET_FILE) is None:
            logger.info(
                "faces: OpenCV's Haar cascade; `photorank download` fetches the better YuNet"
            )
        else:
            logger.warning("faces: OpenCV's Haar cascade instead of YuNet: %s", error)
        return haar()


def _halved(rgb: np.ndarray) -> np.ndarray:
    size = (max(1, rgb.shape[1] // 2), max(1, rgb.shape[0] // 2))
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)


def _one_per_thread(load: Callable[..., Any]) -> Callable[..., Any]:
    """OpenCV's detectors keep state while they run, so that two threads may not share one.

    YuNet would lay out its network anew for each change of size, which takes a third of its time:
    one is kept for each of the last few sizes.

    Raises:
        UnavailableError: there can be none, for any photo.
    """
    local = threading.local()

    def get(*size: Any) -> Any:
        if not hasattr(local, "detector"):
            local.detector = functools.lru_cache(maxsize=_SIZES)(load)
        try:
            return local.detector(*size)
        except MemoryError:
            raise
        except Exception as error:
            way = "install opencv-python-headless again, or YuNet: photorank download"
            raise UnavailableError(
                f"no detector can be loaded ({one_line(error)}): {way}"
            ) from error

    return get


FACES = dataclasses.replace(haar(), resolve=best_detector)
"""Faces by the best detector that is on this machine when a run starts."""
