"""Model files with one thing wrong each, and the answers of programs that do one thing wrong."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

from whatsit import _metadata, zoo
from whatsit._flatbuffer import pack_model, read_model
from whatsit._metadata import Metadata

MODEL = "mobilenet-v2-float16"
EIGHT_BITS = "mobilenet-v2-int8"
RULE = "crop(0.875, bicubic)"


def names(model: str = MODEL) -> list[str]:
    return list(zoo.open_builtin(model).labels.names)


@cache
def graph(model: str, *, entry: bool = True) -> bytes:
    """The graph of a built-in model; without its entry it takes float32, or int8, for uint8."""
    parts = read_model(zoo.catalogue()[model].path.read_bytes())
    parts.metadata = parts.signatureDefs = None
    if not entry:
        body = parts.subgraphs[0]
        first = next(op for op in body.operators if int(body.inputs[0]) in map(int, op.inputs))
        body.operators = [op for op in body.operators if op is not first]
        body.inputs = [int(first.outputs[0])]
    return pack_model(parts)


def described(
    body: bytes,
    labels: Sequence[str],
    *,
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
    rule: str | None = RULE,
) -> bytes:
    """With metadata, labels as they are, and a rule of cutting that is not what is wrong."""
    files = {"labels.txt": ("\n".join(labels) + "\n").encode()}
    if rule is not None:
        unique = [f"{name} ({i})" for i, name in enumerate(labels)]
        if len(set(labels)) == len(labels) and all(labels):
            unique = list(labels)
        record = {"format": 1, "preprocess": rule, "classes": {"names": unique}}
        files["whatsit.json"] = json.dumps(record).encode()
    about = Metadata(name="ill", mean=tuple(mean), std=tuple(std), labels_file="labels.txt")
    return _metadata.write(body, about, files)


def compressed(data: bytes) -> bytes:
    """The same files inside, deflated."""
    inside = _metadata.read_files(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        start = min(entry.header_offset for entry in archive.infolist())
    stream = io.BytesIO(data[:start])
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, content in inside.items():
            archive.writestr(name, content)
    return stream.getvalue()


@cache
def _engine(model: str) -> Any:
    engine = Interpreter(model_path=str(zoo.catalogue()[model].path), num_threads=1)
    engine.allocate_tensors()
    return engine


def scores(model: str, batch: np.ndarray) -> np.ndarray:
    """What plain LiteRT answers to uint8 pixels (h, w, 3)."""
    engine = _engine(model)
    engine.set_tensor(engine.get_input_details()[0]["index"], np.ascontiguousarray(batch)[None])
    engine.invoke()
    answer: np.ndarray = engine.get_tensor(engine.get_output_details()[0]["index"])[0]
    return answer


def pixels(
    photo: Path | Image.Image, size: int = 224, filter_: int = 3, part: float = 0.875
) -> Any:
    """The middle of a picture as torchvision cuts it; 3 is Pillow's bicubic."""
    image = photo if isinstance(photo, Image.Image) else Image.open(photo)
    image = image.convert("RGB")
    goal = round(size / part)
    scale = goal / min(image.size)
    sides = [max(goal, int(side * scale)) for side in image.size]
    image = image.resize((sides[0], sides[1]), Image.Resampling(filter_))
    left, top = (sides[0] - size) // 2, (sides[1] - size) // 2
    return np.asarray(image.crop((left, top, left + size, top + size)))


def top(answer: np.ndarray, labels: Sequence[str], count: int = 5) -> dict[str, float]:
    """Label → score, rounded as programs print it."""
    return {labels[i]: round(float(answer[i]), 6) for i in np.argsort(-answer)[:count]}
