"""The web app in real browsers. Usage: python benchmarks/app.py --photos FOLDER [--webkit]

Runs `whatsit serve` and measures the app that it serves:

- `stills`: whether photos have the answers of Python, for each of --models;
- `large`: the same of photos of 12 megapixels; `formats`: of other kinds of files;
- `start`: how long from opening the address to the first answer, and what a first visit transfers;
- `live`: answers a second with a camera of 30 frames a second, and the time of each stage;
- `memory`: what the page holds while the camera runs for --minutes.

Ends with an error if the app asks another host for anything. Prints a table and, last, one line of
JSON with the facts of the machine. Exit status 0 whatever the figures are.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import browsers
import numpy as np
import photos as pictures
from browsers import Browser, Chromium
from measuring import Report, Row, load_warnings, print_table
from PIL import Image, ImageOps, features
from serve import Server, served

import whatsit
from whatsit import Classifier, Result, machine, wording, zoo

_MODELS = (zoo.DEFAULT, "efficientnet-lite0-float16", "mobilenet-v2-int8")
_SETTINGS = ("stills", "large", "formats", "start", "live", "memory")
_CLIP, _RATE = (640, 480), 30
_PHOTO_S = 1
_SETTLED_S = 60  # memory is judged from then on: by then all that is made once is made
_SAMPLE_S = 30
_FIRST_VISIT_MB = 8
_STAGES = ("preprocess", "inference", "post", "total")

_OPEN = """
  const { Engine } = await import(new URL("engine/client.js", document.baseURI));
  window.engine ??= await Engine.start();
  await window.engine.open({ name: args[0], url: `models/${args[0]}.tflite` });
  const test = await window.engine.selfTest();
  if (!test.passed) throw new Error("the self-test has failed");
  return test.build;
"""
_CLASSIFY = """
  const file = document.querySelector("#benchmark").files[args[0]];
  const { result, scores, timings } = await window.engine.classify(file, { all: true });
  return { result, scores: [...scores], total: timings.total };
"""
# Asks for a sample picture as soon as there is one to click, and notes when its rows are painted.
_ASK_AT_ONCE = """
  new MutationObserver((_, observer) => {
    const sample = document.querySelector(".sample");
    if (sample && !window.asked) {
      window.asked = true;
      sample.click();
    }
    if (!window.asked || !document.querySelector(".row:not([data-empty])")) return;
    observer.disconnect();
    requestAnimationFrame(() => (window.answered = performance.now()));
  }).observe(document, { childList: true, subtree: true, attributes: true });
"""
_IS_KEPT = """
  const registration = await navigator.serviceWorker.getRegistration();
  if (registration?.active?.state !== "activated") return false;
  const [name] = await caches.keys();
  return name !== undefined && (await caches.match("version.json")) !== undefined;
"""
# Notes the times of each answer that comes from a worker.
_LISTEN = """
  window.answers = [];
  const begun = new Map();
  window.Worker = class extends Worker {
    constructor(...all) {
      super(...all);
      this.addEventListener("message", ({ data }) => {
        if (!data.value?.timings) return;
        const now = performance.now();
        window.answers.push({ ...data.value.timings, now, total: now - begun.get(data.id) });
        begun.delete(data.id);
      });
    }
    postMessage(data, ...more) {
      if (data.kind === "classify") begun.set(data.id, performance.now());
      super.postMessage(data, ...more);
    }
  };
"""
_FACT = """
  const named = (dt) => dt.textContent === args[0];
  return [...document.querySelectorAll(".facts dt")].find(named).nextElementSibling.textContent;
"""


@dataclass
class Differences:
    """Of the browser's answers from those of Python."""

    total: int = 0
    top1: int = 0
    verdict: int = 0
    top5_furthest: list[float] = field(default_factory=list)
    furthest: list[float] = field(default_factory=list)
    times_ms: list[float] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    def note(self, name: str, wanted: Result, got: dict[str, Any]) -> None:
        result, scores = got["result"], got["scores"]
        told = [wanted.predictions[0].index, wanted.verdict and wanted.verdict.value]
        here = [result["predictions"][0]["index"], result["verdict"]]
        apart = [abs(scores[p.index] - p.score) for p in wanted.predictions]
        self.total += 1
        self.top1 += told[0] == here[0]
        self.verdict += told[1] == here[1]
        self.top5_furthest.append(max(apart[:5]))
        self.furthest.append(max(apart))
        self.times_ms.append(got["total"])
        if told != here:
            self.others.append(f"{name}: {told} in Python, {here} here, {max(apart):.4f} apart")


def compare(browser: Browser, classifier: Classifier, files: Sequence[Path]) -> Differences:
    """Each file in both, one after the other; scores are the calibrated ones that people see."""
    browser.give(files)
    found = Differences()
    for number, file in enumerate(files):
        wanted = classifier.classify(file, top=classifier.bundle.output.classes)
        found.note(file.name, wanted, browser.ask(_CLASSIFY, number))
    return found


def stills(
    setting: str,
    browser: Browser,
    url: str,
    models: Sequence[str],
    files: Sequence[Path],
    report: Report,
) -> list[str]:
    """The rows of each model, and the pictures that have another answer."""
    browser.go(f"{url}version.json")  # a page without an engine of its own
    others = []
    for model in models:
        build = browser.ask(_OPEN, model)
        with whatsit.load(model) as classifier:
            found = compare(browser, classifier, files)
        name = f"{model.removeprefix('efficientnet-')}, {build}"
        most = 1 if model.endswith("int8") and setting == "stills" else None
        share = 100 / found.total
        top5, furthest = (100 * max(each) for each in (found.top5_furthest, found.furthest))
        report.rows += [
            Row(setting, f"{name}: same Top-1", found.top1 * share, "%", 100, False),
            Row(setting, f"{name}: same verdict", found.verdict * share, "%"),
            Row(setting, f"{name}: furthest in the Top-5", top5, "%", most),
            Row(setting, f"{name}: furthest of all", furthest, "%"),
            Row(setting, f"{name}: time, p50", float(np.median(found.times_ms)), "ms"),
        ]
        others += [f"{setting}, {name}: {line}" for line in found.others]
    return others


def other_formats(photos: Sequence[Path], folder: Path) -> list[Path]:
    """A photo in each format that both read."""
    save: dict[str, Callable[[Image.Image, Path], None]] = {
        "plain.png": lambda image, path: image.save(path),
        "alpha.png": lambda image, path: _with_alpha(image).save(path),
        "palette.png": lambda image, path: image.quantize(64).save(path),
        "grey.png": lambda image, path: image.convert("L").save(path),
        "plain.bmp": lambda image, path: image.save(path),
        "still.gif": lambda image, path: image.quantize(256).save(path),
        "lossless.webp": lambda image, path: image.save(path, lossless=True),
        "lossy.webp": lambda image, path: image.save(path, quality=90),
        "alpha.webp": lambda image, path: _with_alpha(image).save(path, lossless=True),
        "grey.jpg": lambda image, path: image.convert("L").save(path, quality=90),
        "progressive.jpg": lambda image, path: image.save(path, progressive=True, quality=90),
        "full-colour.jpg": lambda image, path: image.save(path, subsampling=0, quality=90),
        "cmyk.jpg": lambda image, path: image.convert("CMYK").save(path, quality=90),
        "turned.jpg": _turned,
    }
    if features.check("avif"):
        save["plain.avif"] = lambda image, path: image.save(path, quality=90)
    files = []
    for number, (name, write) in enumerate(save.items()):
        with Image.open(photos[number % len(photos)]) as photo:
            write(photo.convert("RGB"), folder / name)
        files.append(folder / name)
    return files


def _with_alpha(image: Image.Image) -> Image.Image:
    copied = image.convert("RGBA")
    copied.putalpha(Image.linear_gradient("L").resize(image.size))
    return copied


def _turned(image: Image.Image, path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    image.save(path, exif=exif, quality=90)


def start(server: Server, rounds: int, report: Report) -> None:
    """Each round a profile of its own: its first visit, and one after a restart of the browser."""
    url = f"http://127.0.0.1:{server.port}/"
    visited(url)  # the server has compressed everything once
    taken = np.array([visited(url) for _ in range(rounds)])
    for name, times, limit in (("cold", taken[:, 0], 2000), ("warm", taken[:, 1], 1000)):
        low, middle, high = (float(q) for q in np.quantile(times, (0.25, 0.5, 0.75)))
        what = f"{name}: first answer"
        report.rows.append(Row("start", what, middle, "ms", limit, quartiles=(low, high)))
    wire = browsers.Wire(server.port)
    with browsers.fresh_profile() as profile, browsers.chromium(profile) as browser:
        browser.go(wire.url)
        until(lambda: browser.ask(_IS_KEPT))
    wire.close()
    what = "transferred by a first visit, all kept"
    report.rows.append(Row("start", what, wire.received_bytes / 1e6, "MB", _FIRST_VISIT_MB))


def visited(url: str) -> tuple[float, float]:
    """Milliseconds from opening the address to the first answer: first visit, second one."""
    taken = []
    with browsers.fresh_profile() as profile:
        for _ in range(2):
            with browsers.chromium(profile, before=_ASK_AT_ONCE) as browser:
                time.sleep(1)  # the browser has more to do when it has just been started
                browser.go(url)
                until(lambda: browser.ask("return window.answered"))
                taken.append(browser.ask("return window.answered"))
                until(lambda: browser.ask(_IS_KEPT))
    return taken[0], taken[1]


@contextlib.contextmanager
def filmed(url: str, photos: Sequence[Path], device: str, *switches: str) -> Iterator[Chromium]:
    """The app, with its camera running."""
    with browsers.fresh_profile() as profile:
        clip = write_clip(profile / "clip.mjpeg", photos)
        camera = (
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-video-capture={clip}",
        )
        opened = browsers.chromium(profile, *camera, *switches, before=_LISTEN, device=device)
        with opened as browser:
            browser.go(url)
            browser.page.locator("#start-camera").click()
            until(lambda: len(browser.ask("return window.answers")) > 60)
            yield browser


def write_clip(path: Path, photos: Sequence[Path]) -> Path:
    """Motion JPEG, a photo a second: JPEG files one behind another."""
    with path.open("wb") as file:
        for photo in photos:
            with Image.open(photo) as opened:
                image = ImageOps.fit(opened.convert("RGB"), _CLIP)
            for _ in range(_RATE * _PHOTO_S):
                image.save(file, "JPEG", quality=85)
    return path


def live(url: str, photos: Sequence[Path], seconds: float, device: str, report: Report) -> None:
    """Answers a second, and what of the time between them went where."""
    with filmed(url, photos, device) as browser:
        shown = "return document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames"
        browser.ask("window.answers.length = 0")
        frames, dropped = browser.ask(shown), int(browser.ask(_FACT, "Frames dropped"))
        begun = time.perf_counter()
        time.sleep(seconds)
        answers = browser.ask("return window.answers")
        passed = time.perf_counter() - begun
        frames = browser.ask(shown) - frames
        dropped = int(browser.ask(_FACT, "Frames dropped")) - dropped
    now = [answer["now"] for answer in answers]
    gaps = np.diff(now)
    report.rows += [
        Row("live", "answers a second", len(answers) / passed, "", 25, False),
        Row("live", "frames a second that the browser showed", frames / passed, ""),
        Row("live", "frames without an answer", 100 * dropped / max(1, frames), "%"),
        Row("live", "longest time between two answers", float(gaps.max()), "ms"),
    ]
    for stage in _STAGES:
        times = [answer[stage] for answer in answers]
        middle, late = (float(q) for q in np.quantile(times, (0.5, 0.95)))
        report.rows += [
            Row("live", f"{stage}, p50", middle, "ms"),
            Row("live", f"{stage}, p95", late, "ms"),
        ]


def memory(
    url: str, photos: Sequence[Path], minutes: float, device: str, report: Report
) -> list[dict[str, float]]:
    """Megabytes while the camera runs: of the page's heap, of all scripts, of the browser."""
    samples: list[dict[str, float]] = []
    eager = "--enable-blink-features=ForceEagerMeasureMemory"
    step_s = min(_SAMPLE_S, 6 * minutes)
    with filmed(url, photos, device, eager) as browser:
        begun = time.monotonic()
        while (now_s := time.monotonic() - begun) <= 60 * minutes:
            browser.ask("window.answers.length = 0")  # what we note ourselves is not to count
            samples.append({"at_s": now_s, **held(browser)})
            time.sleep(max(0.0, begun + step_s * len(samples) - time.monotonic()))
    settled = [each for each in samples if each["at_s"] >= min(_SETTLED_S, 30 * minutes)]
    third = max(1, len(settled) // 3)
    for key, what, limit in (
        ("page", "heap of the page, after a collection", 1.0),
        ("all", "of all scripts, worker and model included", 5.0),
        ("resident", "of all processes of the browser", 20.0),
    ):
        values = [each[key] for each in settled]
        growth = float(np.median(values[-third:]) - np.median(values[:third]))
        report.rows += [
            Row("memory", f"{what}: most", max(values), "MB"),
            Row("memory", "  its growth, first third to last", growth, "MB", limit),
        ]
    return samples


def held(browser: Chromium) -> dict[str, float]:
    """Megabytes, now."""
    browser.devtools.send("HeapProfiler.collectGarbage")
    page = browser.devtools.send("Runtime.getHeapUsage")["usedSize"]
    everything = browser.ask("return (await performance.measureUserAgentSpecificMemory()).bytes")
    return {"page": page / 1e6, "all": everything / 1e6, "resident": browser_mb(browser.profile)}


def browser_mb(profile: Path) -> float:
    """What all processes of the browser hold, what they share counted once. Linux."""
    stats = {path.name: path for path in Path("/proc").iterdir() if path.name.isdigit()}
    children: dict[str, list[str]] = {}
    found = []
    for number, path in stats.items():
        with contextlib.suppress(OSError):  # it has ended
            parent = (path / "stat").read_text().rpartition(")")[2].split()[1]
            children.setdefault(parent, []).append(number)
            if f"--user-data-dir={profile}".encode() in (path / "cmdline").read_bytes().split(
                b"\0"
            ):
                found.append(number)
    for number in found:  # grows meanwhile
        found += [child for child in children.get(number, []) if child not in found]
    return sum(_share_kb(stats[number]) for number in found) * 1024 / 1e6


def _share_kb(process: Path) -> int:
    with contextlib.suppress(OSError):
        for line in (process / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def until(good: Callable[[], Any], seconds: float = 60.0) -> None:
    """Asks again and again, since the page's policy allows no code of the driver's own."""
    end = time.monotonic() + seconds
    while not good():
        if time.monotonic() > end:
            sys.exit(f"the app was not ready within {seconds:g} s")
        time.sleep(0.05)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=Path, default=zoo.GOLDEN, help="a folder with JPEGs")
    parser.add_argument("--count", type=int, default=100, help="of photos; default: 100")
    parser.add_argument("--large", type=int, default=10, help="of large ones; default: 10")
    parser.add_argument("--models", nargs="+", choices=list(zoo.catalogue()), default=list(_MODELS))
    parser.add_argument("--rounds", type=int, default=5, help="of start; default: 5")
    parser.add_argument("--seconds", type=float, default=30, help="of live; default: 30")
    parser.add_argument("--minutes", type=float, default=10, help="of memory; default: 10")
    parser.add_argument("--device", default="Pixel 7", help="one that Playwright knows")
    parser.add_argument("--webkit", action="store_true", help="pictures in WebKitGTK as well")
    parser.add_argument("--only", nargs="+", choices=_SETTINGS, default=list(_SETTINGS))
    return parser.parse_args()


def still_settings(
    arguments: argparse.Namespace, url: str, found: Sequence[Path], report: Report
) -> list[str]:
    """Stills, large and formats, in each browser."""
    others = []
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as opened:
        folder = Path(name)
        sets = {"stills": pictures.spread(found, arguments.count)}
        if "large" in arguments.only:
            few = pictures.spread(found, arguments.large)
            sets["large"] = [pictures.enlarged(p, folder / f"large-{p.name}") for p in few]
        if "formats" in arguments.only:
            sets["formats"] = other_formats(pictures.spread(found, 16), folder)
        chosen = {setting: files for setting, files in sets.items() if setting in arguments.only}
        if not chosen:
            return []
        profile = opened.enter_context(browsers.fresh_profile())
        here: list[Browser] = [opened.enter_context(browsers.chromium(profile))]
        if arguments.webkit:
            here.append(opened.enter_context(browsers.webkit()))
        for browser in here:
            for setting, files in chosen.items():
                models = arguments.models if setting == "stills" else arguments.models[:1]
                others += stills(setting, browser, url, models, files, report)
    return others


def main() -> None:
    """Runs the settings asked for."""
    arguments = _arguments()
    found = pictures.find(arguments.photos)
    if not found:
        sys.exit(f"no colour JPEGs below {os.fspath(arguments.photos)!r}")
    about = browsers.facts()
    report, samples = Report(warnings=load_warnings()), []
    more = [part for model in arguments.models if model != zoo.DEFAULT for part in ("-m", model)]
    with served(*more, model=zoo.DEFAULT) as server:
        url = f"http://127.0.0.1:{server.port}/"
        others = still_settings(arguments, url, found, report)
        few = pictures.spread(found, 20)
        if "start" in arguments.only:
            start(server, arguments.rounds, report)
        if "live" in arguments.only:
            live(url, few, arguments.seconds, arguments.device, report)
        if "memory" in arguments.only:
            samples = memory(url, few, arguments.minutes, arguments.device, report)
    print_table(report)
    for line in others:
        print(f"another answer  {line}")
    for each in samples[:: max(1, len(samples) // 10)]:
        sizes = "  ".join(
            f"{wording.figures(each[key]):>6} MB" for key in ("page", "all", "resident")
        )
        print(f"after {each['at_s']:4.0f} s  {sizes}")
    figures = [{**vars(row), "met": row.met} for row in report.rows]
    facts = {"machine": {**machine.facts(), **about}, "warnings": report.warnings}
    print(json.dumps({"figures": figures, **facts, "others": others, "memory_mb": samples}))


if __name__ == "__main__":
    main()
