"""A bundle with another graph: the same classes and everything else that is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import _metadata
from ..bundle import LICENSE_FILE, Bundle

# What was true of the old graph only.
NOT_INHERITED = frozenset({"accuracy", "estimate", "parents", "quantization", "decisions", "trust"})


def remade(
    bundle: Bundle, graph: bytes, *, name: str, mean: float, std: float, facts: Mapping[str, Any]
) -> Bundle:
    """`graph` with the labels, preprocessing, licence and record of `bundle`, as its child.

    `mean` and `std` are what the graph's uint8 input stands for. `facts` are added to the record
    and go before what it holds: `parents` too.
    """
    about = bundle.metadata
    files = _metadata.read_files(bundle.data)
    kept = {key: value for key, value in bundle.record.items() if key not in NOT_INHERITED}
    own = bundle.record.get("parents")
    me = {"name": bundle.name, "sha256": bundle.sha256}
    chain = [*(own if isinstance(own, list) else []), me]
    return Bundle.create(
        graph,
        name=name,
        labels=bundle.labels,
        preprocess=bundle.preprocess,
        mean=mean,
        std=std,
        facts={**kept, "parents": chain, **facts},
        description=about.description,
        author=about.author,
        license=about.license,
        license_text=files.get(LICENSE_FILE, b"").decode("utf-8", "replace"),
    )
