"""The settings of a ranking: one frozen dataclass, from which flags, file keys and checks all come."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

DEFAULT_SCALE = "default"
"""What `scale` calls the one that ships: a photo then scores the same alone and in any folder."""
DEFAULT_SCALE_FILE = Path(__file__).with_name("default_scale.json")


def _setting(
    help: str, choices: tuple[str, ...] = (), metavar: str | None = None, least: int | None = None
) -> Any:
    return field(metadata={"help": help, "choices": choices, "metavar": metavar, "least": least})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that a ranking can be told; the defaults are in `default.toml`.

    Each field is a flag of `photorank rank`, a key of a configuration file and a keyword of
    `photorank.rank`. `Settings.load` makes one.
    """

    output_csv: str = _setting(
        "where to write the table: .csv, .json, or .parquet with the extra photorank[parquet] "
        "(default: output/csvs/<folder>.csv; of watch: <folder>_watch.csv)",
        metavar="FILE",
    )
    features: tuple[Any, ...] = _setting(
        "names of the features to measure, separated by commas or spaces (default: all)",
        metavar="NAME",
    )
    lower_is_better: tuple[str, ...] = _setting(
        "columns of a table of your own in which lower is better", metavar="COLUMN"
    )
    device: str = _setting(
        "where CLIP and the network of quality run; the latter knows cuda and cpu",
        choices=("auto", "cpu", "cuda", "mps"),
    )
    precision: str = _setting(
        "in which CLIP's image tower computes; auto: fp16 on cuda, bf16 on a CPU that is fast at it "
        "(Intel with AMX, AMD with avx512_bf16), else fp32",
        choices=("auto", "fp32", "bf16", "fp16"),
    )
    aesthetic: str = _setting(
        "auto: CLIP if its weights are here or can be downloaded, else rank without; clip: CLIP or "
        "an error; none: without",
        choices=("auto", "clip", "none"),
    )
    clip_model: str = _setting(
        "open_clip model name, hf-hub:ORG/NAME, or a folder with open_clip_config.json",
        metavar="NAME",
    )
    clip_pretrained: str = _setting("open_clip pretrained tag", metavar="TAG")
    positive_prompt: tuple[str, ...] = _setting(
        "what a good photo is, in words; repeatable, pairs with the negative prompts in order",
        metavar="TEXT",
    )
    negative_prompt: tuple[str, ...] = _setting(
        "what a bad photo is, in words; repeatable", metavar="TEXT"
    )
    vocabulary: str = _setting(
        "a text file with a tag in each line, or tag: prompt; CLIP says which of them fit a photo",
        metavar="FILE",
    )
    weights: str | Mapping[str, Any] = _setting(
        "name=value,... or a JSON file; replaces the default weights, a name not given weighs 0",
        metavar="WEIGHTS",
    )
    normalization: str = _setting(
        "how columns are brought to 0..1: robust percentiles, the extremes, or ranks",
        choices=("robust", "minmax", "rank"),
    )
    save_scale: str = _setting("save the fitted normalisation to this JSON file", metavar="FILE")
    scale: Any = _setting(  # noqa: RUF009  it is dataclasses.field
        "use a saved normalisation, so that scores compare across folders; 'default': the one that "
        "ships, fitted to 3,200 rated photographs",
        metavar="FILE",
    )
    dedup: str = _setting(
        "near-duplicates: mark them, rank all but the best of each group after the others "
        "(keep-best), or do not look for them",
        choices=("mark", "keep-best", "off"),
    )
    dedup_distance: int = _setting(
        "bits of 64 by which the hashes of near-duplicates may differ", least=0
    )
    profile: str = _setting(
        "the rules and thresholds of the tags: default, strict, lenient, faces, or a TOML file",
        metavar="PROFILE",
    )
    workers: int = _setting(
        "threads that decode and measure; 0: none besides the main one (default: one per core)",
        least=-1,
    )
    batch_size: int = _setting(
        "photos that wait for CLIP: at least the 32 that it takes at a time, on cuda 128",
        least=1,
    )
    cache: str = _setting(
        "a file that keeps what is measured, so that an unchanged photo is not opened again; off: none "
        "(default: photorank/measurements.sqlite in ~/.cache or $XDG_CACHE_HOME)",
        metavar="FILE",
    )
    exclude: tuple[str, ...] = _setting(
        "leave out files and folders whose name, or path in DIR, matches this pattern; repeatable",
        metavar="GLOB",
    )
    limit: int = _setting("take only the first N photos by path (default: all)", least=0)
    strict: bool = _setting("exit with 1 if any photo failed")
    quiet: bool = _setting("print only warnings and errors")
    verbose: bool = _setting("print the features, weights and each failed photo too")

    def __post_init__(self) -> None:
        for setting in fields(self):
            value, meta = getattr(self, setting.name), setting.metadata
            if wanted := _wanted_type(str(setting.type), value):
                raise ValueError(f"{setting.name} is {wanted}, got {value!r}")
            if meta["choices"] and value not in meta["choices"]:
                raise ValueError(
                    f"{setting.name} is one of {', '.join(meta['choices'])}, got {value!r}"
                )
            if meta["least"] is not None and not _is_int_from(value, meta["least"]):
                raise ValueError(
                    f"{setting.name} is a whole number from {meta['least']} up, got {value!r}"
                )

        if self.cache.lower() == "on":
            raise ValueError(
                f"cache is a file, or off, got {self.cache!r}; leave it out for the default"
            )

    @classmethod
    def load(cls, given: Mapping[str, Any], file: str | os.PathLike[str] | None = None) -> Settings:
        """The defaults, overridden by the keys of `file` (TOML), overridden by `given`.

        A value of None counts as not given; a single string counts as a list of one.

        Raises:
            ValueError: an unknown key, a value of another type or out of its choices, or a file that
                is not TOML.
        """
        settings = defaults()
        sets = settings["weights"]
        settings.update(_checked_keys(_read(file), f"{file}") if file else {})
        given = _checked_keys(given, "the settings")
        settings.update({key: value for key, value in given.items() if value is not None})
        if isinstance(settings["weights"], Mapping) and set(settings["weights"]) & set(sets):
            settings["weights"] = sets | settings["weights"]  # one of the two sets stays as it was
        return cls(**{key: _plain(key, value) for key, value in settings.items()})


def defaults() -> dict[str, Any]:
    """The contents of `default.toml`."""
    return _read(Path(__file__).with_name("default.toml"))


def _read(path: str | os.PathLike[str]) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"cannot read the configuration file {path}: {error.strerror}") from error
    except ValueError as error:  # TOML and UTF-8 errors alike
        raise ValueError(f"the configuration file {path} is not TOML: {error}") from error


def _checked_keys(values: Mapping[str, Any], source: str) -> Mapping[str, Any]:
    known = [setting.name for setting in fields(Settings)]
    for key in values:
        if key not in known:
            raise ValueError(f"unknown key {key!r} in {source}; {near(key, known)}")
    return values


def near(name: str, known: Iterable[str]) -> str:
    """What to suggest for a misspelt name: the closest known ones, or all of them.

    >>> near("sharpnes", ["sharpness", "noise"])
    'did you mean sharpness?'
    """
    known = list(known)
    close = difflib.get_close_matches(name, known)
    return f"did you mean {' or '.join(close)}?" if close else f"there is: {', '.join(known)}"


def each_name(given: Iterable[Any]) -> list[Any]:
    """Names one by one, where a text may hold several, separated by commas; others stay as they are.

    >>> each_name(["sharpness, noise", "exposure"])
    ['sharpness', 'noise', 'exposure']
    """
    parts = (part.split(",") if isinstance(part, str) else [part] for part in given)
    names = (n.strip() if isinstance(n, str) else n for part in parts for n in part)
    return [name for name in names if name != ""]


def _plain(key: str, value: Any) -> Any:
    """A list as a tuple, a path as text; whatever does not fit stays as it is and is refused later."""
    wanted = str(Settings.__annotations__[key])
    if wanted == "str" and isinstance(value, os.PathLike):
        return os.fspath(value)
    if "tuple" not in wanted or isinstance(value, Mapping):
        return value
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, Iterable) else value


def _wanted_type(declared: str, value: Any) -> str:
    """What a setting that is declared so takes, if `value` is something else."""
    if declared == "str" and not isinstance(value, str):
        return "text"
    if declared == "bool" and not isinstance(value, bool):
        return "true or false"
    if declared.startswith("tuple") and not isinstance(value, tuple):
        return "a list"
    if declared == "tuple[str, ...]" and not all(isinstance(item, str) for item in value):
        return "a list of texts"
    return ""


def _is_int_from(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
