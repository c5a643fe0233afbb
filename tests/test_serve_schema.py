"""The API keeps what its own description promises: judged by schemathesis, for a short while."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("schemathesis", reason="schemathesis is not installed")

from api_server import running

from whatsit.serve.settings import Settings

# A class, a region or a rule can be well formed and yet make no sense, which is 422.
ARGUMENTS = ["--max-examples=5", "--seed=1", "--exclude-checks=positive_data_acceptance"]
RUN = "import sys; from schemathesis.cli import schemathesis; schemathesis(sys.argv[1:])"


def test_what_the_description_promises(tmp_path: Path) -> None:
    with running(Settings(workers=2)) as api:
        address = f"http://127.0.0.1:{api.port}/openapi.json"
        done = subprocess.run(
            [sys.executable, "-c", RUN, "run", address, *ARGUMENTS],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        described = api("GET", "/openapi.json").json
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Tested: {len(described['paths'])}" in done.stdout
