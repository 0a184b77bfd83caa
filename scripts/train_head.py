"""`photorank learn` from a checkout that need not be installed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from photorank.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["learn", *sys.argv[1:]]))
