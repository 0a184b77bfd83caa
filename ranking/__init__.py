"""Turn a table of measurements into a ranking: normalise, weigh, order. Needs no pixels and no torch."""
