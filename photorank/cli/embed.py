"""Write the vector of each photo, by the network that ships or by CLIP, for `photorank learn`."""

from __future__ import annotations

import argparse
from typing import Any

from photorank.utils.text import say

from . import DONE, SOME_FAILED
from .arguments import add_input, add_settings, the_input, the_settings

SETTINGS = (
    *("device", "precision", "clip_model", "clip_pretrained", "workers", "batch_size"),
    *("cache", "exclude", "limit", "strict", "quiet", "verbose"),
)
ENCODER = "whose vectors: network, which ships, or clip (default: network)"


def add_arguments(parser: argparse.ArgumentParser, everything: bool) -> None:
    add_input(parser, everything)
    parser.add_argument("--encoder", choices=("network", "clip"), help=ENCODER)
    text = "where to write: .npz, or .parquet with the extra photorank[parquet]"
    parser.add_argument("--output", metavar="FILE", required=True, help=text)
    add_settings(parser, everything, only=SETTINGS)


def run(
    inputs: list[str],
    output: str,
    encoder: str = "network",
    config: str | None = None,
    **flags: Any,
) -> int:
    """Embed and save."""
    from photorank.utils.rows import failed
    from photorank.utils.words import plural

    from .. import models
    from ..table import embeddings
    from ..verbs.embed import embedded

    source = the_input("embed", inputs, flags)
    settings = the_settings(flags, config)
    embeddings.check_output(output)
    models.encoder_of(encoder, settings, download=True)
    found = embedded(source, encoder, settings)
    lost = int(failed(found.table).sum())
    if lost == len(found.table):
        raise ValueError(f"no photo could be read: {found.table['error'].iloc[0]}")
    target = embeddings.save(found, output)
    if not settings.quiet:
        done = plural(len(found.table) - lost, "photo")
        say(f"{done} embedded, {lost} failed; {found.vectors.shape[1]} numbers each")
        say(f"wrote {target}")
    return SOME_FAILED if settings.strict and lost else DONE
