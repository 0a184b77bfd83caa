"""Group 64-bit hashes by Hamming distance: exact, without listing pairs, numpy only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations, pairwise
from math import comb

import numpy as np

HASH_BITS = 64

_LEAF = 512  # so few hashes are compared all with all, in one array of 2 MB
_SLICE = 1 << 18  # comparisons held at once: they stay in the processor's cache
_KEY_BITS = 20  # longer keys would only make their table of counts slower
_NEVER = np.iinfo(np.int64).max

Block = tuple[int, int]
"""Position of a block's lowest bit in the hash, and how many bits it has."""


def first_keepers(hashes: np.ndarray, distance: int) -> np.ndarray:
    """For each hash the keeper that takes it, when the hashes are walked best first.

    The best hash that nobody has taken yet becomes a keeper and takes every untaken one within the
    distance of it.

    Args:
        hashes: (n,) uint64, best first.
        distance: bits in which two near-duplicates differ at most, 0 to 64.

    Returns:
        (n,) indices into `hashes`; a keeper has its own.

    >>> first_keepers(np.array([0b1111, 0b1000, 0b0111, 0b0000], np.uint64), 1).tolist()
    [0, 1, 0, 1]
    """
    values, first, which = np.unique(hashes, return_index=True, return_inverse=True)
    if distance == 0:
        return first[which]
    best_first = np.argsort(first)
    keeper = np.empty_like(first)
    keeper[best_first] = first[best_first][_keepers(values[best_first], distance)]
    return keeper[which]


def _keepers(hashes: np.ndarray, distance: int) -> np.ndarray:
    """`first_keepers` of distinct hashes, by halves.

    The keepers of the better half take what lies near them from the worse half, and the rest of it
    is grouped by itself. So a large group is gone before anyone pairs its members.
    """
    if len(hashes) <= _LEAF:
        return _keepers_of_few(hashes, distance)
    half = len(hashes) // 2
    keeper = np.empty(len(hashes), np.int64)
    keeper[:half] = _keepers(hashes[:half], distance)
    kept = np.unique(keeper[:half])
    taker = _first_within(hashes[kept], hashes[half:], distance)
    free = taker == _NEVER
    rest = half + np.flatnonzero(free)
    keeper[half:][~free] = kept[taker[~free]]
    keeper[rest] = rest[_keepers(hashes[rest], distance)]
    return keeper


def _keepers_of_few(hashes: np.ndarray, distance: int) -> np.ndarray:
    near = np.triu(np.bitwise_count(hashes[:, None] ^ hashes) <= distance)
    keeper = np.arange(len(hashes))
    free = np.ones(len(hashes), bool)
    for i in np.flatnonzero(near.sum(axis=1) > 1):
        if free[i]:
            keeper[near[i] & free] = i
            free &= ~near[i]
    return keeper


def _first_within(kept: np.ndarray, pool: np.ndarray, distance: int) -> np.ndarray:
    """For each hash of `pool` the index of the first of `kept` within the distance, or `_NEVER`."""
    blocks = _cheapest_blocks(len(kept), len(pool), distance)
    workers = min(4, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) as threads:  # numpy frees the interpreter while it works
        if blocks == 0:
            parts = np.array_split(pool, workers)
            found = threads.map(lambda part: _first_by_comparing(kept, part, distance), parts)
            return np.concatenate(list(found))
        choices = _choices(blocks, blocks - distance)
        shares = [choices[i::workers] for i in range(workers)]
        found = threads.map(lambda share: _first_by_keys(kept, pool, share, distance), shares)
        first: np.ndarray = np.stack(list(found)).min(axis=0)
        return first


def _cheapest_blocks(kept: int, pool: int, distance: int) -> int:
    """How many blocks to cut a hash into; 0: compare all with all.

    Two hashes that differ in at most `distance` bits agree in all blocks but `distance` of them.
    More blocks mean longer keys to agree on, so fewer comparisons, but more choices of blocks to
    look through. Nanoseconds of one AMD EPYC core: .5 for a comparison in order, 7 for one that
    must be looked up, 70 for entering a hash under its key, 5 for each possible key.
    """
    costs = {0: 0.5 * kept * pool}
    for blocks in range(distance + 1, min(distance + 5, HASH_BITS) + 1):
        bits = min(_KEY_BITS, HASH_BITS * (blocks - distance) // blocks)
        looked_up = kept * pool / 2**bits
        choice = 70 * (kept + pool) + 7 * looked_up + 5 * 2**bits
        costs[blocks] = comb(blocks, distance) * choice
    return min(costs, key=costs.__getitem__)


def _choices(blocks: int, agreeing: int) -> list[tuple[Block, ...]]:
    """Every choice of `agreeing` among `blocks` blocks of nearly equal width."""
    edges = [HASH_BITS * i // blocks for i in range(blocks + 1)]
    widths = [(low, high - low) for low, high in pairwise(edges)]
    return list(combinations(widths, agreeing))


def _first_by_comparing(kept: np.ndarray, pool: np.ndarray, distance: int) -> np.ndarray:
    first = np.full(len(pool), _NEVER)
    rows = max(1, _SLICE // max(1, len(pool)))
    for top in range(0, len(kept), rows):
        near = np.bitwise_count(kept[top : top + rows, None] ^ pool) <= distance
        hit = np.flatnonzero(near.any(axis=0))
        first[hit] = np.minimum(first[hit], top + near[:, hit].argmax(axis=0))
    return first


def _first_by_keys(
    kept: np.ndarray, pool: np.ndarray, choices: list[tuple[Block, ...]], distance: int
) -> np.ndarray:
    """Compare only hashes that agree in all blocks of a choice, for each of the choices."""
    first = np.full(len(pool), _NEVER)
    for choice in choices:
        kept_keys = _keys(kept, choice)
        order = np.argsort(kept_keys)
        sorted_kept = kept[order]
        for rows, counts, positions in _meetings(kept_keys, _keys(pool, choice)):
            differing = np.bitwise_count(sorted_kept[positions] ^ np.repeat(pool[rows], counts))
            near = np.flatnonzero(differing <= distance)
            near_rows = rows[np.searchsorted(np.cumsum(counts), near, side="right")]
            np.minimum.at(first, near_rows, order[positions[near]])
    return first


def _keys(hashes: np.ndarray, choice: tuple[Block, ...]) -> np.ndarray:
    """The chosen blocks' bits side by side, no more than `_KEY_BITS` of them."""
    key = np.zeros(len(hashes), np.uint64)
    for low, width in choice:
        key = (key << np.uint64(width)) | ((hashes >> np.uint64(low)) & np.uint64(2**width - 1))
    return (key & np.uint64(2**_KEY_BITS - 1)).astype(np.int32)


def _meetings(
    kept_keys: np.ndarray, pool_keys: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Who has the same key, in slices of about `_SLICE`.

    Yields:
        Rows of the pool, how many of the kept each one meets, and for all of these in turn their
        positions in the order of `kept_keys`.
    """
    counts = np.bincount(kept_keys, minlength=int(pool_keys.max()) + 1)
    begins = np.cumsum(counts) - counts
    met = counts[pool_keys]
    rows = np.flatnonzero(met)
    met, begin = met[rows], begins[pool_keys[rows]]
    sliced = np.cumsum(met) // _SLICE
    for part in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(sliced)) + 1):
        if len(part) == 0:
            continue
        n = met[part]
        before = np.cumsum(n) - n
        yield rows[part], n, np.arange(n.sum()) + np.repeat(begin[part] - before, n)
