"""Train the quality model again: python scripts/train_quality.py --photos DIR --labels FILE."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from photorank.train_quality import main

if __name__ == "__main__":
    main()
