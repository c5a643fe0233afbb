"""Makes the pictures of the app in docs/pictures/app/: the real app in Chromium, on real photos.

Needs `make web`, Chromium, and Playwright of the extra `dev`. Each screen is taken in light and
in dark, at the size of a phone.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from whatsit import zoo

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "pictures" / "app"
SIZE = {"width": 390, "height": 844}
SCALE = 2  # screen pixels of the browser; kept are WIDTH of them
WIDTH = 585
QUALITY = 76
GAP = 30  # between the phones of the overview
ROUND = 36  # of their corners
SEEN = ("coffee.png", "cat.png")  # by the camera, a second each
TAUGHT = {"Coffee": "coffee.png", "Cat": "cat.png", "Flower": "flower.jpg"}
PICTURES = 20  # of each class

sys.path.insert(0, str(ROOT / "tests"))
import app_page  # noqa: E402  the server and the camera of the tests


def main() -> None:
    """Takes every screen, then lays three of them side by side."""
    OUT.mkdir(parents=True, exist_ok=True)
    server = app_page.AppServer(_site()).start()
    try:
        with tempfile.TemporaryDirectory() as folder, _browser(Path(folder)) as browser:
            for scheme in ("light", "dark"):
                taken = _screens(browser, server.url, scheme, Path(folder))
                for name, picture in taken.items():
                    _save(picture, f"{name}-{scheme}")
                if scheme == "light":
                    _save(
                        _beside([taken[name] for name in ("camera", "details", "teach")]), "three"
                    )
    finally:
        server.stop()
    total = sum(file.stat().st_size for file in OUT.iterdir())
    print(f"{OUT.relative_to(ROOT)}: {total / 1000:.0f} kB")


def _site() -> Any:
    from whatsit.serve.site import Site

    return Site.of([zoo.open_builtin(name) for name in zoo.catalogue()])


@contextlib.contextmanager
def _browser(folder: Path) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("there is no chromium")
    clip = app_page.write_clip(folder / "camera.mjpeg", SEEN)
    switches = [*app_page.QUIET, app_page.LOCAL, *app_page.camera_switches(clip)]
    with sync_playwright() as driver:
        opened = driver.chromium.launch(
            executable_path=chromium, chromium_sandbox=False, args=switches
        )
        yield opened
        opened.close()


def _screens(browser: Any, url: str, scheme: str, folder: Path) -> dict[str, Image.Image]:
    """name → what is seen"""
    context = browser.new_context(
        viewport=SIZE,
        device_scale_factor=SCALE,
        color_scheme=scheme,
        has_touch=True,
        is_mobile=True,
        service_workers="block",
        permissions=["camera"],
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(url)
    _until(page, lambda: _fact(page, "Self-test").startswith("Passed"))
    screens: list[tuple[str, Callable[[], None]]] = [
        ("start", lambda: None),
        ("camera", lambda: _camera(page)),
        ("details", lambda: _details(page)),
        ("why", lambda: _why(page)),
        ("settings", lambda: _settings(page)),
        ("teach", lambda: _teach(page, folder)),
        ("measure", lambda: _measure(page)),
    ]
    taken = {}
    for name, prepare in screens:
        prepare()
        page.wait_for_timeout(500)  # for what moves
        taken[name] = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    context.close()
    return taken


def _camera(page: Any) -> None:
    page.click("#start-camera")
    page.click(".stage-top [aria-pressed]")  # what the model sees
    _until(page, lambda: page.locator(".headline").first.text_content().lower() == "espresso")
    page.click(".stage-bar .main")  # pause: the two answers take turns


def _details(page: Any) -> None:
    """Of a still whose kind cannot be told."""
    page.set_input_files('.stage-wrap input[type="file"]', zoo.GOLDEN / "cat.png")
    _until(page, lambda: "cat" in page.locator(".headline").first.text_content().lower())
    page.click(".sheet .handle")


def _why(page: Any) -> None:
    page.click(".sheet .handle")
    page.locator("#view-look .row button").first.click()
    _until(page, lambda: page.locator(".stage[data-why]").count() == 1)


def _settings(page: Any) -> None:
    page.click("#settings-button")


def _teach(page: Any, folder: Path) -> None:
    page.keyboard.press("Escape")
    page.click("#tab-teach")
    page.wait_for_selector(".teach-class")
    while page.locator(".teach-class").count() < len(TAUGHT):
        page.click("text=Add a class")
    for place, (name, picture) in enumerate(TAUGHT.items()):
        card = page.locator(".teach-class").nth(place)
        card.locator(".teach-head input").fill(name)
        card.locator('input[type="file"]').set_input_files(_views(picture, folder))
    page.locator(".teach-go button").click()
    lesson = page.locator(".teach-lesson")
    _until(page, lesson.is_visible)
    page.locator('.teach-lesson input[type="file"]').set_input_files(zoo.GOLDEN / "coffee.png")
    _until(page, lambda: lesson.locator(".headline").text_content() == "Coffee")
    lesson.scroll_into_view_if_needed()


def _views(picture: str, folder: Path) -> list[Path]:
    """Parts of one photo, as a camera that moves would take them."""
    with Image.open(zoo.GOLDEN / picture) as opened:
        image = opened.convert("RGB")
    short = min(image.size)
    files = []
    for number in range(PICTURES):
        side = round(short * (1 - 0.4 * (number % 4) / 3))  # from near and far
        left = (image.width - side) * number // (PICTURES - 1)
        top = (image.height - side) * (number % 3) // 2
        file = folder / f"{Path(picture).stem}-{number}.jpg"
        image.crop((left, top, left + side, top + side)).save(file)
        files.append(file)
    return files


def _measure(page: Any) -> None:
    page.click("#tab-measure")
    page.click(".measure-go button")
    status = page.locator(".measure-status")
    _until(page, lambda: status.text_content().startswith("Done"), seconds=180)
    page.locator(".measure-results").scroll_into_view_if_needed()


def _fact(page: Any, name: str) -> str:
    rows = page.locator(".facts dl > div")
    found = rows.filter(has=page.locator("dt", has_text=name)).first.locator("dd")
    return str(found.text_content())


def _until(page: Any, good: Callable[[], bool], seconds: float = 60) -> None:
    """The page's policy allows no code of the driver's own, so it is asked again and again."""
    end = time.monotonic() + seconds
    while not good():
        if time.monotonic() > end:
            page.screenshot(path="screenshot-of-the-failure.png")
            raise TimeoutError
        page.wait_for_timeout(50)


def _beside(phones: list[Image.Image]) -> Image.Image:
    """Phones in a row, on nothing."""
    width, height = phones[0].size
    gap = GAP * SCALE
    row = Image.new("RGBA", (len(phones) * (width + gap) - gap, height))
    corners = Image.new("L", phones[0].size)
    ImageDraw.Draw(corners).rounded_rectangle((0, 0, width - 1, height - 1), ROUND * SCALE, 255)
    for place, phone in enumerate(phones):
        row.paste(phone, (place * (width + gap), 0), corners)
    return row


def _save(picture: Image.Image, name: str) -> None:
    wide = picture.width * WIDTH // (SIZE["width"] * SCALE)
    if picture.mode == "RGBA":
        wide = wide * 2 // 3
    small = picture.resize((wide, picture.height * wide // picture.width), Image.Resampling.LANCZOS)
    small.save(OUT / f"{name}.webp", quality=QUALITY, method=6)


if __name__ == "__main__":
    main()
