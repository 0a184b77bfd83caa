"""Fits the learned blur: from points of the quality model to how far a photo was blurred.

Good photos count as not blurred, and so do their copies that are brighter, darker, noisy or compressed:
no other fault must pass for blur.
"""

from __future__ import annotations

import numpy as np

from .degradations import PARAMETERS

# More than held-out copies ask for: real photos are further from the training photos than copies are.
_RIDGE = 10.0
_PATH = 400  # a straight path blurs as much as a disc of .4 of its length, by the variance
_RESCALED = 1.76  # averaging to fewer pixels of 512 and cubic interpolation, by the variance too


def radius(kind: str, level: int) -> float:
    """Of the disc that blurs as much as a degradation does, in thousandths of the long side.

    >>> [radius("defocus", 3), radius("motion_blur", 3), round(radius("rescaling", 3), 1)]
    [4.0, 4.8, 4.0]
    """
    strength = PARAMETERS[kind][level - 1]
    if kind == "rescaling":
        return float(_RESCALED * np.sqrt(strength**-2 - 1))
    return {"defocus": 1000, "motion_blur": _PATH}.get(kind, 0) * strength


def fit_blur(points: np.ndarray, radii: np.ndarray) -> dict[str, np.ndarray]:
    """Ridge regression of log2(1 + radius).

    Args:
        points: (n, p), of photos and copies.
        radii: (n,) in thousandths of the long side.

    Returns:
        "blur_slopes" (p,) and "blur_intercept".
    """
    goal = np.log2(1 + radii)
    centre = points.mean(0, dtype=np.float64)
    rows = points - centre
    curvature = rows.T @ rows + _RIDGE * np.eye(rows.shape[1])
    slopes = np.linalg.solve(curvature, rows.T @ (goal - goal.mean()))
    found = {"blur_slopes": slopes, "blur_intercept": np.asarray(goal.mean() - centre @ slopes)}
    return {name: values.astype(np.float32) for name, values in found.items()}
