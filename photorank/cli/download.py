"""Fetch and verify all models, for use without a network."""

from __future__ import annotations

import argparse
from typing import Any

from photorank.utils.text import say

from .arguments import add_settings, the_settings


def add_arguments(parser: argparse.ArgumentParser, everything: bool) -> None:
    add_settings(parser, everything, only=("clip_model", "clip_pretrained", "aesthetic_head"))


def run(config: str | None = None, **flags: Any) -> None:
    """Fetch all models."""
    from ..models import download

    the_settings(flags, config)
    for name, place in download(**flags).items():
        say(f"{name}: {place}")
