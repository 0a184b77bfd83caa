"""Plumbing: finding files, writing them all or nothing, log lines and progress."""
