"""Whether what came is the model that a row of the hosted table describes."""

from __future__ import annotations

from .. import _metadata
from ..errors import DownloadFailed
from ..zoo.published import Hosted

_SIZE_OFF = 0.2  # of the published size, which is rounded, and of MB or MiB
_DTYPES = {"quantised": ("uint8", "int8"), "float": ("float32",)}


def check_row(graph: bytes, row: Hosted) -> None:
    """Raises DownloadFailed unless the model is such as its row of the hosted table says.

    For the rows whose file nobody pinned.
    """
    layout = _metadata.read_layout(graph)
    tensor = layout.inputs[0] if layout.inputs else None
    shape, dtype = (tensor.shape, tensor.dtype) if tensor else ((), "nothing")
    size_mb = len(graph) / 1e6
    side = row.side
    wrong = ""
    if dtype not in _DTYPES[row.kind]:
        wrong = f"takes {dtype}, but the table says that it is {row.kind}"
    elif side is not None and tuple(shape[1:3]) != (side, side):
        sides = " × ".join(map(str, shape[1:3]))
        wrong = f"takes pictures of {sides}, but the table says {side} × {side}"
    elif abs(size_mb / row.size_mb - 1) > _SIZE_OFF:
        wrong = f"is {size_mb:.1f} MB, but the table says {row.size_mb:g} MB"
    if wrong:
        raise DownloadFailed(
            f"what came for {row.name!r} is another model: it {wrong}",
            expected="the model of the table, whose sha256 nobody has published",
            hint="the address leads to another file now; `whatsit models get URL` takes any",
        )
