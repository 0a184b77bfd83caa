"""Curves: what grows with the number of photos, and with their size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib

matplotlib.use("Agg")

from contests import HASHES, MEMORY, ROWS, SIZES
from matplotlib import pyplot as plt
from photos import many

if TYPE_CHECKING:
    from run import Bench

_SMALL = 0.05  # megapixels: the number of photos is what is looked at


def growth(bench: Bench, plot: Path) -> dict[str, Any]:
    """Seconds of grouping and ranking, peak memory of measuring, over the number of photos."""
    few = bench.photos(200, _SMALL)
    most = bench.limit or max(MEMORY)
    counts = sorted({min(n, most) for n in ROWS})
    memory = {n: bench.run("technical", photos=str(many(few, n)))["peak_mb"] for n in counts}
    hashes = [n for n in HASHES if not bench.limit or n <= 50 * bench.limit]
    group = {n: bench.run("group", count=n)["seconds"] for n in hashes}
    ranked = {n: bench.seconds("rank_table", count=n) for n in ROWS}
    draw_growth(memory, group, ranked, plot)
    return {"memory": memory, "group": group, "rank": ranked}


def draw_growth(
    memory: dict[int, float], group: dict[int, float], ranked: dict[int, float], plot: Path
) -> None:
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
    _curve(axes[0], group, "hashes", "s to group")
    _curve(axes[1], ranked, "photos in a table", "s to rank")
    _curve(axes[2], memory, "photos measured", "peak MB")
    figure.savefig(plot, dpi=100)


def megapixels(bench: Bench, plot: Path) -> dict[str, Any]:
    """Photos per second over megapixels, beside decoding alone."""
    rates: dict[str, dict[float, float]] = {"technical": {}, "decode": {}}
    for size in SIZES:
        folder = bench.photos(max(8, round(240 / size)), size)
        count = sum(1 for _ in folder.glob("*.jpg"))
        for name, rate in rates.items():
            rate[size] = count / bench.seconds(name, photos=str(folder))
    figure, axes = plt.subplots(figsize=(5, 3.6), layout="constrained")
    for name, rate in rates.items():
        axes.plot(list(rate), list(rate.values()), marker="o", label=name)
    axes.set(xscale="log", xlabel="megapixels", ylabel="photos/s")
    axes.set_ylim(0)
    _plain_ticks(axes, list(SIZES), "{}")
    axes.legend(frameon=False)
    figure.savefig(plot, dpi=100)
    return rates


def report(kept: dict[str, Any]) -> Iterator[str]:
    if "growth" in kept:
        yield "\n## Growth\n\n![growth](growth.png)\n"
        yield from _table("hashes", "grouping, s", kept["growth"]["group"])
        yield from _table("rows", "ranking, s", kept["growth"]["rank"])
        memory = kept["growth"]["memory"]
        yield from _table("photos", "peak memory, MB", memory)
        first, *_, last = memory.values()
        yield f"Memory: {last / first:.2f} times that of {next(iter(memory))} photos (target: 1.15)."
    if "megapixels" in kept:
        yield "\n## Size\n\n![megapixels](megapixels.png)\n"
        rates = kept["megapixels"]
        yield from _table("MP", "technical, photos/s", rates["technical"])
        yield from _table("MP", "decode, photos/s", rates["decode"])


def _table(first: str, second: str, values: dict[Any, float]) -> Iterator[str]:
    yield f"| {first} | {' | '.join(str(key) for key in values)} |"
    yield f"|---|{'---:|' * len(values)}"
    yield f"| {second} | {' | '.join(f'{value:.3g}' for value in values.values())} |\n"


def _curve(axes: Any, values: dict[int, float], x: str, y: str) -> None:
    axes.plot(list(values), list(values.values()), marker="o")
    axes.set(xlabel=x, ylabel=y, xscale="log")
    axes.set_ylim(0, 1.1 * max(values.values()))
    _plain_ticks(axes, list(values), "{:,}")


def _plain_ticks(axes: Any, values: list[Any], form: str) -> None:
    axes.set_xticks(values, [form.format(value) for value in values])
    axes.minorticks_off()
    for spine in ("top", "right"):
        axes.spines[spine].set_visible(False)
