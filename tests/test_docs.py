"""The docs say what the code does: commands, errors, links and snippets."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from conftest import Run

from whatsit import __version__, errors, zoo
from whatsit.cli import COMMANDS, cli

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def all_errors() -> list[type[errors.WhatsitError]]:
    found, todo = [], [errors.WhatsitError]
    while todo:
        error = todo.pop()
        found.append(error)
        # Ray makes further classes of those that it carries from a host to us.
        todo += [kind for kind in error.__subclasses__() if kind.__module__ == errors.__name__]
    return found


def leaves() -> list[type[errors.WhatsitError]]:
    return [error for error in all_errors() if not error.__subclasses__()]


@pytest.mark.parametrize("error", leaves(), ids=lambda error: error.code)
def test_every_error_is_documented(error: type[errors.WhatsitError]) -> None:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    assert re.search(
        rf"\| `{error.code}` \| `{error.__name__}` \|.*\| {error.exit_status} \|", page
    )


@pytest.mark.parametrize("error", leaves(), ids=lambda error: error.code)
def test_every_error_stands_in_the_tree(error: type[errors.WhatsitError]) -> None:
    assert re.search(rf"── {error.__name__} +{error.code}\b", errors.__doc__ or "")


def test_error_codes_are_unique() -> None:
    codes = [error.code for error in all_errors()]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    command = cli.get_command(None, name)  # type: ignore[arg-type]
    assert command is not None
    assert command.help
    options = [option for option in command.params if isinstance(option, click.Option)]
    assert [option.name for option in options if not option.help] == []


def test_the_generated_pages_are_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "tools" / "docs.py"), "--check"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_named_in_text_exist(page: Path) -> None:
    named = re.findall(
        r"\b(?:docs|tests|tools|benchmarks|examples)/[\w./-]+\w", page.read_text("utf-8")
    )
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_readme_program_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    monkeypatch.chdir(zoo.GOLDEN)
    exec(compile(program, "README.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[2] == "no-such.png no file 'no-such.png'"
    assert lines[3] == "coffee.png espresso"


def test_the_readme_tree_names_every_module() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    package = ROOT / "src" / "whatsit"
    modules = {p.name for p in package.glob("*.py")} - {"__init__.py", "__main__.py"}
    folders = {f"{p.name}/" for p in package.iterdir() if (p / "__init__.py").exists()}
    assert [name for name in sorted(modules | folders) if f"\n  {name} " not in readme] == []


def test_the_changelog_has_this_version_or_unreleased() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{__version__}]" in changelog or "## [Unreleased]" in changelog


def test_the_readme_shows_what_is_printed(
    monkeypatch: pytest.MonkeyPatch, whatsit: Callable[..., Run]
) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = readme.split("$ whatsit coffee.png\n")[1].split("```")[0]
    monkeypatch.chdir(zoo.GOLDEN)
    assert whatsit("coffee.png").out == shown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_is_empty(page: Path) -> None:
    assert len(page.read_text(encoding="utf-8")) > 200
