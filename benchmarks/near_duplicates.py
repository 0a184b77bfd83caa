"""How many near-duplicates the perceptual hash finds at each distance, and how many it invents.

    python benchmarks/near_duplicates.py --photos DIR [--limit 200] [--edited DIR ...]

`--photos` are different photographs: each is edited in known ways, and its copies are looked for.
`--edited` are folders of photographs that others edited; files of one photograph share a name.
Prints Markdown; docs/near_duplicates.md quotes it.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from photorank.features.measures.phash import perceptual_hash  # noqa: E402
from photorank.features.photo.image import Photo, PhotoError  # noqa: E402
from photorank.training.degradations import KINDS, degrade  # noqa: E402

DISTANCES = range(0, 17, 2)
# what names a photograph in the folders whose files show several
SAME_PHOTO = re.compile("ukbench[0-9]+|Jonas_Nilsson_Lee|Rob_Bye")
DATA = ROOT.parent / "shared" / "data"

Edit = Callable[[Image.Image], Image.Image]


def crop(share: float) -> Edit:
    """Take this share of each side away, half of it at each end."""

    def edit(photo: Image.Image) -> Image.Image:
        w, h = photo.size
        x, y = w * share / 2, h * share / 2
        return photo.crop((round(x), round(y), round(w - x), round(h - y)))

    return edit


def rotate(degrees: float, inside: bool) -> Edit:
    """Turn within the frame (corners grey), or cut away the corners as straightening does."""

    def edit(photo: Image.Image) -> Image.Image:
        w, h = photo.size
        turned = photo.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=(128, 128, 128))
        if not inside:
            return turned
        sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
        kept = 1 / (cosine + sine * max(w, h) / min(w, h))
        return crop(1 - kept)(turned)

    return edit


def recompress(quality: int, kind: str = "JPEG") -> Edit:
    def edit(photo: Image.Image) -> Image.Image:
        file = io.BytesIO()
        photo.save(file, kind, quality=quality)
        return Image.open(file)

    return edit


def resize(share: float) -> Edit:
    return lambda photo: photo.resize(
        [max(1, round(side * share)) for side in photo.size], Image.Resampling.LANCZOS
    )


def degraded(kind: str, level: int) -> Edit:
    return lambda photo: Image.fromarray(degrade(np.asarray(photo), kind, level, seed=0))


EDITS: dict[str, Edit] = {
    "JPEG quality 50": recompress(50),
    "WebP quality 60": recompress(60, "WEBP"),
    "half the size": resize(0.5),
    "a quarter of the size": resize(0.25),
    "brightness +20 %": lambda photo: photo.point(
        [min(255, round(v * 1.2)) for v in range(256)] * 3
    ),
    "greyscale": lambda photo: photo.convert("L"),
    "crop 1 %": crop(0.01),
    "crop 3 %": crop(0.03),
    "crop 8 %": crop(0.08),
    "rotation 1 degree": rotate(1, inside=False),
    "rotation 2 degrees": rotate(2, inside=False),
    "rotation 5 degrees": rotate(5, inside=False),
    "straightened by 1 degree": rotate(1, inside=True),
    "straightened by 2 degrees": rotate(2, inside=True),
    "mirror": lambda photo: photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    **{f"{kind}, level {level}": degraded(kind, level) for kind in KINDS for level in (2, 4)},
}


def hash_of(photo: Image.Image | Path) -> int:
    opened = (
        Photo.open(photo) if isinstance(photo, Path) else Photo.from_image(photo.convert("RGB"))
    )
    return int(perceptual_hash(opened.view("luma")), 16)


def distances(some: list[int], others: list[int]) -> np.ndarray:
    """(len(some), len(others)) bits."""
    a, b = np.array(some, np.uint64), np.array(others, np.uint64)
    return np.bitwise_count(a[:, None] ^ b)


def upper_half(square: np.ndarray) -> np.ndarray:
    """Each unordered pair once."""
    return square[np.triu(np.ones(square.shape, bool), 1)]


def row(name: str, bits: np.ndarray) -> str:
    shares = " | ".join(f"{(bits <= d).mean():.3f}" for d in DISTANCES)
    return f"| {name} | {len(bits)} | {np.median(bits):.0f} | {shares} |"


def header(first: str, last: str) -> str:
    return (
        f"\n| {first} | n | median bits | equal | "
        + " | ".join(f"<= {d}" for d in DISTANCES[1:])
        + f" |\n|---|{'---:|' * (len(DISTANCES) + 2)}\n{last}"
    ).rstrip()


def report_copies(files: list[Path]) -> None:
    """Recall of each edit, then precision among the originals and all their copies."""
    originals = [Image.fromarray(Photo.open(file).view("rgb")) for file in files]
    own = [hash_of(photo) for photo in originals]
    print(header(f"{len(files)} photos, each beside its copy: recall", ""))
    copies: list[list[int]] = []
    for name, edit in EDITS.items():
        copies.append([hash_of(edit(photo)) for photo in originals])
        print(row(name, np.diagonal(distances(own, copies[-1]))), flush=True)
    report_precision(own, copies)


def report_precision(own: list[int], copies: list[list[int]]) -> None:
    different = upper_half(distances(own, own))
    print(header("pairs of different photos: taken for near-duplicates", ""))
    print(row("originals only", different))
    everything = [*own, *(value for some in copies for value in some)]
    source = np.tile(np.arange(len(own)), len(copies) + 1)
    bits = upper_half(distances(everything, everything))
    same = upper_half(source[:, None] == source)
    precision = " | ".join(f"{same[bits <= d].mean():.4f}" for d in DISTANCES)
    print(f"| precision, originals and copies | {len(bits)} | | {precision} |")
    print(f"\nNearest two different originals: {different.min()} bits.")
    few = sum(value.bit_count() < 16 for value in everything)
    print(f"Of {len(everything)} hashes {few} have fewer than 16 ones and are compared by pixels.")


def report_edited(folder: Path) -> None:
    """Each edited file beside the file with the shortest name of those of one photograph."""
    hashes: dict[str, dict[Path, int]] = {}
    for file in sorted(folder.rglob("*.jpg"), key=lambda path: (len(path.name), path)):
        name = (SAME_PHOTO.search(file.stem) or [folder.name])[0]
        try:
            hashes.setdefault(name, {})[file] = hash_of(file)
        except PhotoError as error:
            print(f"\nleft out, {file.name}: {error}")
    found = {
        file.name: (value ^ next(iter(group.values()))).bit_count()
        for group in hashes.values()
        for file, value in list(group.items())[1:]
    }
    print(header(f"{folder.name}: edited copies of {len(hashes)} photo(s)", ""))
    print(row("recall", np.array(list(found.values()))))
    firsts = [next(iter(group.values())) for group in hashes.values()]
    if len(firsts) > 1:
        print(row("different photos taken for one", upper_half(distances(firsts, firsts))))
    missed = [f"{name} ({bits} bits)" for name, bits in found.items() if bits > 8]
    print(f"\nBeyond 8 bits: {', '.join(missed) or 'none'}.")


def one_per_scene(files: list[Path], labels: Path) -> list[Path]:
    """The first photo of each scene, where a table of file and scene lies beside the photos."""
    if not labels.is_file():
        return files
    scene_of = pd.read_csv(labels).set_index("file")["scene"]
    firsts: dict[int, Path] = {}
    for file in files:
        firsts.setdefault(scene_of[file.name], file)
    return list(firsts.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, default=DATA / "biq2021" / "images")
    parser.add_argument("--limit", type=int, default=200, help="how many of the photos to edit")
    parser.add_argument("--edited", type=Path, nargs="*", default=sorted(DATA.glob("neardup_*")))
    arguments = parser.parse_args()
    files = sorted(f for f in arguments.photos.iterdir() if f.suffix.lower() in (".jpg", ".jpeg"))
    if not files:
        parser.error(f"no JPEG photos in {arguments.photos}: give a folder with --photos")
    order = np.random.default_rng(0).permutation(len(files))
    chosen = one_per_scene([files[i] for i in order], arguments.photos.parent / "labels.csv")
    report_copies(chosen[: arguments.limit])
    for folder in arguments.edited:
        report_edited(folder)


if __name__ == "__main__":
    main()
