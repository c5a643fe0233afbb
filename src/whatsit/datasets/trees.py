"""The tree that the classes of a data set may hang in: a CSV file with the columns class, parent.

Each class has a row, and so may what is above it; a node without a parent is at the top. Nodes
above classes are known by their names.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..errors import DatasetError, ModelUnsupported
from ..labels import Labels
from . import tables
from .base import listed, quoted

COLUMNS = "a first line class,parent"
ANYTHING = ("", "anything")  # the id and name of what is above all, where several nodes are on top
_START_BYTES = 1 << 16  # of a file, which hold its first line


def is_tree(path: Path) -> bool:
    """Whether the first line of a file says that it holds a tree, and no list of pictures."""
    try:
        with open(path, "rb") as file:
            start = file.read(_START_BYTES).decode("utf-8-sig", "replace")
    except OSError:
        return False
    first = next((line.strip() for line in start.splitlines() if line.strip()), "")
    return _columns(first) is not None


def read(path: str | os.PathLike[str], names: Sequence[str]) -> Labels:
    """Classes of these names in the tree of the file.

    Raises DatasetError for a file that is no tree, or not one of these classes.
    """
    shown = repr(os.fspath(path))
    parents = _parents(Path(path))
    inner = {parent for parent in parents.values() if parent}
    _check(shown, names, parents, inner)
    tops = {node for node in (*names, *inner) if not parents.get(node)}
    tree: dict[str, tuple[str, str | None]] = {
        node: (node, parents.get(node) or None) for node in sorted(inner)
    }
    if len(tops) > 1:
        root, called = ANYTHING
        tree |= {node: (node, root) for node in sorted(tops & inner)}
        tree[root] = (called, None)
    labels = Labels(
        tuple(names), parents=tuple(parents[name] or ANYTHING[0] for name in names), tree=tree
    )
    try:
        for index in range(len(names)):
            labels.ancestors(index)
    except ModelUnsupported as error:
        raise DatasetError(f"in {shown} {error.message}", expected=error.expected) from error
    return labels


def with_class(labels: Labels, name: str) -> Labels:
    """The classes of a tree and one more, at its top. Raises DatasetError for a node's name."""
    if name in labels.tree:
        raise DatasetError(
            f"{quoted(name)} is a node in the tree of the model's classes",
            expected="another name for the class",
        )
    root = labels.ancestors(0)[-1]
    return Labels((*labels.names, name), parents=(*labels.parents, root), tree=labels.tree)


def _columns(first: str) -> tuple[str, int, int] | None:
    """The delimiter, and where the class and its parent stand; None if the line does not say so."""
    for delimiter in tables.DELIMITERS:
        try:
            cells = next(csv.reader([first[:1000]], delimiter=delimiter), [])
        except csv.Error:  # Python 3.10 on a NUL
            return None
        names = [name.strip().casefold() for name in cells]
        known = [name for name in ("class", "label") if name in names]
        if known and "parent" in names and "file" not in names:
            return delimiter, names.index(known[0]), names.index("parent")
    return None


def _parents(path: Path) -> dict[str, str]:
    """The parent of each node, "" for none."""
    text = tables.text_of(path, COLUMNS)
    lines = text.splitlines(keepends=True)
    first = next((line.strip() for line in lines if line.strip()), "")
    columns = _columns(first)
    if columns is None:
        what = f"the first line of {os.fspath(path)!r} is {quoted(first)}"
        raise DatasetError(
            what if first else f"{os.fspath(path)!r} is empty",
            expected=COLUMNS,
            hint="each class has a row with what is above it",
        )
    delimiter, node_at, parent_at = columns
    found: dict[str, str] = {}
    for number, cells in tables.cells_of(path, lines, delimiter, _ROW):
        if len(cells) <= max(node_at, parent_at):
            raise tables.bad_line(path, number, f"has {len(cells)} columns", _ROW)
        node, parent = cells[node_at].strip(), cells[parent_at].strip()
        if not node or len(f"{node}{parent}".splitlines()) != 1:
            raise tables.bad_line(path, number, f"has the class {quoted(node)}", _ROW)
        if found.setdefault(node, parent) != parent:
            raise tables.bad_line(
                path,
                number,
                f"puts {quoted(node)} below {_above(parent)}, and it was below "
                f"{_above(found[node])}",
                "one parent for each",
            )
    return found


_ROW = "a class and its parent, which may be empty"


def _above(parent: str) -> str:
    return quoted(parent) if parent else "nothing"


def _check(
    shown: str, names: Sequence[str], parents: Mapping[str, str], inner: Iterable[str]
) -> None:
    """Raises DatasetError unless these are classes in a tree."""
    inner, classes = set(inner), set(names)
    above = sorted(inner & classes)
    if above:
        raise DatasetError(
            f"the tree {shown} has something below the class {quoted(above[0])}",
            expected="classes at the ends of the tree",
            hint="give what is above classes a name of its own",
        )
    unknown = [node for node in parents if node not in inner and node not in classes]
    if unknown:
        import difflib

        close = difflib.get_close_matches(unknown[0], names, n=1)
        raise DatasetError(
            f"the tree {shown} has {listed(unknown)}, which the data set has not",
            expected="its classes, and what is above them",
            hint=f"did you mean {close[0]!r}?" if close else "",
        )
    missing = [name for name in names if name not in parents]
    if missing:
        raise DatasetError(
            f"the tree {shown} has no row for {listed(missing)}",
            expected="a row for each class",
            hint="an empty parent puts it at the top",
        )
    _check_circles(shown, parents)


def _check_circles(shown: str, parents: Mapping[str, str]) -> None:
    good: set[str] = set()
    for start in parents:
        way: list[str] = []
        passed: set[str] = set()
        node = start
        while node and node not in good:
            if node in passed:
                circle = [*way[way.index(node) :], node]
                raise DatasetError(
                    f"the tree {shown} goes in a circle: {listed(circle)}",
                    expected="each way up ends",
                )
            way.append(node)
            passed.add(node)
            node = parents.get(node, "")
        good |= passed
