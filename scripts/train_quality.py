"""Train the network of `quality`: python scripts/train_quality.py --photos DIR --labels FILE --out DIR."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from photorank.training.quality.command import main

if __name__ == "__main__":
    main()
