"""The command: what may be typed, what it calls, what it prints, and its exit codes."""

DONE, SOME_FAILED, WRONG_USE, DRIFTED, INTERRUPTED, TERMINATED = 0, 1, 2, 3, 130, 143
