"""The command: what may be typed, what it calls, what it prints."""
