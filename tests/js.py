"""The app's JavaScript modules, called from Python: one Node process, one JSON line a call."""

from __future__ import annotations

import base64
import json
import math
import queue
import shutil
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pytest

WEB = Path(__file__).parents[1] / "src" / "whatsit" / "serve" / "web"
BRIDGE = Path(__file__).parent / "web" / "bridge.mjs"
NODE = shutil.which("node")
_OLDEST = (20, 19)  # the first that takes a .js file with exports for a module
_LIMIT_S = 60.0


class JsError(Exception):
    """A WhatsitError that JavaScript threw."""

    def __init__(self, code: str, message: str, expected: str, hint: str) -> None:
        super().__init__(message)
        self.code, self.message, self.expected, self.hint = code, message, expected, hint


class JsCrash(Exception):
    """Anything else that JavaScript threw, or no answer within a minute."""


class JsMap(dict[Any, Any]):
    """A dict that goes to JavaScript as a Map."""


class Js:
    """`js("core/rule.js", "parseRule", "crop(0.875)")` calls an exported function.

    Modules are named relative to src/whatsit/serve/web; a name may be dotted (`Labels.fromLines`);
    a promise is awaited. Arguments: numbers, text, lists, dicts (objects), None (null), bytes and
    arrays (typed arrays, flat), a Path (the Uint8Array of that file), a JsMap, kept objects. What
    comes back: objects and Maps as dicts, typed arrays as flat arrays, undefined as None.
    """

    def __init__(self) -> None:
        if NODE is None:
            pytest.skip("there is no node")
        version = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True)
        numbers = version.stdout.strip().removeprefix("v").split(".")
        if (int(numbers[0]), int(numbers[1])) < _OLDEST:
            pytest.skip(f"node is older than {'.'.join(map(str, _OLDEST))}")
        quiet = "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON"
        self._process = subprocess.Popen(
            [NODE, quiet, str(BRIDGE), str(WEB)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __call__(self, module: str, name: str, *arguments: object) -> Any:
        """What the function `name` of `module` returns. Raises JsError and JsCrash."""
        return self._value({"module": module, "name": name, "how": "call"}, arguments)

    def new(self, module: str, name: str, *arguments: object) -> JsObject:
        """An object of the class `name`, kept in Node."""
        return JsObject(self, self._ask({"module": module, "name": name, "how": "new"}, arguments))

    def keep(self, module: str, name: str, *arguments: object) -> JsObject:
        """What the function `name` returns, kept in Node to be asked or given to others."""
        return JsObject(self, self._ask({"module": module, "name": name, "how": "keep"}, arguments))

    def _value(self, request: dict[str, Any], arguments: tuple[object, ...]) -> Any:
        return _decoded(self._ask(request, arguments)["value"])

    def _ask(self, request: dict[str, Any], arguments: tuple[object, ...]) -> dict[str, Any]:
        request["arguments"] = [_encoded(argument) for argument in arguments]
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._lines.get(timeout=_LIMIT_S)
        except (OSError, queue.Empty):  # it has ended, or does not end
            self._process.kill()
            line = ""
        if not line:
            raise JsCrash(f"{request['name']}: Node gave no answer")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise JsError(**answer["error"])
        if "crash" in answer:
            raise JsCrash(answer["crash"])
        return answer

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def close(self) -> None:
        """Ends Node."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.close()
            self._process.wait(timeout=5)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._process.stdout.close()

    def __enter__(self) -> Js:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class JsObject:
    """An object that stays in Node: `judge.call("judge", scores, None)`, `judge.get("tensor")`."""

    def __init__(self, js: Js, answer: dict[str, Any]) -> None:
        self._js, self.handle = js, int(answer["handle"])

    def call(self, name: str, *arguments: object) -> Any:
        """What its method `name` returns."""
        return self._js._value({"handle": self.handle, "name": name, "how": "call"}, arguments)

    def keep(self, name: str, *arguments: object) -> JsObject:
        """What its method `name` returns, kept in Node."""
        answer = self._js._ask({"handle": self.handle, "name": name, "how": "keep"}, arguments)
        return JsObject(self._js, answer)

    def get(self, name: str) -> Any:
        """Its property `name`, which may be dotted."""
        return self._js._value({"handle": self.handle, "name": name, "how": "get"}, ())

    def drop(self) -> None:
        """Lets Node forget it."""
        self._js._ask({"handle": self.handle, "name": "", "how": "drop"}, ())


def _encoded(value: object) -> Any:
    if isinstance(value, JsObject):
        return {"$handle": value.handle}
    if isinstance(value, Path):
        return {"$file": str(value)}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _encoded_bytes(bytes(value), "uint8")
    if isinstance(value, np.ndarray):
        return _encoded_bytes(np.ascontiguousarray(value).tobytes(), value.dtype.name)
    if isinstance(value, np.generic):
        return _encoded(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return {"$number": "NaN" if math.isnan(value) else f"{'-' * (value < 0)}Infinity"}
    if isinstance(value, JsMap):
        return {"$map": [[_encoded(key), _encoded(part)] for key, part in value.items()]}
    if isinstance(value, Mapping):
        return {str(key): _encoded(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encoded(part) for part in value]
    return value


def _encoded_bytes(content: bytes, dtype: str) -> dict[str, str]:
    return {"$bytes": base64.b64encode(content).decode(), "dtype": dtype}


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(part) for part in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = ((key, part) for key, part in value.items() if key != "dtype")
    if kind == "$bytes":
        return np.frombuffer(base64.b64decode(content), value["dtype"])
    if kind in ("$map", "$object"):
        return {_decoded(key): _decoded(part) for key, part in content}
    if kind == "$set":
        return {_decoded(part) for part in content}
    if kind == "$number":
        return float(content.replace("Infinity", "inf"))
    return int(content) if kind == "$integer" else None
