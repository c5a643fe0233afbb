"""What lies in the folders of a data set and is not used."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from .. import images
from ..datasets.folders import is_hidden
from ..errors import InputError
from .looks import seen

_MOST_BYTES = 1 << 26  # of a file that is opened only to see whether it is a picture


@dataclass(frozen=True, slots=True)
class Unused:
    """Paths by why they are not used; `empty` are the names of classes without pictures."""

    hidden: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)  # by their content, not by their name
    loose: list[str] = field(default_factory=list)  # pictures beside the folders of the classes
    others: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)  # to folders
    empty: list[str] = field(default_factory=list)


def unused(root: Path, used: frozenset[str]) -> Unused:
    """What is below the folder of a data set of a folder for each class, besides `used`."""
    found = Unused()
    top = os.fspath(root)
    start = os.path.join(top, "")
    filled = {path.removeprefix(start).split(os.sep)[0] for path in used}
    for parent, folders, files in os.walk(root):
        hidden = [name for name in folders if is_hidden(name)]
        found.hidden.extend(os.path.join(parent, name, "") for name in sorted(hidden))
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        paths = [os.path.join(parent, name) for name in folders]
        found.links.extend(path for path in paths if os.path.islink(path))
        if parent == top:
            found.empty.extend(name for name in folders if name not in filled)
        for name in sorted(files):
            _place(os.path.join(parent, name), parent == top, used, found)
    return found


def _place(path: str, loose: bool, used: frozenset[str], found: Unused) -> None:
    name = os.path.basename(path)
    if path in used:
        return
    if is_hidden(name):
        found.hidden.append(path)
    elif images.is_picture_name(name):
        (found.loose if loose else found.others).append(path)
    elif _is_picture(path):
        found.pictures.append(path)
    else:
        found.others.append(path)


def _is_picture(path: str) -> bool:
    try:
        if os.stat(path).st_size > _MOST_BYTES:
            return False
        seen(path)
    except (InputError, OSError):
        return False
    return True
