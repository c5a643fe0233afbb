"""What is wrong with the edges of a graph: its inputs and outputs, as readers ask for them."""

from __future__ import annotations

from collections.abc import Iterator

from .._metadata import TensorInfo
from ..wording import counted, shown
from .specimen import Specimen
from .values import Finding, Severity

_EDGES = ("float32", "uint8")
_SHOWN = 5
_SERIOUS, _WARNING = Severity.SERIOUS, Severity.WARNING


def of_edges(specimen: Specimen) -> Iterator[Finding]:
    layout = specimen.layout
    if layout.subgraphs != 1:
        yield Finding(
            "several-subgraphs",
            _SERIOUS,
            f"{layout.subgraphs} subgraphs",
            ("MediaPipe: classification models are assumed to have a single subgraph",),
            "Convert the model again, without control flow.",
        )
    if len(layout.inputs) != 1:
        yield Finding(
            "several-inputs",
            _SERIOUS,
            f"{counted(len(layout.inputs), 'input')}",
            ("MediaPipe: image models are assumed to have a single input",),
            "Convert the model again, with the picture as its only input.",
        )
    yield from _input(specimen)
    yield from _outputs(specimen)
    edges = [*layout.inputs, *layout.outputs]
    with_semicolon = [edge.name for edge in edges if ";" in edge.name]
    if with_semicolon:
        yield Finding(
            "semicolons",
            _WARNING,
            "A semicolon in the name of an input or output",
            tuple(shown(name, 120) for name in with_semicolon),
            "Readers that take the name for a list fail: `--fix` puts commas in their place.",
            mended=True,
        )


def _input(specimen: Specimen) -> Iterator[Finding]:
    tensor = specimen.input
    if tensor is None:
        return
    if specimen.channels_first:
        yield Finding(
            "channels-first",
            _SERIOUS,
            "The input is channels first (NCHW)",
            (
                f"its shape is {list(tensor.shape)}; [1, height, width, 3] is expected",
                "MediaPipe: only 4D tensors in BHWD layout are supported",
            ),
            "`--fix` puts a TRANSPOSE before the graph; better convert it with channels last.",
            mended=True,
        )
    elif specimen.height_width is None:
        yield Finding(
            "input-shape",
            _SERIOUS,
            "The input is no picture",
            (f"its shape is {list(tensor.shape)}; [1, height, width, 3] is expected",),
            "Convert the model again, for one RGB picture at a time.",
        )
    if tensor.dtype == "int8":
        yield _int8("input", tensor)
    elif tensor.dtype not in _EDGES:
        yield _odd_edge("input", tensor)


def _int8(edge: str, tensor: TensorInfo) -> Finding:
    return Finding(
        "int8-edges",
        _SERIOUS,
        f"The {edge} is int8",
        (
            f"{tensor.name!r} is int8, scale {tensor.scale}, zero point {tensor.zero_point}",
            "MediaPipe and the Task Library take uint8 or float32 alone (error 302 or 401)",
        ),
        "`--fix` puts a uint8 input (the same values plus 128) and a float32 output around the "
        "graph; its weights stay int8.",
        mended=tensor.scale is not None,
    )


def _odd_edge(edge: str, tensor: TensorInfo) -> Finding:
    return Finding(
        "edge-type",
        _SERIOUS,
        f"The {edge} is {tensor.dtype}",
        (f"{tensor.name!r} is {tensor.dtype}; uint8 or float32 is expected",),
        "Convert the model again with float32 or uint8 edges.",
    )


def _outputs(specimen: Specimen) -> Iterator[Finding]:
    outputs = specimen.layout.outputs
    if len(outputs) > 1:
        yield Finding(
            "several-outputs",
            _SERIOUS,
            f"{len(outputs)} outputs",
            tuple(f"{output.name!r}: {list(output.shape)}" for output in outputs[:_SHOWN]),
            "MediaPipe takes each for a list of classes of its own, and asks for metadata of each: "
            "`--fix` keeps the one that has the labels.",
            mended=True,
        )
    for output in outputs[:1]:
        if not specimen.classes:
            yield Finding(
                "output-shape",
                _SERIOUS,
                "The output is no list of scores",
                (f"its shape is {list(output.shape)}; [1, classes] is expected",),
                "Is it a classifier? Convert the model again with one score a class.",
            )
        if output.dtype == "int8":
            yield _int8("output", output)
        elif output.dtype not in _EDGES:
            yield _odd_edge("output", output)
        elif output.dtype == "uint8" and not output.scale:
            yield Finding(
                "output-scale",
                _SERIOUS,
                "The uint8 output has no scale",
                (f"{output.name!r} is uint8 without quantisation parameters",),
                "Quantise the model again.",
            )
