"""A folder that fills up: each picture once, and only when all of it is written."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator

from .. import images
from ..errors import ImageUnreadable, SourceUnavailable, UsageError
from ..sources import Source

_LEAST_REST = 4  # times as long as a look takes
_EMPTY_S = 2.0  # after which an empty file counts as written
_State = tuple[int, int, int]  # size, modification time in ns, inode


class _Watch:
    """What was seen of a folder so far."""

    def __init__(self, folder: str, empty_looks: int) -> None:
        self._folder = folder
        self._empty_looks = empty_looks
        self._given: set[str] = set()
        self._given_empty: set[str] = set()
        self._seen: dict[str, _State] = {}  # of pictures that are new
        self._held: dict[str, int] = {}  # for how many looks they have not changed
        self._refused: set[str] = set()

    def poll(self) -> list[Source]:
        """The pictures that have not changed since the last look, by name, and new errors."""
        failures: list[OSError] = []
        paths = list(self._below(failures))
        self._forget_gone(set(paths), failures)
        found: dict[str, _State] = {}
        for path in paths:
            state = None if path in self._given else _state(path)
            if state is not None and (state[0] or path not in self._given_empty):
                found[path] = state
        self._held = {
            path: self._held.get(path, 0) + 1 if self._seen.get(path) == state else 0
            for path, state in found.items()
        }
        ready = [path for path, state in found.items() if self._held[path] >= self._looks(state)]
        self._given.update(path for path in ready if found[path][0])
        self._given_empty.difference_update(self._given)
        self._given_empty.update(path for path in ready if not found[path][0])
        self._seen = found
        return [Source(path) for path in ready] + self._errors(failures)

    def _forget_gone(self, there: set[str], failures: list[OSError]) -> None:
        """A name that went may come back with another picture.

        In a folder that cannot be listed just now, as on a network that fails, nothing went.
        """
        hidden = tuple(os.path.join(str(failure.filename), "") for failure in failures)
        for given in (self._given, self._given_empty):
            given.intersection_update([p for p in given if p in there or p.startswith(hidden)])

    def _looks(self, state: _State) -> int:
        """How many in a row must find it unchanged: an empty one may still be written."""
        return 1 if state[0] else self._empty_looks

    def _below(self, failures: list[OSError]) -> Iterator[str]:
        """Pictures by name; links to folders are not followed."""
        for parent, folders, names in os.walk(self._folder, onerror=failures.append):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(parent, name)
                if images.is_picture_name(name):
                    yield path

    def _errors(self, failures: list[OSError]) -> list[Source]:
        """One each for sub-folders that cannot be listed, the first time; some just went."""
        found = []
        for failure in failures:
            name = str(failure.filename)
            if name in self._refused or isinstance(failure, FileNotFoundError):
                continue
            self._refused.add(name)
            error = ImageUnreadable(
                f"cannot list the folder {name!r}: {failure.strerror}",
                hint="change its permissions or run as its owner",
            )
            found.append(Source(name, error))
        return found


def watched(folder: str, poll_s: float, patience_s: float | None) -> Iterator[Source]:
    """See open_folder."""
    watch = _Watch(folder, math.ceil(_EMPTY_S / poll_s))
    last_s = time.monotonic()
    while True:
        began_s = time.monotonic()
        found = watch.poll()
        took_s = time.monotonic() - began_s
        if found:
            yield from found
            last_s = time.monotonic()
        elif patience_s is not None and time.monotonic() - last_s >= patience_s:
            return
        check(folder)
        # Of a folder so large that a look takes long, looking must not be all that is done.
        time.sleep(max(poll_s, _LEAST_REST * took_s))


def check(folder: str) -> None:
    """Raises SourceUnavailable if there is no such folder, UsageError if it is something else."""
    try:
        names = os.scandir(folder)
    except FileNotFoundError as error:
        raise SourceUnavailable(
            f"there is no folder {folder!r}", hint="check the spelling"
        ) from error
    except NotADirectoryError as error:
        raise UsageError(f"{folder!r} is not a folder", expected="a folder of pictures") from error
    except PermissionError as error:
        raise SourceUnavailable(
            f"the folder {folder!r} may not be listed",
            hint="change its permissions or run as its owner",
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SourceUnavailable(f"cannot list the folder {folder!r}: {reason}") from error
    names.close()


def _state(path: str) -> _State | None:
    """What changes while a file is written; None if it is gone, or is no file."""
    try:
        state = os.stat(path)
    except OSError:
        return None
    if not os.path.isfile(path):
        return None
    return state.st_size, state.st_mtime_ns, state.st_ino
