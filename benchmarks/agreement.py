"""How far CLIP in other precisions agrees with fp32, on the weights that you have.

    python benchmarks/agreement.py --photos DIR [--clip_model M --clip_pretrained P --limit N]

Prints for each precision the worst and the median cosine between its vector of a photo and fp32's, and
of the score `aesthetic` Spearman's rho and the largest difference. It says nothing with random weights.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from photorank.config.config import Settings  # noqa: E402
from photorank.features.aesthetic import aesthetic_head, clip_encoder  # noqa: E402
from photorank.features.clip.checkpoint import find_checkpoint  # noqa: E402
from photorank.features.clip.model import PRECISIONS  # noqa: E402
from photorank.features.photo.image import Photo  # noqa: E402
from photorank.models import clip_names  # noqa: E402
from photorank.sources import photos_in  # noqa: E402


def encoded(settings: Settings, paths: list[str], precision: str) -> tuple[np.ndarray, np.ndarray]:
    """Vectors and scores of the photos."""
    encoder = clip_encoder(find_checkpoint(*clip_names(settings)), precision=precision)
    batches = (paths[i : i + 32] for i in range(0, len(paths), 32))
    vectors = [encoder.encode([Photo.open(p).view("rgb", None) for p in b]) for b in batches]
    together = np.concatenate(vectors)
    return together, np.asarray(aesthetic_head(encoder).score(together)).ravel()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", required=True)
    parser.add_argument("--clip_model")
    parser.add_argument("--clip_pretrained")
    parser.add_argument("--limit", type=int, default=200)
    given = vars(parser.parse_args())
    folder, limit = given.pop("photos"), given.pop("limit")
    settings = Settings.load(given)
    paths = [str(path) for path in photos_in(folder, settings).photos][:limit]
    exact, scores = encoded(settings, paths, "fp32")
    print(f"{len(paths)} photos; {' '.join(map(str, clip_names(settings)))}")
    for precision in sorted(set(PRECISIONS) - {"fp32"}):
        vectors, others = encoded(settings, paths, precision)
        cosine = (vectors * exact).sum(1)
        rho = pd.Series(others).corr(pd.Series(scores), method="spearman")
        print(
            f"{precision}: cosine {cosine.min():.5f} at worst, {np.median(cosine):.5f} median; "
            f"aesthetic: Spearman {rho:.4f}, largest difference {abs(others - scores).max():.4f}"
        )


if __name__ == "__main__":
    main()
