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

CONFIG = Path(__file__).parent.parent / "schemathesis.toml"
KEY = "kept-secret"
ARGUMENTS = ["--max-examples=5", "--seed=1"]
RUN = "import sys; from schemathesis.cli import schemathesis; schemathesis(sys.argv[1:])"


@pytest.mark.parametrize(
    ("key", "headers"),
    [
        (None, []),
        (KEY, ["-H", f"X-API-Key: {KEY}"]),
        (KEY, ["-H", f"Authorization: Bearer {KEY}"]),
    ],
)
def test_what_the_description_promises(tmp_path: Path, key: str | None, headers: list[str]) -> None:
    with running(Settings(workers=2, api_key=key)) as api:
        address = f"http://127.0.0.1:{api.port}/openapi.json"
        run = [sys.executable, "-c", RUN, f"--config-file={CONFIG}", "run"]
        done = subprocess.run(
            [*run, address, *ARGUMENTS, *headers],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        described = api("GET", "/openapi.json").json
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Tested: {len(described['paths'])}" in done.stdout
