"""What a batch run gives besides its files: counts, rates, and where everything is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

# (done, total, failed); the total is None while the inputs are still being listed
Progress = Callable[[int, "int | None", int], None]
Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class BatchReport:
    """The files written, in order, and what is in them.

    `by_code` counts the failed pictures by the code of their error, and `examples` has the first
    message of each; `from_cache` counts those answered without the model, `resumed` the rows that
    an earlier, interrupted run had done. `errors` is the path of the list of errors, None where
    nothing failed. `per_s` counts what this run did.
    """

    out: tuple[str, ...]
    pictures: int
    failed: int
    by_code: Mapping[str, int]
    from_cache: int
    resumed: int
    wall_s: float
    per_s: float
    errors: str | None = None
    examples: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The object that `whatsit batch --json` prints."""
        return {
            "out": list(self.out),
            "errors": self.errors,
            "pictures": self.pictures,
            "failed": self.failed,
            "by_code": dict(self.by_code),
            "examples": dict(self.examples),
            "from_cache": self.from_cache,
            "resumed": self.resumed,
            "wall_s": round(self.wall_s, 3),
            "per_s": round(self.per_s, 2),
        }
