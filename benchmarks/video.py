"""How fast videos are watched. Usage: python benchmarks/video.py --photos FOLDER [--minutes 10]

Makes a clip of the photos, H.264 at 1280 × 720 and 30 frames a second, each photo panned over for
two seconds, and measures with the default model:

- `index`: how many times faster than it plays the whole clip is indexed, every frame looked at;
- `live`: the clip played at its own pace: how old a picture is when its answer is there, p95, and
  how many frames were dropped;
- `memory`: the resident memory of `whatsit watch - --json --index … --save …`, fed with the clip
  over and over, as MPEG-TS at its own pace.

Prints a table and, last, one line of JSON with the facts of the machine. Exit status 0 whatever
they are: a busy machine is no failure, and is warned of.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import photos as pictures
from measuring import Report, Row, load_warnings, neighbour_warnings, print_table
from PIL import Image

import whatsit
from whatsit import Classifier, machine, streaming, wording, zoo

_SIZE, _RATE = (1280, 720), 30
_PHOTO_S = 2
_ZOOM = 1.3  # how much larger than the frame a photo is, so that there is something to pan over
_SETTLED_S = 60  # memory is judged from then on: by then all that is made once is made
_SAMPLE_S = 5
_MPEG_TICKS = 90_000


def make_clip(path: Path, photos: Sequence[Path], seconds: int) -> None:
    """H.264 as phones and cameras write it, with B-frames and a key frame a second."""
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("libx264", rate=_RATE)
        stream.width, stream.height = _SIZE
        stream.pix_fmt = "yuv420p"
        stream.options = {"preset": "fast", "crf": "23"}
        stream.codec_context.gop_size = _RATE
        for frame in itertools.islice(_frames(photos), seconds * _RATE):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        output.mux(stream.encode())


def _frames(photos: Sequence[Path]) -> Iterator[np.ndarray]:
    """Without an end: from the left to the right over one photo, then the next one."""
    wide, high = (round(side * _ZOOM) for side in _SIZE)
    count = _PHOTO_S * _RATE
    for photo in itertools.cycle(photos):
        with Image.open(photo) as image:
            whole = np.asarray(image.convert("RGB").resize((wide, high), Image.Resampling.BICUBIC))
        for step in range(count):
            x = (wide - _SIZE[0]) * step // count
            y = (high - _SIZE[1]) * step // count
            yield np.ascontiguousarray(whole[y : y + _SIZE[1], x : x + _SIZE[0]])


def index(classifier: Classifier, clip: Path, seconds: int, rounds: int, report: Report) -> None:
    """The whole clip, every frame of it; the first round warms up."""
    taken, worked = [], []
    for _ in range(rounds + 1):
        start, worked_before = time.perf_counter(), time.process_time()
        found = streaming.index(classifier, clip)
        taken.append(time.perf_counter() - start)
        worked.append(time.process_time() - worked_before)
        assert found.frames == seconds * _RATE
    times, frames = np.array(taken[1:]), seconds * _RATE
    report.times("index", {"whatsit": times[:, np.newaxis]}, per=frames)
    low, middle, high = (float(q) for q in np.quantile(seconds / times, (0.25, 0.5, 0.75)))
    what = "faster than it plays, every frame"
    work_ms = float(np.median(worked[1:])) / frames * 1e3
    report.rows += [
        Row("index", what, middle, "×", 4, False, (low, high)),
        Row("index", "processor time of a frame, all cores", work_ms, "ms"),
    ]


def live(classifier: Classifier, clip: Path, seconds: int, report: Report) -> None:
    """The clip at its own pace: its first frame is due when it is open, and the others after it."""
    ages_ms, work_ms = [], []
    with streaming.stream(classifier, clip, live=True) as moments:
        opened_s = time.perf_counter()
        for moment in moments:
            ages_ms.append((time.perf_counter() - opened_s) * 1e3 - moment.time_ms)
            work_ms.append(sum(moment.result.timings_ms.values()))
        dropped = moments.dropped
    del ages_ms[-1]  # the end has a moment of its own
    age, work = (float(np.quantile(each, 0.95)) for each in (ages_ms, work_ms))
    report.rows += [
        Row("live", "a frame's age when its answer is there, p95", age, "ms", 33),
        Row("live", "preprocessing and inference of a frame, p95", work, "ms"),
        Row("live", "frames dropped", 100 * dropped / (seconds * _RATE), "%"),
    ]


def memory(clip: Path, minutes: float, report: Report) -> list[tuple[float, float]]:
    """(seconds, MB resident) of the program while the clip comes in again and again."""
    kept = ["--index", clip.with_name("index.json"), "--save", clip.with_name("saved.mp4")]
    command = [sys.executable, "-m", "whatsit", "watch", "-", "--json", *kept]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert child.stdin is not None
    samples: list[tuple[float, float]] = []
    step_s = min(_SAMPLE_S, 6 * minutes)
    start_s = time.monotonic()
    output = av.open(child.stdin, "w", "mpegts")
    for now_s in _feed(output, clip):
        time.sleep(max(0.0, start_s + now_s - time.monotonic()))
        if now_s >= step_s * len(samples):
            samples.append((now_s, _resident_mb(child.pid)))
        if now_s >= 60 * minutes:
            break
    output.close()
    child.stdin.close()
    if child.wait(60):
        sys.exit(f"whatsit watch failed: status {child.returncode}")
    settled = [mb for at_s, mb in samples if at_s >= min(_SETTLED_S, 30 * minutes)]
    report.rows += [
        Row("memory", f"resident at most, in {minutes:g} minutes", max(settled), "MB"),
        Row("memory", "growth after it has settled", max(settled) - settled[0], "MB", 20),
    ]
    return samples


def _feed(output: Any, clip: Path) -> Iterator[float]:
    """Writes the clip's packets again and again, with times that go on; gives each one's time."""
    stream: Any = None
    for turn in itertools.count():
        with av.open(str(clip)) as source:
            video = source.streams.video[0]
            stream = stream or output.add_stream_from_template(video)
            offset_s = turn * float(source.duration / av.time_base)
            for packet in source.demux(video):
                if packet.dts is None:  # the end
                    continue
                scale = packet.time_base * _MPEG_TICKS
                offset = round(offset_s * _MPEG_TICKS)
                packet.pts = round(packet.pts * scale) + offset
                packet.dts = round(packet.dts * scale) + offset
                packet.time_base, packet.stream = Fraction(1, _MPEG_TICKS), stream
                now_s = packet.dts / _MPEG_TICKS
                output.mux(packet)
                yield now_s


def _resident_mb(process: int) -> float:
    """What the process holds now. Linux alone tells of another one."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0  # it is ending


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    settings = ("index", "live", "memory")
    parser.add_argument("--photos", type=Path, default=zoo.GOLDEN, help="a folder with JPEGs")
    parser.add_argument("--seconds", type=int, default=60, help="of the clip; default: 60")
    parser.add_argument("--rounds", type=int, default=5, help="of index; default: 5")
    parser.add_argument("--minutes", type=float, default=10, help="of memory; default: 10")
    parser.add_argument("--only", nargs="+", choices=settings, default=list(settings))
    return parser.parse_args()


def main() -> None:
    """Runs the settings asked for."""
    arguments = _arguments()
    found = pictures.find(arguments.photos)
    if not found:
        sys.exit(f"no colour JPEGs below {os.fspath(arguments.photos)!r}")
    report = Report(warnings=load_warnings())
    neighbours, samples = machine.Neighbours(), []
    with tempfile.TemporaryDirectory() as folder, whatsit.load() as classifier:
        clip = Path(folder) / "clip.mp4"
        count = -(-arguments.seconds // _PHOTO_S)
        make_clip(clip, pictures.spread(found, count), arguments.seconds)
        if "index" in arguments.only:
            index(classifier, clip, arguments.seconds, arguments.rounds, report)
        if "live" in arguments.only:
            live(classifier, clip, arguments.seconds, report)
        if "memory" in arguments.only:
            samples = memory(clip, arguments.minutes, report)
    report.warnings += neighbour_warnings(neighbours)
    print_table(report)
    for at_s, mb in samples[:: max(1, len(samples) // 10)]:
        print(f"after {at_s:4.0f} s  {wording.figures(mb):>6} MB")
    figures = [{**vars(row), "met": row.met} for row in report.rows]
    facts = {"machine": machine.facts(), "warnings": report.warnings, "memory_mb": samples}
    print(json.dumps({"figures": figures, "times_ms": report.times_ms, **facts}))


if __name__ == "__main__":
    main()
