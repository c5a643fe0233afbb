"""A disk that is full, as far as this process can see it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

try:
    import resource
except ImportError:  # Windows
    needs_limits = pytest.mark.skip(reason="no limit on the size of files")
else:
    needs_limits = pytest.mark.skipif(False, reason="")


@contextlib.contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """Writing beyond `size_bytes` fails, in any file: "File too large"."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
