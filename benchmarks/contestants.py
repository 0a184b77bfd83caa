"""What runs against what: each contestant prepares itself, then works while the clock runs.

    python benchmarks/contestants.py NAME '{"photos": "FOLDER", "threads": 2}'

prints the seconds, the peak memory and the versions as JSON. A process of its own for each, so that
none warms another's caches and the peers need not be installed beside photorank.
"""

from __future__ import annotations

import importlib.metadata
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = (
    "photorank numpy pillow simplejpeg opencv-python-headless opencv-python torch open_clip_torch "
    "cleanvision imagededup"
).split()
CHECKS = ("dark", "light", "blurry", "low_information", "exact_duplicates", "near_duplicates")
_CLIP_ALONE = ("--features", "aesthetic")
PROMPTS = ("--positive_prompt", "a sharp photo", "--negative_prompt", "a blurry photo")

Work = Callable[[], Any]


def files(photos: str) -> list[str]:
    return sorted(str(path) for path in Path(photos).iterdir() if path.suffix == ".jpg")


def extracting(features: list[Any], photos: str, threads: int) -> Work:
    from photorank.features.run.extract import extract

    paths = files(photos)
    list(extract(paths[:1], features, 0))  # models and tables are loaded
    return lambda: list(extract(paths, features, threads))


def technical_features() -> list[Any]:
    from photorank.features import BUILTIN

    return [feature for feature in BUILTIN if feature.name not in ("faces", "quality")]


def decode(photos: str, threads: int, **_: Any) -> Work:
    """Only decoding, at the scale of the canonical picture, by the fastest decoder there is."""
    import simplejpeg

    from photorank.features.photo.header import reduction

    def one(path: str) -> Any:
        data = Path(path).read_bytes()
        height, width = simplejpeg.decode_jpeg_header(data)[:2]
        by = reduction(max(height, width))
        least = {"min_height": -(-height // by), "min_width": -(-width // by)}
        return simplejpeg.decode_jpeg(data, **least).shape

    paths, pool = files(photos), ThreadPoolExecutor(threads)
    return lambda: list(pool.map(one, paths))


def technical(photos: str, threads: int, **_: Any) -> Work:
    return extracting(technical_features(), photos, threads)


def technical_faces(photos: str, threads: int, yunet: str | None, **_: Any) -> Work:
    return extracting([*technical_features(), face_detector(yunet)], photos, threads)


def technical_faces_quality(photos: str, threads: int, yunet: str | None, **_: Any) -> Work:
    from photorank.features.quality import QUALITY

    features = [*technical_features(), face_detector(yunet), QUALITY]
    return extracting(features, photos, threads)


def face_detector(yunet: str | None) -> Any:
    """YuNet from its file, else the Haar cascade."""
    from photorank.features.measures import faces

    return faces.yunet(Path(yunet)) if yunet else faces.haar()


def checks(photos: str, threads: int, **_: Any) -> Work:
    """Dark, light, blurry, low information and duplicates, as cleanvision's six."""
    import pandas as pd

    from photorank.ranking.dedup import mark_duplicates

    names = ("sharpness", "exposure", "contrast", "phash")
    measure = extracting([f for f in technical_features() if f.name in names], photos, threads)
    return lambda: mark_duplicates(pd.DataFrame(measure()))


def cleanvision(photos: str, threads: int, **_: Any) -> Work:
    from cleanvision import Imagelab

    wanted: dict[str, dict[str, Any]] = {name: {} for name in CHECKS}
    return lambda: Imagelab(data_path=photos, verbose=False).find_issues(
        wanted, n_jobs=threads, verbose=False
    )


def hash_folder(photos: str, threads: int, **_: Any) -> Work:
    from photorank.features.measures.phash import PHASH

    return extracting([PHASH], photos, threads)


def imagededup_hash_folder(photos: str, threads: int, **_: Any) -> Work:
    from imagededup.methods import PHash

    hasher = PHash(verbose=False)
    return lambda: hasher.encode_images(photos, num_enc_workers=threads)


def hashes(count: int, seed: int = 0) -> dict[str, str]:
    """Hashes with 32 ones, as photos have them; a tenth equal another, 2 % are zero."""
    import numpy as np

    rng = np.random.default_rng(seed)
    ones = np.argsort(rng.random((count, 64)), axis=1) < 32
    ones[: count // 10] = ones[count // 10 : 2 * (count // 10)]
    ones[-(count // 50) :] = False
    rows = np.packbits(ones, axis=1)[rng.permutation(count)]
    return {f"{i:07d}.jpg": row.tobytes().hex() for i, row in enumerate(rows)}


def group(count: int, **_: Any) -> Work:
    import pandas as pd

    from photorank.ranking.dedup import mark_duplicates

    made = hashes(count)
    codes = list(made.values())  # zeros are blank frames, which have their pixels in common too
    table = pd.DataFrame({"file": list(made), "phash": codes, "content_hash": codes})
    return lambda: mark_duplicates(table, 8)


def imagededup_group(count: int, threads: int, **_: Any) -> Work:
    from imagededup.methods import PHash

    made, hasher = hashes(count), PHash(verbose=False)
    return lambda: hasher.find_duplicates(
        encoding_map=made, max_distance_threshold=8, num_dist_workers=threads
    )


def rank_table(count: int, **_: Any) -> Work:
    """Fuse, order, group and explain a table of measurements."""
    import numpy as np
    import pandas as pd

    import photorank as pr

    rng = np.random.default_rng(0)
    columns = {c.name: rng.random(count) for f in technical_features() for c in f.columns}
    table = pd.DataFrame(
        {"file": list(hashes(count))} | columns | {"phash": hashes(count).values()}
    )
    return lambda: pr.rank(table)


def clip(photos: str, threads: int, checkpoint: str, **_: Any) -> Work:
    import torch

    from photorank.features.aesthetic import aesthetic_head, clip_encoder
    from photorank.features.clip.checkpoint import find_checkpoint

    torch.set_num_threads(threads)
    encoder = clip_encoder(find_checkpoint(checkpoint), "cpu")
    return extracting([aesthetic_head(encoder)], photos, threads)


def usual_clip(photos: str, threads: int, checkpoint: str, **_: Any) -> Work:
    """The loop of the tutorials: Pillow, open_clip's preprocessing, fp32, batches of 32."""
    import open_clip
    import torch
    from PIL import Image

    torch.set_num_threads(threads)
    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{checkpoint}")
    paths = files(photos)

    def work() -> None:
        with torch.inference_mode():
            for start in range(0, len(paths), 32):
                batch = [preprocess(Image.open(p)) for p in paths[start : start + 32]]
                model.encode_image(torch.stack(batch), normalize=True)

    model.eval()
    return work


def _command(photos: str, threads: int, store: str, checkpoint: str | None, *more: str) -> Work:
    clip = ["--aesthetic", "clip", "--clip_model", checkpoint] if checkpoint else []
    arguments = [photos, "--cache", store, "--workers", str(threads), "--quiet", *clip, *more]
    if not clip:
        arguments += ["--aesthetic", "none"]
    output = ["--output", str(Path(store).with_suffix(".csv"))]
    command = [sys.executable, str(ROOT / "scripts" / "run_ranking.py"), *arguments, *output]
    return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def first_run(
    photos: str, threads: int, store: str, checkpoint: str | None = None, *more: str, **_: Any
) -> Work:
    """The whole command with an empty store."""
    for file in Path(store).parent.glob(f"{Path(store).name}*"):
        file.unlink()
    return _command(photos, threads, store, checkpoint, *more)


def second_run(
    photos: str, threads: int, store: str, checkpoint: str | None = None, **_: Any
) -> Work:
    """The whole command once more, nothing changed."""
    _command(photos, threads, store, checkpoint)()
    return _command(photos, threads, store, checkpoint)


def encoding(photos: str, threads: int, store: str, checkpoint: str, **_: Any) -> Work:
    """The whole command with an empty store, but of CLIP alone."""
    return first_run(photos, threads, store, checkpoint, *_CLIP_ALONE)


def new_prompts(photos: str, threads: int, store: str, checkpoint: str, **_: Any) -> Work:
    """Other prompts on stored vectors; their text vectors are not stored yet."""
    _command(photos, threads, store, checkpoint, *_CLIP_ALONE)()
    fresh = ("--positive_prompt", f"a photo of {time.time_ns()}", *PROMPTS[2:])
    return _command(photos, threads, store, checkpoint, *_CLIP_ALONE, *fresh)


def known_prompts(photos: str, threads: int, store: str, checkpoint: str, **_: Any) -> Work:
    """Prompts whose text vectors are stored too."""
    known = _command(photos, threads, store, checkpoint, *_CLIP_ALONE, *PROMPTS)
    known()
    return known


def main() -> None:
    name, options = sys.argv[1], json.loads(sys.argv[2])
    sys.path.insert(0, str(ROOT))
    work = globals()[name](**options)
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    known = {d.metadata["Name"] for d in importlib.metadata.distributions()}
    print(
        json.dumps(
            {
                "seconds": seconds,
                "peak_mb": peak / (2**20 if sys.platform == "darwin" else 2**10),
                "versions": {p: importlib.metadata.version(p) for p in PACKAGES if p in known},
            }
        )
    )


if __name__ == "__main__":
    main()
