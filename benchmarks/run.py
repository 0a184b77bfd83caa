"""How fast photorank is beside its peers and beside itself.

    python benchmarks/run.py [--photos DIR] [--only NAME ...] [--photos_per_run N]

Makes the peers' environment and the photos on first use, lets the contestants of contests.py take
turns, each time in a process of its own, and keeps medians and ratios in benchmarks/RESULTS.md. The
ratios of one run on one machine are what counts; no test asserts them.
"""

from __future__ import annotations

import argparse
import datetime
import json
import logging
import os
import platform
import signal
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import growth  # noqa: E402
from contests import CONTESTS, Contest  # noqa: E402
from photos import many, photo_set, sources_in  # noqa: E402

from photorank.config.config import Settings  # noqa: E402
from photorank.features.measures import faces  # noqa: E402
from photorank.utils import hub  # noqa: E402

PEERS = ("cleanvision==0.3.7", "imagededup")
PATIENCE = 600.0
"""Seconds after which a peer is stopped; the ratio is then the least it can be."""
KEPT = HERE / "results.json"
REPORT = HERE / "RESULTS.md"
CLIP = "ViT-B-32-quickgelu"
CURVES = ("growth", "megapixels")
_log = logging.getLogger("benchmarks")


class Bench:
    """Where things lie, and how a contestant is run."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.work = Path(arguments.work).expanduser()
        self.work.mkdir(parents=True, exist_ok=True)
        self.threads, self.repeats = arguments.threads, arguments.repeats
        self.limit, self.yunet = arguments.photos_per_run, arguments.yunet or found_yunet()
        self.sources = sources_in(arguments.photos, self.work)

    def photos(self, count: int, megapixels: float, different: int = 0) -> Path:
        count = min(count, self.limit or count)
        folder = photo_set(self.sources, min(different or count, count), megapixels, self.work)
        return many(folder, count) if different else folder

    def run(self, contestant: str, peer: bool = False, **options: Any) -> dict[str, Any]:
        """Seconds, peak memory and versions of one run in a process of its own."""
        python = self._peers() if peer else Path(sys.executable)
        told = json.dumps({"threads": self.threads} | options)
        command = [str(python), str(HERE / "contestants.py"), contestant, told]
        found = finished(command, PATIENCE if peer else None)
        if found is None:
            return {"seconds": PATIENCE, "unfinished": True, "versions": {}}
        code, out, errors = found
        if code:
            raise RuntimeError(f"{contestant} failed:\n{errors[-2000:]}")
        return json.loads(out.splitlines()[-1])

    def seconds(self, contestant: str, **options: Any) -> float:
        """The median of several runs."""
        runs = (self.run(contestant, **options)["seconds"] for _ in range(self.repeats))
        return statistics.median(runs)

    def checkpoint(self) -> Path:
        """ViT-B/32 with random weights: speed does not depend on what they are."""
        folder = self.work / "clip"
        if not (folder / "open_clip_config.json").exists():
            make_checkpoint(folder)
        return folder

    def _peers(self) -> Path:
        folder = self.work / "peers"
        python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        stamp = folder / "installed"
        if not stamp.exists() or stamp.read_text() != repr(PEERS):
            _log.info("installing %s into %s", ", ".join(PEERS), folder)
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
            subprocess.run([str(python), "-m", "pip", "install", "-q", *PEERS], check=True)
            stamp.write_text(repr(PEERS))
        return python


def finished(command: list[str], seconds: float | None) -> tuple[int, str, str] | None:
    """Exit code, output and errors; None: stopped after so many seconds, with all that it started.

    Workers that outlive it would slow down what is measured next.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        try:
            out, errors = process.communicate(timeout=seconds)
        except BaseException as reason:  # Ctrl-C too, which does not reach another session
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(reason, subprocess.TimeoutExpired):
                return None
            raise
    return process.returncode, out, errors


def found_yunet() -> str | None:
    try:
        return str(faces.find_yunet())
    except hub.HubError as error:
        _log.warning("faces by the Haar cascade, for YuNet is not here: %s", error)
        return None


def make_checkpoint(folder: Path) -> None:
    import open_clip
    import torch
    from open_clip.transform import PreprocessCfg
    from safetensors.torch import save_file

    torch.manual_seed(0)
    config = open_clip.get_model_config(CLIP)
    weights = open_clip.create_model(CLIP).state_dict()
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: tensor.contiguous() for name, tensor in weights.items()},
        folder / "open_clip_model.safetensors",
    )
    preprocess = {"mean": PreprocessCfg.mean, "std": PreprocessCfg.std}
    described = {"model_cfg": config, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(described))


def why_not(contest: Contest) -> str | None:
    if "store" in contest.needs and "cache" not in Settings.__dataclass_fields__:
        return "this version has no --cache"
    return None


def run_contest(bench: Bench, contest: Contest) -> dict[str, Any]:
    """Both sides in turn, `repeats` times: medians, ratio and what was compared."""
    options: dict[str, Any] = {"yunet": bench.yunet} | contest.options
    count = contest.photos
    if count:
        folder = bench.photos(count, contest.megapixels, contest.different)
        count = sum(1 for _ in folder.glob("*.jpg"))
        options["photos"] = str(folder)
    if "checkpoint" in contest.needs:
        options["checkpoint"] = str(bench.checkpoint())
    if "store" in contest.needs:
        options["store"] = str(bench.work / f"{contest.name}.sqlite")
    runs = []
    for _ in range(bench.repeats):
        theirs = bench.run(contest.theirs, contest.peer, **options)
        runs.append((bench.run(contest.ours, **options), theirs))
    ours, theirs = (
        statistics.median(side["seconds"] for side in sides) for sides in zip(*runs, strict=True)
    )
    versions = [f"{name} {v}" for run in runs[-1] for name, v in run["versions"].items()]
    return {
        "ours": ours,
        "theirs": theirs,
        "ratio": theirs / ours,
        "unfinished": any("unfinished" in theirs for _, theirs in runs),
        "ratios": [theirs["seconds"] / ours["seconds"] for ours, theirs in runs],
        "photos": count or contest.options.get("count"),
        "megapixels": contest.megapixels if contest.photos else None,
        "faces": "YuNet" if bench.yunet else "Haar",
        "versions": sorted(set(versions)),
    }


def machine(threads: int) -> str:
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), model)
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    system = f"{platform.system()}, Python {platform.python_version()}"
    return f"{model}, {os.cpu_count()} cores, {threads} threads{load}, {system}"


def commit() -> str:
    command = ["git", "-C", str(HERE), "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def circumstances(bench: Bench) -> dict[str, str]:
    return {
        "date": datetime.date.today().isoformat(),
        "commit": commit(),
        "machine": machine(bench.threads),
    }


def keep(name: str, result: dict[str, Any]) -> None:
    """Enter one result; those of other contests stay as they are."""
    kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    kept[name] = result
    KEPT.write_text(json.dumps(kept, indent=1) + "\n")
    REPORT.write_text("\n".join(report(kept)) + "\n")


def report(kept: dict[str, Any]) -> Iterator[str]:
    yield "# Results of `python benchmarks/run.py`\n"
    yield "Ratio: their median time over ours, taken in turns; in brackets the lowest and the highest"
    yield "of the single ratios. What was run is in contests.py and contestants.py.\n"
    yield "| contest | photos | MP | ours, s | photos/s | theirs, s | photos/s | ratio | target | |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|---|"
    for contest in CONTESTS:
        if contest.name in kept:
            yield row(contest, kept[contest.name])
    yield ""
    for name, result in kept.items():
        versions = ", ".join(result.get("versions", ()))
        yield f"- {name}: {result['date']}, {result['commit']}, {result['machine']}. {versions}"
    yield from growth.report(kept)


def row(contest: Contest, result: dict[str, Any]) -> str:
    count, ours, theirs = result["photos"], result["ours"], result["theirs"]
    met = "met" if result["ratio"] >= contest.target else "**missed**"
    spread = f"{min(result['ratios']):.2f} to {max(result['ratios']):.2f}"
    over, under = ("over ", "under ") if result.get("unfinished") else ("", "")
    cells = [
        f"{contest.name}: {contest.ours} against {contest.theirs}",
        f"{count:,}",
        f"{result['megapixels'] or '':}",
        f"{ours:.2f}",
        f"{count / ours:,.1f}",
        f"{over}{theirs:.2f}",
        f"{under}{count / theirs:,.1f}",
        f"{over}{result['ratio']:.2f} ({spread})",
        f"{contest.target:g}",
        met,
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    names = [contest.name for contest in CONTESTS] + list(CURVES)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, help="JPEG photos to cut the sets from (the demo's)")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--photos_per_run", type=int, default=0, help="at most so many")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--yunet", help="YuNet's file, where it is not in the Hub's cache")
    parser.add_argument("--work", default="~/.cache/photorank-benchmarks", help="photos and peers")
    arguments = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    _log.setLevel(logging.INFO)
    bench = Bench(arguments)
    for contest in CONTESTS:
        if contest.name not in arguments.only:
            continue
        if reason := why_not(contest):
            _log.warning("%s: left out, %s", contest.name, reason)
            continue
        result = run_contest(bench, contest) | circumstances(bench)
        keep(contest.name, result)
        _log.info(row(contest, result))
    for name in CURVES:
        if name in arguments.only:
            keep(name, getattr(growth, name)(bench, HERE / f"{name}.png") | circumstances(bench))


if __name__ == "__main__":
    main()
