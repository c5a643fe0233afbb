"""Importing whatsit is cheap and silent, and so is what it needs to be installed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
HEAVY = {
    "PIL",
    "ai_edge_litert",
    "click",
    "concurrent",
    "flatbuffers",
    "mediapipe",
    "numpy",
    "pillow_heif",
    "rich",
    "subprocess",
    "zipfile",
}


def imported_by(program: str) -> set[str]:
    """Top-level modules that are there after `program`, in a process that begins with none."""
    script = f"import sys\n{program}\nimport json\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stderr == b""
    return {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_import_whatsit_imports_nothing_heavy() -> None:
    assert imported_by("import whatsit") & HEAVY == set()


@pytest.mark.parametrize(
    ("program", "allowed"),
    [
        ("import whatsit; whatsit.WhatsitError", set()),
        ("import whatsit; whatsit.Labels", {"numpy"}),
        ("import whatsit; whatsit.Bundle", {"numpy"}),
        ("import whatsit; whatsit.load", {"numpy"}),
        ("from whatsit import machine; machine.cpu_count()", set()),
    ],
)
def test_a_name_imports_only_what_it_needs(program: str, allowed: set[str]) -> None:
    also = {"subprocess", "zipfile"} if "numpy" in allowed else set()  # numpy brings them along
    assert imported_by(program) & HEAVY <= allowed | also


def test_a_built_in_model_answers_without_flatbuffers_rich_or_click() -> None:
    photo = PYPROJECT.parent / "src" / "whatsit" / "zoo" / "golden" / "cat.png"
    found = imported_by(f"import whatsit; whatsit.load().classify({str(photo)!r})")
    assert {"numpy", "PIL", "ai_edge_litert"} <= found
    assert found & {"rich", "click", "mediapipe"} == set()


def test_a_foreign_model_does_not_bring_litert_into_this_process(tmp_path: Path) -> None:
    import make_models

    file = tmp_path / "foreign.tflite"
    file.write_bytes(make_models.bundle(make_models.pixels(8, 8), 192))
    assert "ai_edge_litert" not in imported_by(f"import whatsit; whatsit.load({str(file)!r})")


def test_a_known_embedding_is_tapped_without_litert() -> None:
    from whatsit import zoo
    from whatsit.graph import find_head

    tensor = find_head(zoo.open_builtin(zoo.DEFAULT)).embedding
    found = imported_by(
        "from whatsit import scoring, zoo\n"
        f"scoring.tapped_program(zoo.open_builtin(zoo.DEFAULT), {tensor})"
    )
    assert found & {"ai_edge_litert", "flatbuffers", "PIL"} == set()


def test_the_base_install_needs_six_packages() -> None:
    """Read with a pattern, since Python 3.10 has no tomllib."""
    text = PYPROJECT.read_text(encoding="utf-8")
    block = re.search(r"^dependencies = \[(.*?)^\]", text, re.DOTALL | re.MULTILINE)
    assert block is not None
    names = re.findall(r'^ *"([a-z-]+)', block[1], re.MULTILINE)
    assert names == ["ai-edge-litert", "click", "flatbuffers", "numpy", "pillow", "rich"]
