"""The docs say what the code does: commands, errors, links and snippets."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from conftest import Run

from whatsit import _HOMES, __version__, errors, zoo
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


def test_every_error_of_the_app_is_documented() -> None:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    web = ROOT / "src" / "whatsit" / "serve" / "web"
    modules = [path for path in web.rglob("*.js") if "rt" not in path.relative_to(web).parts]
    text = "\n".join(path.read_text(encoding="utf-8") for path in modules)
    codes = set(re.findall(r'WhatsitError\(\s*"([a-z-]+)"', text))
    codes |= set(re.findall(r'"(camera-[a-z]+)": \{', text))
    assert len(codes) > 20
    assert [code for code in sorted(codes) if f"`{code}`" not in page] == []


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


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_stands_in_the_reference(name: str) -> None:
    """Its options too, since the page holds its help; hidden ones have none."""
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    section = page.split(f"\n## whatsit {name}\n")[1].split("\n## ")[0]
    command = cli.get_command(None, name)  # type: ignore[arg-type]
    assert command is not None
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert all(option in section for option in parameter.opts), parameter.opts


@pytest.mark.parametrize("name", _HOMES)
def test_every_public_name_stands_in_the_reference(name: str) -> None:
    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    assert f"\n### {name}\n" in page or f"\n| `{name}` |" in page


@pytest.mark.parametrize(
    ("picture", "answer"),
    [("coffee.png", "sure"), ("cat.png", "ambiguous: domestic cat"), ("flower.jpg", "unknown")],
)
def test_the_introduction_tells_true(
    picture: str, answer: str, whatsit: Callable[..., Run]
) -> None:
    """Its words, and those below the picture of the terminal, say these verdicts too."""
    first = whatsit(zoo.GOLDEN / picture, "--top", 1).out.splitlines()[0]
    assert first.endswith(f"{picture}  {answer}")


def test_every_key_of_the_json_is_documented(whatsit: Callable[..., Run]) -> None:
    page = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
    printed = whatsit("--json", zoo.GOLDEN / "cat.png").out
    printed += whatsit("--json", zoo.GOLDEN / "no-such.png").out
    keys = set()
    for line in printed.splitlines():
        keys |= keys_of(json.loads(line))
    inside = {"decode", "preprocess", "inference"}  # of timings_ms, in its row
    assert [key for key in sorted(keys - inside) if f"\n| `{key}` |" not in page] == []
    assert [key for key in inside if f"`{key}`" not in page] == []


def commands_with_json() -> list[str]:
    """Such as `models show`."""
    found = []
    todo: list[tuple[str, click.Command]] = [("", cli)]
    context = click.Context(cli)
    while todo:
        path, command = todo.pop()
        if any("--json" in parameter.opts for parameter in command.params):
            found.append(path)
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                assert inner is not None
                todo.append((f"{path} {name}".strip(), inner))
    return sorted(found)


@pytest.mark.parametrize("command", commands_with_json())
def test_every_command_with_json_says_what_it_prints(command: str) -> None:
    page = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
    assert f"`whatsit {command} --json`" in page


def keys_of(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {key for inner in value.values() for key in keys_of(inner)}
    if isinstance(value, list):
        return {key for inner in value for key in keys_of(inner)}
    return set()


def test_the_numbers_of_the_readme_stand_on_the_pages_it_names() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    claims = readme.split("## What sets it apart\n")[1].split("\n## ")[0].split("\n- ")[1:]
    assert len(claims) >= 5
    for claim in claims:
        pages = re.findall(r"\]\((docs/[\w./-]+\.md)\)", claim)
        assert pages, claim
        text = " ".join((ROOT / page).read_text(encoding="utf-8") for page in pages)
        plain = re.sub(r"\s+", " ", text)
        for number in re.findall(r"\d+(?: \d{3}|\.\d+)*(?: (?:%|ms|MB|seconds))?", claim):
            assert number in plain, f"{number} is not in {', '.join(pages)}"


@pytest.mark.parametrize(
    "drawing", sorted((ROOT / "docs" / "pictures").glob("*.svg")), ids=lambda path: path.name
)
def test_a_drawing_asks_for_nothing(drawing: Path) -> None:
    text = drawing.read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\s\"')]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|@font-face|url\(|<script|<image|href", text)
    assert "<title>" in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_is_empty(page: Path) -> None:
    assert len(page.read_text(encoding="utf-8")) > 200
