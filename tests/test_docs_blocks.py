"""Every block of the documentation is run; what cannot be is read, and its commands must exist."""

from __future__ import annotations

import glob
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import docs_world
import pytest
from conftest import Run
from docs_blocks import (
    LANGUAGES,
    PAGES,
    ROOT,
    Block,
    Command,
    blocks_of,
    calls_of_whatsit,
    commands_of,
)

from whatsit import zoo
from whatsit.cli import COMMANDS, DEFAULT_COMMAND, cli

pytest.importorskip("av", reason="the extra `video` is not installed: the pages use all extras")

if os.name == "nt":
    pytest.skip("the pages show commands of a Unix shell", allow_module_level=True)

BLOCKS = {page: blocks_of(page) for page in PAGES}
ALL = [block for blocks in BLOCKS.values() for block in blocks]
# What may stay unrun. A new one needs a reason before its block, and this number raised.
MOST_NOT_RUN = 42
GENERATED = ("cli.md", "reference.md")
TIMES = re.compile(r'("(?:decode|preprocess|inference)": )[\d.]+')
Whatsit = Callable[..., Run]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WHATSIT_CACHE", str(tmp_path_factory.mktemp("cache-of-the-world")))
        docs_world.build(root)
    return root


@pytest.fixture
def here(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the world, as working and home folder; `whatsit` and `python` are these ones."""
    folder = tmp_path / "here"
    shutil.copytree(world, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("PATH", os.path.dirname(sys.executable), prepend=os.pathsep)
    return folder


@pytest.mark.parametrize(
    "page",
    [page for page, blocks in BLOCKS.items() if any(_.why_not_run is None for _ in blocks)],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_the_blocks_of_a_page_run(
    page: Path, here: Path, whatsit: Whatsit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In order, in one folder, and those in Python share their names."""
    names: dict[str, object] = {"__name__": "__main__"}
    for block in BLOCKS[page]:
        if block.why_not_run is not None:
            continue
        if block.language == "python":
            for made in re.findall(r'output="([^"]+)"', block.text):
                Path(made).unlink(missing_ok=True)
            program = "\n" * block.line + block.text  # for line numbers that are the page's
            if "import mediapipe" in program:
                pytest.importorskip("mediapipe", reason="mediapipe has no wheel here")
            exec(compile(program, str(page), "exec"), names)
        elif block.language == "json":
            assert [json.loads(line) for line in block.text.splitlines()], str(block)
        elif block.language in ("sh", "console"):
            golden = block.mark("written by") is not None
            monkeypatch.chdir(zoo.GOLDEN if golden else here)
            run_commands(block, whatsit)
            monkeypatch.chdir(here)


def run_commands(block: Block, whatsit: Whatsit) -> None:
    commands = commands_of(block)
    assert commands, f"{block}: no command; a console block has `$ ` before each"
    for command in commands:
        if is_set_up(block, command) or command.line.startswith(tuple(block.skipped)):
            continue
        done = run(command, whatsit)
        wanted = block.status if command is commands[-1] else 0
        assert done.status == wanted, f"{block}: {command.line}\n{done.out}{done.err}"
        if command.output is not None:
            vary = block.mark("numbers vary:") is not None
            shown = done.out or done.err
            assert comparable(shown, vary) == comparable(command.output, vary), block


def run(command: Command, whatsit: Whatsit) -> Run:
    """`whatsit` in this process, everything else through a shell."""
    words = command.words
    if words[:2] == ["whatsit", "train"] and "-o" in words:
        # Pages show the same command more than once, to say something else of it.
        Path(words[words.index("-o") + 1]).unlink(missing_ok=True)
    if words[0] == "whatsit" and not re.search(r"[|<>&;$]", command.line):
        return whatsit(*expanded(command.line))
    done = subprocess.run(["bash", "-c", command.line], capture_output=True, encoding="utf-8")
    return Run(done.returncode, done.stdout, done.stderr)


def expanded(line: str) -> Iterator[str]:
    """The words after `whatsit`, patterns and `~` as a shell gives them."""
    quoted = shlex.split(line)
    for word, bare in zip(quoted[1:], shlex.split(line, posix=False)[1:], strict=True):
        found = sorted(glob.glob(word)) if "*" in bare and bare[0] not in "'\"" else []
        yield from found or [os.path.expanduser(word)]


def comparable(text: str, numbers_vary: bool) -> str:
    text = TIMES.sub(r"\g<1>0", text)
    if numbers_vary:
        text = re.sub(r"[\d,.]*\d", "0", text)
        text = re.sub(r" +", " ", text)
    return "\n".join(line.rstrip() for line in text.strip("\n").split("\n"))


def is_set_up(block: Block, command: Command) -> bool:
    """Whether it installs or makes something, which is looked up in place of being run."""
    words = command.words
    if words[:2] == ["pip", "install"]:
        project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
        for names in re.findall(r"\[([\w,]+)\]", command.line):
            for name in names.split(","):
                assert re.search(rf"^{name} = \[", project, re.MULTILINE), str(block)
        return True
    if words[0] == "make":
        rules = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert all(re.search(rf"^{w}:", rules, re.MULTILINE) for w in words[1:]), str(block)
        return True
    return False


def test_every_block_is_in_a_language_that_is_known() -> None:
    unknown = [f"{block}: {block.language or 'none'}" for block in ALL]
    known = LANGUAGES | {"kotlin", "swift"}  # of phones: only read
    unknown = [name for name in unknown if name.rpartition(": ")[2] not in known]
    assert unknown == [], f"say one of {', '.join(sorted(LANGUAGES))}"


def test_what_is_not_run_has_a_reason_and_stays_rare() -> None:
    not_run = [(str(block), block.why_not_run) for block in ALL if block.why_not_run is not None]
    not_run += [(f"{_} {start}", why) for _ in ALL for start, why in _.skipped.items()]
    assert [where for where, why in not_run if len(why) < 10] == []
    listed = "\n".join(f"{where}: {why}" for where, why in not_run)
    assert len(not_run) <= MOST_NOT_RUN, listed


@pytest.mark.parametrize(
    "block", [block for block in ALL if block.language in ("sh", "console")], ids=str
)
def test_every_command_and_option_exists(block: Block) -> None:
    for command in commands_of(block):
        for words in calls_of_whatsit(command.line):
            check_call(words, str(block))
        is_set_up(block, command)


@pytest.mark.parametrize(
    "page",
    # The README of benchmarks/ has options of its own programs.
    [page for page in PAGES if page.name not in GENERATED and page.parent.name != "benchmarks"],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_every_command_in_the_text_exists(page: Path) -> None:
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    options = every_option()
    for code in re.findall(r"`([^`\n]+)`", text):
        if code.startswith("whatsit ") and "…" not in code and "..." not in code:
            for words in calls_of_whatsit(code):
                check_call(words, f"{page.name}: {code}")
        elif re.fullmatch(r"--[a-z][a-z-]*( .*)?", code):
            assert code.split()[0] in options, f"{page.name}: {code}"


def check_call(words: list[str], where: str) -> None:
    """The subcommand and its options exist; what they are given is not looked at."""
    context = click.Context(cli, info_name="whatsit")
    command: click.Command | None
    if words and (words[0] in COMMANDS or words[0] in ("--help", "--version")):
        command, rest = cli.get_command(context, words[0]), words[1:]
    else:
        command, rest = cli.get_command(context, DEFAULT_COMMAND), words
    while isinstance(command, click.Group):
        if not rest or rest[0].startswith("-"):
            break
        child = command.get_command(context, rest[0])
        if child is None:
            break  # such as `whatsit models`, which lists them
        command, rest = child, rest[1:]
    if command is None:
        return
    try:
        command.make_parser(click.Context(command)).parse_args(list(rest))
    except click.UsageError as error:
        pytest.fail(f"{where}: {error.format_message()}")


def every_option() -> set[str]:
    """All options of all commands, and those of programs that the pages also speak of."""
    found = {"--help", "--version"}
    todo: list[click.Command] = [cli]
    context = click.Context(cli)
    while todo:
        command = todo.pop()
        for parameter in command.params:
            found |= {*parameter.opts, *parameter.secondary_opts}
        if isinstance(command, click.Group):
            children = [command.get_command(context, n) for n in command.list_commands(context)]
            todo += [child for child in children if child is not None]
    return found


def test_other_languages_are_never_taken_for_run() -> None:
    odd = [block for block in ALL if block.language not in LANGUAGES]
    assert [str(block) for block in odd if block.why_not_run is None] == []


@pytest.mark.parametrize(
    "block", [b for b in ALL if b.language == "python" and b.why_not_run is not None], ids=str
)
def test_a_program_that_is_not_run_is_one(block: Block) -> None:
    compile(block.text, str(block), "exec")
