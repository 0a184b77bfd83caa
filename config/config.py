"""The settings of a ranking: one declaration, from which flags, file keys, keywords and checks come."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError

from photorank.utils.reading import read_toml
from photorank.utils.words import near, shown

DEFAULT_SCALE = "default"
"""What `scale` calls the one that ships: a photo then scores the same alone and in any folder."""
DEFAULT_SCALE_FILE = Path(__file__).with_name("default_scale.json")


def _text(value: Any) -> Any:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _listed(value: Any) -> Any:
    if isinstance(value, str | os.PathLike):
        return (os.fspath(value),)
    return (
        tuple(map(_text, value))
        if isinstance(value, Iterable) and not isinstance(value, Mapping)
        else value
    )


Text = Annotated[str, BeforeValidator(_text)]
Things = Annotated[tuple[Any, ...], BeforeValidator(_listed)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Count = Annotated[int, Field(ge=0)]


def _setting(help: str, metavar: str = "", **checks: Any) -> Any:
    return Field(description=help, json_schema_extra={"metavar": metavar}, **checks)


class DefaultWeights(BaseModel):
    """The weights where none are given: with CLIP's score and without."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    with_clip: dict[str, float]
    without_clip: dict[str, float]


class Settings(BaseModel):
    """Everything that a ranking can be told; the defaults are in `default.toml`.

    Each field is a flag of `photorank rank`, a key of a configuration file and a keyword of
    `photorank.rank`. `Settings.load` makes one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    output_csv: Text = _setting(
        "where to write the table: .csv, .json, or .parquet with the extra photorank[parquet] "
        "(default: output/csvs/<folder>.csv; of watch: <folder>_watch.csv)",
        "FILE",
    )
    features: Things = _setting(
        "names of the features to measure, separated by commas or spaces (default: all)", "NAME"
    )
    lower_is_better: Texts = _setting(
        "columns of a table of your own in which lower is better", "COLUMN"
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = _setting(
        "where CLIP and the network of quality run; the latter knows cuda and cpu"
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = _setting(
        "in which CLIP's image tower computes; auto: fp16 on cuda, bf16 on a CPU that is fast at it "
        "(Intel with AMX, AMD with avx512_bf16), else fp32"
    )
    aesthetic: Literal["auto", "clip", "none"] = _setting(
        "auto: CLIP if its weights are here or can be downloaded, else rank without; clip: CLIP or "
        "an error; none: without"
    )
    clip_model: Text = _setting(
        "open_clip model name, hf-hub:ORG/NAME, or a folder with open_clip_config.json", "NAME"
    )
    clip_pretrained: Text = _setting("open_clip pretrained tag", "TAG")
    positive_prompt: Texts = _setting(
        "what a good photo is, in words; repeatable, pairs with the negative prompts in order",
        "TEXT",
    )
    negative_prompt: Texts = _setting("what a bad photo is, in words; repeatable", "TEXT")
    vocabulary: Text = _setting(
        "a text file with a tag in each line, or tag: prompt; CLIP says which of them fit a photo",
        "FILE",
    )
    aesthetic_head: Text = _setting(
        "a column aesthetic_laion by LAION's head: laion, or a .pth file of one, for the tower of CLIP "
        "that it was trained on (docs/heads.md)",
        "FILE",
    )
    heads: Texts = _setting(
        "a column by a head that `photorank learn` wrote, with the encoder that it reads; repeatable",
        "FILE",
    )
    weights: Text | Mapping[str, Any] = _setting(
        "name=value,... or a JSON file; replaces the default weights, a name not given weighs 0",
        "WEIGHTS",
    )
    default_weights: DefaultWeights = Field(description="the weights where none are given")
    normalization: Literal["robust", "minmax", "rank"] = _setting(
        "how columns are brought to 0..1: robust percentiles, the extremes, or ranks"
    )
    save_scale: Text = _setting("save the fitted normalisation to this JSON file", "FILE")
    scale: Any = _setting(
        "use a saved normalisation, so that scores compare across folders; 'default': the one that "
        "ships, fitted to 3,200 rated photographs",
        "FILE",
    )
    dedup: Literal["mark", "keep-best", "off"] = _setting(
        "near-duplicates: mark them, rank all but the best of each group after the others "
        "(keep-best), or do not look for them"
    )
    dedup_distance: Count = _setting("bits of 64 by which the hashes of near-duplicates may differ")
    profile: Text = _setting(
        "the rules and thresholds of the tags: default, strict, lenient, faces, or a TOML file",
        "PROFILE",
    )
    workers: int = _setting(
        "threads that decode and measure; 0: none besides the main one (default: one per core)",
        ge=-1,
    )
    batch_size: int = _setting(
        "photos that wait for CLIP: at least the 32 that it takes at a time, on cuda 128", ge=1
    )
    cache: Text = _setting(
        "a file that keeps what is measured, so that an unchanged photo is not opened again; off: none "
        "(default: photorank/measurements.sqlite in ~/.cache or $XDG_CACHE_HOME)",
        "FILE",
    )
    exclude: Texts = _setting(
        "leave out files and folders whose name, or path in DIR, matches this pattern; repeatable",
        "GLOB",
    )
    limit: Count = _setting("take only the first N photos by path (default: all)")
    strict: bool = _setting("exit with 1 if any photo failed")
    quiet: bool = _setting("print only warnings and errors")
    verbose: bool = _setting("print the features, weights and each failed photo too")
    _asked: frozenset[str] = PrivateAttr(default=frozenset())

    @classmethod
    def load(cls, given: Mapping[str, Any], file: str | os.PathLike[str] | None = None) -> Settings:
        """The defaults, overridden by the keys of `file` (TOML), overridden by `given`.

        A value of None counts as not given; a single text counts as a list of one. Of
        `default_weights` one set may be given, and the other stays.

        Raises:
            ValueError: an unknown key, a value of another type or out of its choices, or a file that
                is not TOML.
        """
        usual = defaults()
        in_file = _checked_keys(_read(file), f"{file}") if file else {}
        settings = usual | in_file
        given = _checked_keys(given, "the settings")
        settings |= {key: value for key, value in given.items() if value is not None}
        if isinstance(settings["default_weights"], Mapping):
            settings["default_weights"] = usual["default_weights"] | settings["default_weights"]
        try:
            loaded = cls(**settings)
        except ValidationError as error:
            said = _said(error)
            wrong = said.partition(" ")[0]
            where = f"{file}: " if wrong in in_file and given.get(wrong) is None else ""
            raise ValueError(where + said) from None
        if loaded.cache.lower() == "on":
            raise ValueError(
                f"cache is a file, or off, got {loaded.cache!r}; leave it out for the default"
            )
        plain = cls(**usual)
        loaded._asked = frozenset(n for n in given if getattr(loaded, n) != getattr(plain, n))
        return loaded

    @property
    def asked(self) -> frozenset[str]:
        """What was given to `load` other than by a file, and is not the default."""
        return self._asked

    def but(self, **others: Any) -> Settings:
        """The same settings but for these, which are right already."""
        return self.model_copy(update=others)


def defaults() -> dict[str, Any]:
    """The contents of `default.toml`."""
    return _read(Path(__file__).with_name("default.toml"))


def _read(path: str | os.PathLike[str]) -> dict[str, Any]:
    try:
        return read_toml(path)
    except OSError as error:
        raise ValueError(f"cannot read the configuration file {path}: {error.strerror}") from error
    except ValueError as error:  # TOML and UTF-8 errors alike
        raise ValueError(
            f"the configuration file {path} is not TOML that can be used: {error}"
        ) from error


def _checked_keys(values: Mapping[str, Any], source: str) -> dict[str, Any]:
    for key in values:
        if key not in Settings.model_fields:
            raise ValueError(
                f"unknown key {shown(key)} in {source}; {near(key, Settings.model_fields)}"
            )
    return dict(values)


_WANTED = {"string_type": "text", "bool_type": "true or false", "tuple_type": "a list"}


def _said(error: ValidationError) -> str:
    """The first mistake in one line: what was wanted, what was got."""
    first = error.errors(include_url=False)[0]
    name, *inside = (str(place) for place in first["loc"])
    kind, limits = first["type"], first.get("ctx", {})
    field = Settings.model_fields[name]
    least = next((check.ge for check in field.metadata if hasattr(check, "ge")), 0)
    if kind == "literal_error":
        wanted = "one of " + limits["expected"].replace("'", "").replace(" or ", ", ")
    elif kind.startswith(("int", "greater")):
        wanted = f"a whole number from {least} up"
    elif name.endswith("weights"):
        wanted = "names with numbers"
    elif inside and kind == "string_type":
        wanted = "a list of texts"
    else:
        wanted = _WANTED.get(kind, first["msg"])
    return f"{name} is {wanted}, got {shown(first['input'])}"
