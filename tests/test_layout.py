"""The floors, the public names, and that importing loads nothing it does not need."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import photorank

ROOT = Path(__file__).resolve().parent.parent
FLOORS = {
    "utils": (),
    "config": ("utils",),
    "features": ("utils", "config"),
    "ranking": ("utils", "config"),
    "evaluation": ("utils", "config"),
    "training": ("utils", "config", "features", "ranking", "evaluation"),
    "photorank": ("utils", "config", "features", "ranking", "evaluation", "training"),
}
"""Which folders a folder stands on: those it imports, by their full names; itself relatively."""
HEAVY = ("torch", "open_clip", "pandas", "numpy", "cv2", "PIL", "scipy", "skimage", "sklearn")

PUBLIC = """
    BUILTIN Column Encoder Feature Head Scale Settings __version__
    calibrate copy download drift embed evaluate explain extract fit_scale learn load montage rank save show
    tag tune
""".split()


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(level, module) of every import in a file; level 0 is absolute, 1 the file's own folder."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or ""


def loaded_by(code: str) -> set[str]:
    """Which packages a fresh interpreter has loaded after `code`, beyond an idle one."""
    ask = "import sys; idle = set(sys.modules); {}; print(*set(sys.modules) - idle)"
    done = subprocess.run(
        [sys.executable, "-c", ask.format(code)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize("path", [p for f in FLOORS for p in sources(f)], ids=named)
def test_a_folder_imports_itself_relatively_and_lower_floors_by_name(path: Path) -> None:
    inside = path.relative_to(ROOT).parts
    for level, module in imports(path):
        assert level < len(inside), f"{path}: {'.' * level}{module} leaves the folder"
        first, _, rest = module.partition(".")
        if level == 0 and first == "photorank":
            assert rest.partition(".")[0] in FLOORS[inside[0]], f"{path}: {module}"
        elif level == 0:
            assert first not in FLOORS, f"{path}: {module} (from photorank.{module})"


@pytest.mark.parametrize("path", sources("scripts"), ids=named)
def test_scripts_are_a_few_lines_on_photorank(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 25
    assert {module.partition(".")[0] for _, module in imports(path)} <= {
        "sys",
        "pathlib",
        "photorank",
    }


@pytest.mark.parametrize("path", sources("photorank/cli"), ids=named)
def test_commands_print_by_say_which_escapes_names(path: Path) -> None:
    """What is coloured or JSON is printed in two places, and an end in `main`."""
    prints = path.read_text(encoding="utf-8").count(" print(")
    assert prints <= {"main.py": 4, "summary.py": 2}.get(path.name, 0)


def test_the_public_names_are_these() -> None:
    assert sorted(photorank.__all__) == sorted(PUBLIC)
    assert dir(photorank) == sorted(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_each_public_name_loads(name: str) -> None:
    assert getattr(photorank, name) is not None


def test_type_checkers_are_told_the_same_names() -> None:
    tree = ast.parse((ROOT / "photorank" / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (
        n for n in tree.body if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n.test)
    )
    told = {
        node.names[0].asname: f".{node.module}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
    }
    assert told == photorank._PUBLIC


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'photorank' has no attribute 'rnak'"):
        photorank.rnak  # noqa: B018  (the access is what is tested)


def test_importing_photorank_loads_nothing_else() -> None:
    assert loaded_by("import photorank") - sys.stdlib_module_names == {"photorank"}


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import photorank.cli.main", HEAVY),
        ("import photorank.pipeline, photorank.features.aesthetic", ("torch", "open_clip")),
        ("import photorank.ranking.fusion, photorank.ranking.order", ("torch", "PIL", "cv2")),
    ],
)
def test_importing_leaves_for_later_what_may_not_be_needed(
    code: str, absent: tuple[str, ...]
) -> None:
    assert loaded_by(code).isdisjoint(absent)


def test_features_of_both_spellings_are_measured_together(photo: np.ndarray) -> None:
    """In a checkout `features` and `photorank.features` are two modules with two classes each."""
    made = []
    for spelling in ("features", "photorank.features"):
        base = importlib.import_module(f"{spelling}.base")
        columns = (base.Column(spelling),)
        made.append(base.Feature(spelling, "1", columns, lambda rgb: float(rgb.mean()), size=64))
    assert type(made[0]) is not type(made[1])
    table = photorank.extract({"bright": photo, "dark": photo // 2}, made)
    assert table["features"].to_list() == table["photorank.features"].to_list()
    weights = {"features": 1.0, "photorank.features": 1.0}
    assert photorank.rank(table, weights=weights)["file"].to_list() == ["bright", "dark"]
