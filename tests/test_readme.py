"""README is true: its commands and its Python run, its flags exist, its CSV is what comes out.

```bash and ```python blocks are executed, in order, in a copy of the checkout with an environment of
its own, after `./run_ranking.sh` has run there; `~/shoot` and `~/next` hold the demo photos. There is
no network and no model. Commands that need a network or another folder go in ```console blocks.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from environments import OFFLINE, copy_checkout, fresh_environment, run

from photorank.features import BUILTIN, Feature
from photorank.training.demo import make_demo_photos

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))
NOT_HERE = ("./run_tests.sh", "git clone", "cd ")  # it would run itself; the copy is there already


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def shell(command: str, checkout: Path) -> tuple[int, str]:
    path = f"{checkout / '.venv' / 'bin'}:/usr/local/bin:/usr/bin:/bin"
    variables = {"PATH": path, "HOME": str(checkout.parent), **OFFLINE}
    done = run("bash", "-euo", "pipefail", "-c", command, cwd=checkout, **variables)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    for folder in ("shoot", "next"):
        make_demo_photos(home / folder)
    copy = copy_checkout(home / "photorank")
    fresh_environment(copy / ".venv")
    code, printed = shell("./run_ranking.sh", copy)
    assert code == 0, printed
    return copy


@pytest.mark.slow
@pytest.mark.parametrize("block", blocks("bash"))
def test_commands_run(block: str, checkout: Path) -> None:
    commands = [line for line in block.splitlines() if not line.startswith(NOT_HERE)]
    code, printed = shell("\n".join(commands), checkout)
    assert code == 0, printed


@pytest.mark.slow
def test_python_runs(checkout: Path) -> None:
    (checkout / "quoted.py").write_text("\n".join(blocks("python")), encoding="utf-8")
    code, printed = shell("python quoted.py", checkout)
    assert code == 0, printed


@pytest.mark.slow
@pytest.mark.parametrize("block", blocks("csv"))
def test_quoted_csv_is_what_the_demo_gives(block: str, checkout: Path) -> None:
    """The quoted columns may be fewer and the numbers rounded; another decoder may change the last."""
    with (checkout / "output" / "csvs" / "demo_photos.csv").open(encoding="utf-8") as file:
        rows = {row["rank"]: row for row in csv.DictReader(file)}
    for quoted in csv.DictReader(block.splitlines()):
        row = rows[quoted["rank"]]
        for column, value in quoted.items():
            if re.fullmatch(r"-?[\d.]+", value):
                assert float(row[column]) == pytest.approx(float(value), rel=0.02, abs=0.02), column
            elif column != "path":
                assert row[column] == value


def test_something_is_quoted_and_run() -> None:
    assert blocks("bash")
    assert blocks("python")
    assert blocks("csv")


@pytest.mark.parametrize("flag", sorted(set(re.findall(r"(?<![\w-])--[a-z]\w+", README))))
def test_flags_exist(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    from photorank.cli.main import main

    offered = ""
    for command in ("rank", "tag", "evaluate", "tune", "drift", "watch", "show", "download"):
        for asked in ("--help", "--help_all"):
            with pytest.raises(SystemExit):
                main([command, asked])
            offered += capsys.readouterr().out
    assert re.search(rf"{flag}\b", offered), f"README names {flag}, which no command has"


def anchors(page: Path) -> set[str]:
    """What `#...` may name in a page, as GitHub makes it of the headings."""
    titles = re.findall(r"^#+ (.*)", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", *PAGES])
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]+)#?([^)]*)\)", text):
        linked = (ROOT / page).parent / target
        assert linked.exists(), f"{page} links to {target}"
        assert not anchor or anchor in anchors(linked), f"{page} links to {target}#{anchor}"


@pytest.mark.parametrize("feature", BUILTIN, ids=lambda feature: str(feature.name))
def test_every_feature_s_columns_are_named(feature: Feature) -> None:
    for column in feature.columns:
        assert f"`{column.name}`" in README
