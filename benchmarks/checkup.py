"""Does the model doctor name the cause? 200 planted faults of ten kinds, and 50 clean pairs.

    python benchmarks/checkup.py PHOTOS MORE_PHOTOS … [--cases 20] [--seed 0]

What the other program answers is computed with plain Pillow, numpy and LiteRT, from nothing of
whatsit but the model files; files are made faulty with the flatbuffer schema alone. The kinds take
turns over the built-in models and draw their photos at random. A case counts as named if the doctor
names the planted cause and no other one. Each mended file is loaded by MediaPipe, where that is
installed.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from PIL import Image, ImageOps

from whatsit import machine, zoo
from whatsit.checkup import Checkup, Severity, checkup

KEPT = (1000, 5, 5)  # how many scores the other program writes down
FRACTION = 0.875
IMAGE_ENDINGS = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class Case:
    """One examination, and the code that it should give; None for a clean pair."""

    kind: str
    expected: str | None
    run: Callable[[Path], Checkup]
    mends: bool = False


# ── the other program: plain Pillow, numpy and LiteRT ────────────────────────────────────────


@cache
def interpreter(path: str) -> Any:
    engine = Interpreter(model_path=path, num_threads=2)
    engine.allocate_tensors()
    return engine


def scores(path: str, batch: np.ndarray) -> np.ndarray:
    engine = interpreter(path)
    engine.set_tensor(engine.get_input_details()[0]["index"], np.ascontiguousarray(batch))
    engine.invoke()
    return engine.get_tensor(engine.get_output_details()[0]["index"])[0].astype(np.float64)


def side(path: str) -> int:
    return int(interpreter(path).get_input_details()[0]["shape"][1])


def upright(photo: Path) -> Image.Image:
    with Image.open(photo) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def resized_then_cut(image: Image.Image, size: int, filter_: int) -> Image.Image:
    """As torchvision does it."""
    goal = round(size / FRACTION)
    width, height = image.size
    scale = goal / min(width, height)
    image = image.resize((max(goal, int(width * scale)), max(goal, int(height * scale))), filter_)
    left, top = (image.width - size) // 2, (image.height - size) // 2
    return image.crop((left, top, left + size, top + size))


def cut_then_resized(image: Image.Image, size: int, filter_: int) -> Image.Image:
    width, height = image.size
    edge = int(min(width, height) * FRACTION)
    left, top = (width - edge) // 2, (height - edge) // 2
    return image.crop((left, top, left + edge, top + edge)).resize((size, size), filter_)


CUTS = (resized_then_cut, cut_then_resized)


def pixels(photo: Path, size: int, number: int, filter_: int = Image.Resampling.BICUBIC) -> Any:
    return np.asarray(CUTS[number % 2](upright(photo), size, filter_))


def written(
    folder: Path, answer: np.ndarray, number: int, labels: list[str], *, shift: int = 0
) -> Path:
    """What the other program writes down, in one of several forms."""
    kept = KEPT[number % len(KEPT)]
    digits = (17, 6, 4)[number % 3]
    best = np.argsort(-answer, kind="stable")[:kept]
    path = folder / "result.json"
    if kept >= len(answer) and not shift:
        value: Any = {"scores": [round(float(score), digits) for score in answer]}
    elif number % 2:
        value = {
            labels[(int(i) + shift) % len(labels)]: round(float(answer[i]), digits) for i in best
        }
    else:
        value = {
            "predictions": [
                {
                    "index": int(i),
                    "label": labels[(int(i) + shift) % len(labels)],
                    "score": round(float(answer[i]), digits),
                }
                for i in best
            ]
        }
    path.write_text(json.dumps(value))
    return path


def recorded(
    model: str, photo: Path, batch: np.ndarray, number: int, *, shift: int = 0
) -> Callable[[Path], Checkup]:
    def run(folder: Path) -> Checkup:
        path = str(zoo.catalogue()[model].path)
        answer = scores(path, batch[np.newaxis])
        labels = list(zoo.open_builtin(model).labels.names)
        return checkup(model, [photo], against=written(folder, answer, number, labels, shift=shift))

    return run


# ── faults on the way of a picture ───────────────────────────────────────────────────────────


def swapped(model: str, photo: Path, number: int) -> Callable[[Path], Checkup]:
    size = side(str(zoo.catalogue()[model].path))
    return recorded(model, photo, pixels(photo, size, number)[..., ::-1], number)


RANGES = ((0.0, 255.0), (127.5, 255.0), (0.0, 127.5), (110.0, 70.0), (90.0, 180.0))


def rescaled(model: str, photo: Path, number: int) -> Callable[[Path], Checkup]:
    """Other numbers than the input stands for: scale 1/128, zero point 127."""
    size = side(str(zoo.catalogue()[model].path))
    details = interpreter(str(zoo.catalogue()[model].path)).get_input_details()[0]
    scale, zero = details["quantization"]
    mean, std = RANGES[number % len(RANGES)]
    real = (pixels(photo, size, number).astype(np.float64) - mean) / std
    batch = np.clip(np.rint(real / scale + zero), 0, 255).astype(np.uint8)
    return recorded(model, photo, batch, number)


def shifted(model: str, photo: Path, number: int) -> Callable[[Path], Checkup]:
    size = side(str(zoo.catalogue()[model].path))
    batch = pixels(photo, size, number)
    return recorded(model, photo, batch, number, shift=(1, -1)[number % 2])


def unturned(model: str, photo: Path, number: int) -> Callable[[Path], Checkup]:
    size = side(str(zoo.catalogue()[model].path))

    def run(folder: Path) -> Checkup:
        turned = folder / "turned.jpg"
        exif = Image.Exif()
        exif[0x0112] = (6, 8, 3, 6, 8)[number % 5]
        upright(photo).save(turned, quality=95, exif=exif)
        with Image.open(turned) as image:
            plain = image.convert("RGB")
        batch = np.asarray(CUTS[number % 2](plain, size, Image.Resampling.BICUBIC))
        return recorded(model, turned, batch, number)(folder)

    return run


def stretched(model: str, photo: Path, number: int) -> Callable[[Path], Checkup]:
    size = side(str(zoo.catalogue()[model].path))
    batch = np.asarray(upright(photo).resize((size, size), Image.Resampling.BICUBIC))
    return recorded(model, photo, batch, number)


FILTERS = (
    Image.Resampling.NEAREST,
    Image.Resampling.BILINEAR,
    Image.Resampling.BOX,
    Image.Resampling.LANCZOS,
)


def filtered(model: str, photo: Path, number: int) -> Callable[[Path], Checkup]:
    size = side(str(zoo.catalogue()[model].path))
    batch = pixels(photo, size, number, FILTERS[number % len(FILTERS)])
    return recorded(model, photo, batch, number)


# ── faulty files, made with the schema alone ─────────────────────────────────────────────────


def parsed(model: str) -> Any:
    data = zoo.catalogue()[model].path.read_bytes()
    parts = schema.ModelT.InitFromPackedBuf(data, 0)
    for buffer in parts.buffers:
        if buffer.offset > 1:
            buffer.data = data[buffer.offset : buffer.offset + buffer.size]
            buffer.offset = buffer.size = 0
    return parts


def without_entry(model: str) -> Any:
    """The graph without the operator that reads the uint8 input: float32 or int8 then goes in."""
    parts = parsed(model)
    graph = parts.subgraphs[0]
    first = next(op for op in graph.operators if int(graph.inputs[0]) in map(int, op.inputs))
    graph.operators = [op for op in graph.operators if op is not first]
    graph.inputs = [int(first.outputs[0])]
    parts.signatureDefs = None
    return parts


def packed(parts: Any) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(parts.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def with_labels(model: bytes, labels: list[str]) -> bytes:
    """With a ZIP of labels behind it, and the rule of cutting, which is not what is at fault."""
    stream = io.BytesIO(model)
    unique = [name if labels.count(name) == 1 else f"{name} ({i})" for i, name in enumerate(labels)]
    record = {"format": 1, "preprocess": "crop(0.875, bicubic)", "classes": {"names": unique}}
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr("whatsit.json", json.dumps(record))
        archive.writestr("labels.txt", "\n".join(labels) + "\n")
    return stream.getvalue()


def with_metadata(parts: Any, mean: float | None, std: float, labels: list[str]) -> bytes:
    """Metadata by MediaPipe's schema: RGB, NormalizationOptions unless `mean` is None, labels."""
    import importlib

    import flatbuffers

    meta: Any = importlib.import_module("mediapipe.tasks.metadata.metadata_schema_py_generated")

    source = meta.TensorMetadataT()
    source.name = "image"
    source.content = meta.ContentT()
    source.content.contentPropertiesType = meta.ContentProperties.ImageProperties
    source.content.contentProperties = meta.ImagePropertiesT()
    source.content.contentProperties.colorSpace = meta.ColorSpaceType.RGB
    if mean is not None:
        unit = meta.ProcessUnitT()
        unit.optionsType = meta.ProcessUnitOptions.NormalizationOptions
        unit.options = meta.NormalizationOptionsT()
        unit.options.mean, unit.options.std = [mean], [std]
        source.processUnits = [unit]
    target = meta.TensorMetadataT()
    target.name = "probability"
    file = meta.AssociatedFileT()
    file.name, file.type = "labels.txt", meta.AssociatedFileType.TENSOR_AXIS_LABELS
    target.associatedFiles = [file]
    graph = meta.SubGraphMetadataT()
    graph.inputTensorMetadata, graph.outputTensorMetadata = [source], [target]
    root = meta.ModelMetadataT()
    root.name, root.subgraphMetadata, root.minParserVersion = "planted", [graph], "1.0.0"
    builder = flatbuffers.Builder(1024)
    builder.Finish(root.Pack(builder), file_identifier=b"M001")
    entry = schema.MetadataT()
    entry.name, entry.buffer = "TFLITE_METADATA", len(parts.buffers)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(bytes(builder.Output()), np.uint8)
    parts.buffers = [*parts.buffers, buffer]
    parts.metadata = [entry]
    return with_labels(packed(parts), labels)


def names(model: str) -> list[str]:
    return list(zoo.open_builtin(model).labels.names)


FLOATS = ("efficientnet-lite0-float16", "mobilenet-v2-float16")
EIGHT_BITS = (
    "efficientnet-lite0-int8",
    "efficientnet-lite1-int8",
    "efficientnet-lite2-int8",
    "mobilenet-v2-int8",
)


def examined(data: bytes, **options: Any) -> Callable[[Path], Checkup]:
    def run(folder: Path) -> Checkup:
        path = folder / "planted.tflite"
        path.write_bytes(data)
        return checkup(path, fix=True, **options)

    return run


def unnormalised(number: int, photo: Path) -> Callable[[Path], Checkup]:
    model = FLOATS[number % 2]
    data = with_metadata(without_entry(model), None, 1.0, names(model))
    return examined(data, pictures=[photo], against=model) if number % 4 > 1 else examined(data)


def signed(number: int, photo: Path) -> Callable[[Path], Checkup]:
    model = EIGHT_BITS[number % 4]
    return examined(with_metadata(without_entry(model), 127.0, 128.0, names(model)))


def doubled(number: int, photo: Path) -> Callable[[Path], Checkup]:
    model = [*FLOATS, *EIGHT_BITS][number % 6]
    labels = names(model)
    for place in random.Random(number).sample(range(1000), 1 + number % 3):
        labels[place] = labels[(place + 7) % 1000]
    return examined(with_metadata(parsed(model), 127.0, 128.0, labels))


def misstated(number: int, photo: Path) -> Callable[[Path], Checkup]:
    """Metadata with another mean and std, against the model as it should be."""
    model = FLOATS[number % 2]
    mean, std = ((0.0, 255.0), (0.0, 1.0), (0.5, 0.5), (123.0, 58.0), (127.5, 255.0))[number % 5]
    data = with_metadata(without_entry(model), mean, std, names(model))
    return examined(data, pictures=[photo], against=model)


# ── clean pairs ──────────────────────────────────────────────────────────────────────────────


def clean(number: int, photo: Path, models: list[str]) -> Callable[[Path], Checkup]:
    model = models[number % len(models)]
    size = side(str(zoo.catalogue()[model].path))
    if number % 5 == 0:  # two quantisations of one network
        first = FLOATS[number // 5 % 2]
        other = first.replace("float16", "int8")
        pair = (first, other) if number % 10 else (other, first)
        return lambda folder: checkup(pair[0], [photo], against=pair[1])
    batch = pixels(photo, size, number)
    if number % 5 == 1:  # another decoder: no pixel is more than a level off
        noise = np.random.default_rng(number).integers(-1, 2, batch.shape)
        batch = np.clip(batch + noise, 0, 255).astype(np.uint8)
    if number % 5 == 2:  # calibrated by a temperature
        return warmed(model, photo, batch, number)
    return recorded(model, photo, batch, number)


def warmed(model: str, photo: Path, batch: np.ndarray, number: int) -> Callable[[Path], Checkup]:
    def run(folder: Path) -> Checkup:
        answer = scores(str(zoo.catalogue()[model].path), batch[np.newaxis])
        powers = np.maximum(answer, 1e-30) ** (1 / (0.7, 1.4, 1.8)[number % 3])
        path = written(folder, powers / powers.sum(), number, names(model))
        return checkup(model, [photo], against=path)

    return run


# ── the run ──────────────────────────────────────────────────────────────────────────────────


def cases(photos: list[Path], count: int, pairs: int, seed: int) -> Iterator[Case]:
    models = list(zoo.catalogue())
    oblong = [p for p in photos if _oblong(p)]
    draw = random.Random(seed)
    ways = (
        ("swapped channels", "channels-swapped", swapped, photos),
        ("mean and std, in a program", "mean-std", rescaled, photos),
        ("labels shifted by one", "labels-shifted", shifted, photos),
        ("EXIF ignored", "exif-ignored", unturned, photos),
        ("stretched, not cropped", "stretch-crop", stretched, oblong),
        ("resize filter", "resize-filter", filtered, photos),
    )
    for kind, code, plant, pool in ways:
        for number in range(count):
            model = models[number % len(models)]
            photo = draw.choice(pool)
            while plant is filtered and not _resizes(photo, model):
                photo = draw.choice(pool)
            yield Case(kind, code, plant(model, photo, number))
    in_files = (
        ("no NormalizationOptions", "no-normalization", unnormalised),
        ("int8 edges", "int8-edges", signed),
        ("duplicate labels", "duplicate-labels", doubled),
        ("mean and std, in a file", "mean-std", misstated),
    )
    for kind, code, make in in_files:
        for number in range(count):
            yield Case(kind, code, make(number, draw.choice(photos)), mends=True)
    for number in range(pairs):
        yield Case("clean pairs", None, clean(number, draw.choice(photos), models))


def _resizes(photo: Path, model: str) -> bool:
    """Whether a filter has anything to do: 7/8 of 256 pixels are 224 as they are."""
    with Image.open(photo) as image:
        return int(min(image.size) * FRACTION) != side(str(zoo.catalogue()[model].path))


def _oblong(photo: Path) -> bool:
    with Image.open(photo) as image:
        return max(image.size) / min(image.size) >= 1.1


def judged(case: Case, found: Checkup) -> str:
    """`named`, `with others`, `missed`; of a clean pair `clean` or `false alarm`."""
    causes = [f.code for f in found.findings if f.severity is not Severity.NOTE]
    if case.expected is None:
        return "false alarm" if causes else "clean"
    if case.expected not in causes:
        return "missed"
    return "named" if set(causes) == {case.expected} else "with others"


def loads(data: bytes) -> bool:
    """Whether MediaPipe takes the file."""
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_buffer=data))
    try:
        with vision.ImageClassifier.create_from_options(options):
            return True
    except (RuntimeError, ValueError):
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--cases", type=int, default=20, help="of each kind")
    parser.add_argument("--pairs", type=int, default=50, help="clean ones")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    photos = [
        path
        for folder in options.photos
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in IMAGE_ENDINGS
    ]
    table: dict[str, Counter[str]] = {}
    for case in cases(photos, options.cases, options.pairs, options.seed):
        row = table.setdefault(case.kind, Counter())
        with tempfile.TemporaryDirectory() as folder:
            found = case.run(Path(folder))
        verdict = judged(case, found)
        row[verdict] += 1
        if verdict not in ("named", "clean"):
            print(
                f"  {case.kind} {row.total()}: {verdict}: {', '.join(found.causes)}; {found.upshot}"
            )
        if case.mends:
            row["mended"] += found.repaired is not None and loads(found.repaired)
    print_table(table, len(photos))


def print_table(table: dict[str, Counter[str]], photos: int) -> None:
    facts = machine.facts()
    print(f"{photos} photos, {facts['cpu']}")
    print(f"{'kind':<28}{'cases':>6}{'named':>7}{'more':>6}{'missed':>8}{'mended':>8}")
    total: Counter[str] = Counter()
    for kind, row in table.items():
        mended = row.pop("mended", None)
        if kind == "clean pairs":
            print(f"{kind:<28}{row.total():>6}{row['false alarm']:>7} false alarms")
            continue
        total += row
        shown = "" if mended is None else mended
        print(
            f"{kind:<28}{row.total():>6}{row['named']:>7}{row['with others']:>6}"
            f"{row['missed']:>8}{shown:>8}"
        )
    print(
        f"{'all planted':<28}{total.total():>6}{total['named']:>7}{total['with others']:>6}"
        f"{total['missed']:>8}"
    )


if __name__ == "__main__":
    main()
