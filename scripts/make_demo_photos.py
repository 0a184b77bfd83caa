"""Make the demo photos: python scripts/make_demo_photos.py [FOLDER, default output/demo_photos]."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from photorank.training.demo import make_demo_photos

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the demo photos.")
    parser.add_argument("folder", nargs="?", default="output/demo_photos", metavar="FOLDER")
    folder = parser.parse_args().folder
    try:
        photos = make_demo_photos(folder)
    except (ImportError, OSError) as error:
        sys.exit(f"demo photos in {folder}: {error}")
    print(f"{len(photos)} demo photos in {folder}")
