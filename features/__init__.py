"""Measure photographs: declarations, the one decode, and the features that photorank brings."""

from .base import Column, Encoder, Feature, Head
from .measures.defects import BLOCKINESS, BLUR, CONTENT_HASH, TONES
from .measures.faces import FACES
from .measures.noise import NOISE
from .measures.phash import PHASH
from .quality import QUALITY
from .run.extract import extract
from .technical import (
    COLOURFULNESS,
    CONTRAST,
    EXPOSURE,
    LAPLACIAN_VARIANCE,
    SHARPNESS,
)

BUILTIN = (
    QUALITY,
    SHARPNESS,
    EXPOSURE,
    CONTRAST,
    NOISE,
    COLOURFULNESS,
    LAPLACIAN_VARIANCE,
    FACES,
    BLUR,
    BLOCKINESS,
    TONES,
    PHASH,
    CONTENT_HASH,
)
"""The features that run unless others are asked for."""

__all__ = ["BUILTIN", "Column", "Encoder", "Feature", "Head", "extract"]
