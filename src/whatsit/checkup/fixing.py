"""Mends a file: the graph's edges, its metadata and its labels, in a new file that others take.

Each change is a small function that says in words what it did. The weights stay as they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..bundle import LICENSE_FILE, Bundle
from ..errors import ModelDamaged, ModelUnsupported
from ..labels import Labels
from ..preprocess import Preprocess
from .specimen import Specimen
from .ways import Range

if TYPE_CHECKING:
    from ..graph.write import GraphWriter

_PLAIN = Range((0.0,), (1.0,))


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be otherwise in the new file; None keeps what there is.

    `range` is what the graph's own float input takes. `swap` turns RGB into what a graph of BGR
    takes, `softmax` makes probabilities of its logits, `output` is the one that is kept.
    """

    labels: Labels | Sequence[str] | None = None
    range: Range | None = None
    rule: Preprocess | None = None
    swap: bool = False
    softmax: bool = False
    output: int = 0


def mend(specimen: Specimen, plan: Plan) -> tuple[Bundle, tuple[str, ...]]:
    """The mended model and what was done. Raises ModelUnsupported for what cannot be mended."""
    from .._flatbuffer import read_model
    from ..graph.write import GraphWriter

    done: list[str] = []
    try:
        model = read_model(specimen.data)
    # The generated code checks nothing: of damaged tables it raises nearly anything.
    except Exception as error:
        raise ModelDamaged(f"model {specimen.name!r}: its tables cannot be read") from error
    if len(model.subgraphs) != 1 or len(model.subgraphs[0].inputs) != 1:
        raise ModelUnsupported(
            f"model {specimen.name!r} has several inputs or subgraphs, which nothing can mend",
            expected="one picture in",
            hint="convert it again",
        )
    model.metadata = model.signatureDefs = None  # they name tensors that may be replaced
    writer = GraphWriter.onto(model)
    for name in _renamed(writer):
        done.append(f"the tensor {name!r} has commas for its semicolons")
    one = plan.range or _PLAIN
    done += _mend_input(writer, plan)
    output, words = _mend_output(writer, plan)
    done += words
    graph = writer.finish([int(index) for index in writer.graph.inputs], [output])
    bundle = _bundle(specimen, plan, graph, _single(one), done)
    return bundle, tuple(done)


def _renamed(writer: GraphWriter) -> list[str]:
    """Takes the semicolons out of all names; returns those of the edges that had any."""
    from ..graph.read import tensor_name

    edges = {*map(int, writer.graph.inputs), *map(int, writer.graph.outputs)}
    found = []
    for index, tensor in enumerate(writer.graph.tensors):
        name = tensor_name(tensor)
        if ";" in name:
            tensor.name = name.replace(";", ",")
            found += [name] if index in edges else []
    return found


def _mend_input(writer: GraphWriter, plan: Plan) -> list[str]:
    """Puts before the graph what turns a usual input into its own, the last step first."""
    from ..graph.read import Type

    done = []
    if writer.graph.tensors[_input(writer)].type == Type.INT8:
        _from_uint8(writer)
        done.append("the input is uint8 in place of int8")
    if plan.range is not None and len(set(zip(plan.range.means, plan.range.stds, strict=True))) > 1:
        _scaled_by_channel(writer, plan.range)
        done.append("mean and std of each colour are in the graph")
    if plan.swap:
        _swapped(writer)
        done.append("the graph turns RGB into the BGR that it takes")
    shape = writer.graph.tensors[_input(writer)].shape
    if len(shape) == 4 and shape[1] == 3 and shape[3] != 3:
        _channels_last(writer)
        done.append("the input is channels last")
    return done


def _input(writer: GraphWriter) -> int:
    return int(writer.graph.inputs[0])


def _before(writer: GraphWriter, new: int) -> None:
    """Makes the operator that was added last the first one, and `new` the input."""
    writer.graph.operators.insert(0, writer.graph.operators.pop())
    writer.graph.inputs = np.array([new], np.int32)


def _from_uint8(writer: GraphWriter) -> None:
    from ai_edge_litert import schema_py_generated as schema

    from ..graph.read import Op, Quantisation, Type, shape_of

    old = _input(writer)
    tensor = writer.graph.tensors[old]
    own = Quantisation.of(tensor)
    if own is None:
        raise ModelUnsupported("its int8 input has no scale, so nobody knows what it takes")
    moved = Quantisation(own.scales, own.zero_points + 128)
    new = writer.tensor("image", shape_of(tensor), Type.UINT8, moved)
    writer.operator(Op.QUANTIZE, 1, [new], [old], schema.QuantizeOptionsT())
    _before(writer, new)


def _scaled_by_channel(writer: GraphWriter, chosen: Range) -> None:
    """(p - m_i) / s_i as gains and offsets of (p - mean) / std of `_single`."""
    from ai_edge_litert import schema_py_generated as schema

    from ..graph.read import Op, Type, shape_of

    mean, std = _single(chosen)
    means = np.broadcast_to(np.array(chosen.means, np.float64), 3)
    stds = np.broadcast_to(np.array(chosen.stds, np.float64), 3)
    old = _input(writer)
    shape = shape_of(writer.graph.tensors[old])
    sides = (3, 1, 1) if shape[1] == 3 and shape[3] != 3 else (3,)
    offsets = writer.constant(
        "range/offset", ((mean - means) / stds).astype(np.float32).reshape(sides)
    )
    gains = writer.constant("range/gain", (std / stds).astype(np.float32).reshape(sides))
    between = writer.tensor("range/scaled", shape, Type.FLOAT32)
    new = writer.tensor("image", shape, Type.FLOAT32)
    writer.operator(Op.ADD, 1, [between, offsets], [old], schema.AddOptionsT())
    _before(writer, between)
    writer.operator(Op.MUL, 1, [new, gains], [between], schema.MulOptionsT())
    _before(writer, new)


def _swapped(writer: GraphWriter) -> None:
    from ai_edge_litert import schema_py_generated as schema

    from ..graph.read import Op, Quantisation, shape_of

    old = _input(writer)
    tensor = writer.graph.tensors[old]
    shape = shape_of(tensor)
    new = writer.tensor("image", shape, tensor.type, Quantisation.of(tensor))
    order = writer.constant("image/order", np.array([2, 1, 0], np.int32))
    options = schema.GatherOptionsT()
    options.axis = 1 if shape[1] == 3 and shape[3] != 3 else 3
    writer.operator(Op.GATHER, 1, [new, order], [old], options)
    _before(writer, new)


def _channels_last(writer: GraphWriter) -> None:
    from ai_edge_litert import schema_py_generated as schema

    from ..graph.read import Op, Quantisation, shape_of

    old = _input(writer)
    tensor = writer.graph.tensors[old]
    batch, channels, height, width = shape_of(tensor)
    shape = (batch, height, width, channels)
    new = writer.tensor("image", shape, tensor.type, Quantisation.of(tensor))
    order = writer.constant("image/axes", np.array([0, 3, 1, 2], np.int32))
    writer.operator(Op.TRANSPOSE, 1, [new, order], [old], schema.TransposeOptionsT())
    _before(writer, new)


def _mend_output(writer: GraphWriter, plan: Plan) -> tuple[int, list[str]]:
    """Puts behind the graph what makes one list of probabilities of its output."""
    from ai_edge_litert import schema_py_generated as schema

    from ..graph.read import Op, Type, shape_of

    done = []
    outputs = [int(index) for index in writer.graph.outputs]
    output = outputs[plan.output]
    if len(outputs) > 1:
        done.append(f"of {len(outputs)} outputs one is left")
    if writer.graph.tensors[output].type == Type.INT8 or plan.softmax:
        if writer.graph.tensors[output].type != Type.FLOAT32:
            done.append("the output is float32")
        output = writer.dequantised(output)
    if plan.softmax:
        shape = shape_of(writer.graph.tensors[output])
        scores = writer.tensor("scores", shape, Type.FLOAT32)
        options = schema.SoftmaxOptionsT()
        options.beta = 1.0
        writer.operator(Op.SOFTMAX, 1, [output], [scores], options)
        output = scores
        done.append("the output goes through softmax")
    return output, done


def _single(chosen: Range) -> tuple[float, float]:
    """The one mean and std of the metadata; the mean a whole number where there are three."""
    if len(set(zip(chosen.means, chosen.stds, strict=True))) == 1:
        return chosen.means[0], chosen.stds[0]
    return float(round(sum(chosen.means) / 3)), float(np.mean(np.abs(chosen.stds)))


def _bundle(
    specimen: Specimen, plan: Plan, graph: bytes, mean_std: tuple[float, float], done: list[str]
) -> Bundle:
    about = specimen.metadata
    labels = plan.labels
    if labels is None:
        labels = specimen.bundle.labels if specimen.bundle else specimen.labels
    from ..graph.remade import NOT_INHERITED

    record = specimen.record
    facts: dict[str, Any] = {k: v for k, v in record.items() if k not in NOT_INHERITED}
    if "trust" in record:
        done.append("its calibration is left out: `whatsit calibrate` makes it anew")
    parents = record.get("parents")
    me = {"name": specimen.name, "sha256": hashlib.sha256(specimen.data).hexdigest()}
    facts["parents"] = [*(parents if isinstance(parents, list) else []), me]
    facts["mended"] = list(done)
    license_text = specimen.files.get(LICENSE_FILE, b"").decode("utf-8", "replace")
    return Bundle.create(
        graph,
        name=specimen.name,
        labels=labels,
        preprocess=plan.rule or specimen.rule,
        mean=mean_std[0],
        std=mean_std[1],
        facts=facts,
        description=about.description,
        author=about.author,
        license=about.license,
        license_text=license_text,
    )


def named(
    labels: Sequence[str], classes: int, files: Mapping[str, bytes], name: str | None
) -> list[str]:
    """One name a class, none blank: read again as Windows-1252 where they are no UTF-8."""
    lines = list(labels)
    if (
        name is not None
        and name in files
        and any("\N{REPLACEMENT CHARACTER}" in line for line in lines)
    ):
        text = files[name].decode("cp1252", "replace").replace("\r\n", "\n").removesuffix("\n")
        lines = [line.strip() for line in text.split("\n")]
    lines = lines[:classes] + [""] * (classes - len(lines))
    return [line.replace("\0", "") or f"class {index}" for index, line in enumerate(lines)]
