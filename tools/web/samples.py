"""Makes the sample pictures of the app from the golden pictures, and records the answers to two.

python tools/web/samples.py [--check]

The app's self-test replays these two: a first visit fetches no pictures for that alone.
With --check nothing is written: status 1 if a built-in model answers otherwise than recorded.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

import whatsit
from whatsit import zoo
from whatsit.zoo.golden_answers import judge

SAMPLES = Path(__file__).parents[2] / "src" / "whatsit" / "serve" / "web" / "samples"
ANSWERS = SAMPLES / "expected.json"
SELF_TEST = ("camera.jpg", "cat.jpg")  # of all, those whose answers hang least on the decoder
LONGEST_SIDE, QUALITY = 480, 86
BEST, DIGITS = 5, 5

Best = list[tuple[int, float]]


def main(arguments: list[str]) -> int:
    """Writes pictures and answers, or checks the answers; the exit status."""
    if arguments not in ([], ["--check"]):
        print(f"usage: {Path(__file__).name} [--check]", file=sys.stderr)
        return 2
    if arguments:
        return check()
    for golden in sorted(zoo.GOLDEN.glob("*.[jp]*g")):
        write_sample(golden)
    ANSWERS.write_text(as_text(found()), encoding="utf-8")
    return 0


def write_sample(golden: Path) -> None:
    """One golden picture, small."""
    with Image.open(golden) as opened:
        image = opened.convert("RGB")
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    image.save(SAMPLES / f"{golden.stem}.jpg", quality=QUALITY, progressive=True)


def found() -> dict[str, dict[str, Best]]:
    """sha256 of each built-in model → sample → its best classes by raw score."""
    return {entry.sha256: answers(name) for name, entry in zoo.catalogue().items()}


def answers(name: str) -> dict[str, Best]:
    """sample → best classes of one model."""
    with whatsit.load(name, raw=True) as model:
        best = {sample: model.classify(SAMPLES / sample, top=BEST) for sample in SELF_TEST}
    return {
        sample: [(p.index, round(p.score, DIGITS)) for p in result.predictions]
        for sample, result in best.items()
    }


def check() -> int:
    """Whether what is recorded is what the models answer here, as far as machines agree."""
    recorded, status = json.loads(ANSWERS.read_text(encoding="utf-8")), 0
    for name, entry in zoo.catalogue().items():
        with whatsit.load(name, raw=True) as model:
            for sample in SELF_TEST:
                result = model.classify(SAMPLES / sample, top=1000)
                scores = {p.index: p.score for p in result.predictions}
                difference, passed = judge(scores, recorded[entry.sha256][sample])
                print(f"{name} {sample}: {difference:.5f} off")
                status |= not passed
    return int(status)


def as_text(recorded: Mapping[str, Mapping[str, Best]]) -> str:
    """JSON, one line a picture."""
    models = (
        f' "{sha256}": {{\n'
        + ",\n".join(f'  "{sample}": {json.dumps(best)}' for sample, best in rows.items())
        + "\n }"
        for sha256, rows in recorded.items()
    )
    return "{\n" + ",\n".join(models) + "\n}\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
