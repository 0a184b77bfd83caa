"""Make the demo photos: python scripts/make_demo_photos.py [FOLDER, default output/demo_photos]."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from photorank.training.demo import make_demo_photos

if __name__ == "__main__":
    folder = sys.argv[1] if len(sys.argv) > 1 else "output/demo_photos"
    if folder.startswith("-"):
        sys.exit(__doc__)
    try:
        photos = make_demo_photos(folder)
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f"demo photos in {folder}: {error}")
    print(f"{len(photos)} demo photos in {folder}")
