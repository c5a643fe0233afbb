"""The view “Look” in a real browser: from the first visit to answers, and all that may go wrong."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from app_page import (
    LOCAL,
    AppPage,
    AppServer,
    app_server,
    camera_clip,
    camera_switches,
    chromium,
)
from conftest import CHROMIUM, QUIET

from whatsit import zoo

__all__ = ["app_server", "camera_clip"]  # fixtures

AXE = Path(__file__).parents[1] / "tools/web/node_modules/axe-core/axe.min.js"
PHONE = {"width": 390, "height": 844}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
Open = Callable[..., AppPage]


@pytest.fixture(scope="module")
def camera_browser(camera_clip: Path) -> Iterator[Any]:
    with chromium(*camera_switches(camera_clip)) as opened:
        yield opened


@pytest.fixture
def app(camera_browser: Any, app_server: AppServer) -> Iterator[Open]:
    """`app()` opens the page and waits for the engine; a script of `before` runs ahead of it."""
    contexts = []

    def opened(before: str = "", ready: bool = True, **options: Any) -> AppPage:
        context = camera_browser.new_context(**{"viewport": PHONE, **options})
        contexts.append(context)
        if before:
            context.add_init_script(before)
        page = AppPage(context.new_page(), app_server).open()
        return page.ready() if ready else page

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def shared(camera_browser: Any, app_server: AppServer) -> Iterator[AppPage]:
    context = camera_browser.new_context(viewport=PHONE)
    yield AppPage(context.new_page(), app_server).open().ready()
    context.close()


@pytest.fixture
def look(shared: AppPage) -> AppPage:
    """A page that several tests use, at its start: opening one takes seconds."""
    shared.complaints.clear()
    shared.page.locator("#tab-look").click()
    for name in ("#cards .icon-button", ".stage-top [title='Back to the start']"):
        if shared.page.locator(name).is_visible():
            shared.page.locator(name).click()
    shared.until(lambda: shared.headline == "Nothing in view yet")
    return shared


def start(app: AppPage) -> None:
    app.page.get_by_role("button", name="Start camera").click()


def files(app: AppPage, *paths: Path) -> None:
    app.page.locator("#view-look input[type=file]").set_input_files([str(path) for path in paths])


def silent(app: AppPage) -> None:
    assert app.complaints == []
    assert app.elsewhere == []


def test_from_the_first_visit_to_an_answer(look: AppPage) -> None:
    assert look.headline == "Nothing in view yet"
    look.page.get_by_role("button", name="sample picture: coffee").click()
    look.until(lambda: look.headline == "Espresso")
    assert look.page.locator(".detail").text_content() == "Sure"
    assert look.rows == ["espresso"]
    assert "Rachel Michetti, CC0" in look.page.locator(".status").text_content()
    assert look.page.locator("[aria-live=polite]").first.text_content() == "Espresso."
    silent(look)


def test_ambiguous_answers_say_what_is_common(look: AppPage, cat: Path) -> None:
    files(look, cat)
    look.until(lambda: look.headline == "A domestic cat")
    assert "tiger cat or Egyptian cat" in look.page.locator(".detail").text_content()
    files(look, zoo.GOLDEN / "rocket.jpg")
    look.until(lambda: look.headline == "An instrumentality, probably vehicle")
    files(look, zoo.GOLDEN / "flower.jpg")
    look.until(lambda: look.headline == "Nothing it knows")


TOLD = """() => [".headline", ".detail", ".row-label"].map(
  name => document.querySelector(name).textContent)"""


def test_live_rows_follow_the_camera_and_stay_steady(look: AppPage) -> None:
    seen = []
    start(look)
    look.until(lambda: look.rows != [])
    slots = look.page.locator(".row").first.bounding_box()
    for _ in range(60):
        headline, detail, first = look.page.evaluate(TOLD)
        seen.append((headline, first))
        if detail == "Sure":
            assert headline.lower() == first.lower()
        look.page.wait_for_timeout(50)
    changes = sum(before != after for before, after in pairwise(seen))
    assert changes <= 12  # a new scene each second, for 3 to 4 s; each frame alone changes more
    assert look.page.locator(".row").first.bounding_box() == slots
    assert look.fact("Frame").text_content() == "640 × 480"
    assert look.fact("Crop").text_content() == "420 × 420"
    assert look.fact("Rotation").text_content() == "0°"
    for fact in ("Capture", "Inference", "Total, p50", "Total, p95"):
        look.until(lambda fact=fact: look.fact(fact).text_content().endswith(" ms"))
    assert float(look.fact("Answers a second").text_content()) > 1
    assert int(look.fact("Frames dropped").text_content()) >= 0
    silent(look)


def test_a_longer_interval_leaves_frames_out_and_they_are_counted(look: AppPage) -> None:
    start(look)
    look.page.get_by_role("button", name="Settings").click()
    look.page.get_by_label("Time between answers").fill("5")  # a second
    look.until(lambda: int("0" + look.fact("Frames dropped").text_content().strip("–")) > 15)
    assert float(look.fact("Answers a second").text_content()) < 4
    look.page.get_by_label("Time between answers").fill("0")
    look.page.keyboard.press("Escape")


def test_pause_and_resume(look: AppPage) -> None:
    start(look)
    look.until(lambda: look.rows != [])
    look.page.get_by_role("button", name="Pause").click()
    assert look.page.locator(".status").text_content() == "Paused"
    assert look.page.locator("video").evaluate("video => video.paused")
    look.page.locator(".frame").click(position={"x": 120, "y": 120})
    look.until(lambda: look.page.locator(".status").text_content().startswith("Live"))
    assert not look.page.locator("video").evaluate("video => video.paused")
    video = look.page.locator("video")
    assert video.evaluate("v => v.muted && v.playsInline && v.autoplay")


HIDE = """hidden => {
  Object.defineProperty(document, "visibilityState", {value: hidden ? "hidden" : "visible",
    configurable: true});
  document.dispatchEvent(new Event("visibilitychange"));
}"""
LOCKS = """window.locks = 0;
Object.defineProperty(navigator, "wakeLock", {value: {request: async () => {
  locks++;
  const lock = {released: false, release: async () => { lock.released = true; locks--; }};
  return lock;
}}});"""


def test_a_hidden_page_lets_the_camera_go_and_takes_it_again(look: AppPage) -> None:
    look.page.evaluate(f"() => {{ {LOCKS} }}")
    start(look)
    look.until(lambda: look.rows != [])
    assert look.page.evaluate("locks") == 1
    track = look.page.evaluate_handle("document.querySelector('video').srcObject.getTracks()[0]")
    look.page.evaluate(HIDE, True)
    assert track.evaluate("track => track.readyState") == "ended"
    assert look.page.evaluate("locks") == 0
    look.page.evaluate(HIDE, False)
    look.until(lambda: look.page.evaluate("locks") == 1)
    look.until(lambda: look.page.locator(".status").text_content().startswith("Live"))
    silent(look)


def test_a_front_camera_is_mirrored_on_screen_alone(look: AppPage) -> None:
    facing = """() => {
      window.settings = MediaStreamTrack.prototype.getSettings;
      MediaStreamTrack.prototype.getSettings = function () {
        return {...settings.call(this), facingMode: "user"};
      };
    }"""
    look.page.evaluate(facing)
    start(look)
    look.until(lambda: look.rows != [])
    assert "-1" in look.page.locator("video").evaluate("v => getComputedStyle(v).transform")
    assert look.page.locator(".frame").evaluate("e => getComputedStyle(e).transform") == "none"
    look.page.evaluate("() => { MediaStreamTrack.prototype.getSettings = window.settings; }")


def test_what_the_model_sees_is_outlined(look: AppPage, coffee: Path) -> None:
    files(look, coffee)
    look.until(lambda: look.headline == "Espresso")
    assert not look.page.locator(".outline").is_visible()
    look.page.get_by_role("button", name="Show what the model sees").click()
    outline, frame = (look.page.locator(name).bounding_box() for name in (".outline", ".frame"))
    assert outline["width"] == pytest.approx(outline["height"], abs=1)
    assert outline["height"] == pytest.approx(0.875 * frame["height"], abs=1.5)
    assert outline["x"] + outline["width"] / 2 == pytest.approx(195, abs=1)


STUB = """const stub = (name) => Object.defineProperty(navigator.mediaDevices, "getUserMedia", {
  configurable: true, value: async () => { throw new DOMException("no", name); }});"""
PERMISSION = """navigator.permissions.query = async () => ({state: "%s"});"""
SECURE = "Object.defineProperty(window, 'isSecureContext', {value: %s, configurable: true});"
FAILURES = {
    "camera-refused": STUB + "stub('NotAllowedError');" + PERMISSION % "prompt",
    "camera-blocked": STUB + "stub('NotAllowedError');" + PERMISSION % "denied",
    "camera-absent": STUB + "stub('NotFoundError');",
    "camera-busy": STUB + "stub('NotReadableError');",
    "camera-overconstrained": STUB + "stub('OverconstrainedError');",
    "camera-failed": STUB + "stub('SomethingElse');",
    "camera-insecure": SECURE % "false" + STUB + "stub('TypeError');",
    "camera-unsupported": SECURE % "true"
    + "Object.defineProperty(navigator, 'mediaDevices', {value: undefined});",
}
TITLES = {
    "camera-refused": "not allowed",
    "camera-blocked": "blocked for this page",
    "camera-absent": "No camera found",
    "camera-busy": "in use",
    "camera-overconstrained": "No camera fits",
    "camera-insecure": "needs a secure page",
    "camera-unsupported": "gives no camera",
    "camera-failed": "did not start",
}


def test_each_camera_problem_has_its_words_and_pictures_still_work(app: Open, coffee: Path) -> None:
    look = app(ready=False)
    for code, script in FAILURES.items():
        look.page.evaluate(f"() => {{ {script} }}")
        start(look)
        card = look.page.locator(f".problem[data-code={code}]")
        card.wait_for()
        assert TITLES[code] in card.locator("h2").text_content()
        assert card.get_by_role("button", name="Open a picture instead").is_visible()
        retries = code not in ("camera-insecure", "camera-unsupported")
        assert (card.get_by_role("button").count() == 2) == retries
        look.page.get_by_role("button", name="Back to the start").click()
    silent(look)
    files(look, coffee)
    look.until(lambda: look.headline == "Espresso")


AGENTS = {
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/140 Mobile": "left of the",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605": "Website Settings",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0": "crossed-out",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) Version/18 Safari/605.1.15": "for This Website",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140 Safari/537.36": "Site settings",
}


def test_how_to_allow_the_camera_again_depends_on_the_browser(app: Open) -> None:
    look = app(before=FAILURES["camera-blocked"], ready=False)
    for agent, words in AGENTS.items():
        value = f"{{value: {json.dumps(agent)}, configurable: true}}"
        look.page.evaluate(f"() => {{ Object.defineProperty(navigator, 'userAgent', {value}); }}")
        start(look)
        look.page.locator(".problem li").first.wait_for()
        assert words in look.page.locator(".problem ol").text_content()
        look.page.get_by_role("button", name="Back to the start").click()


def test_a_real_refusal(camera_browser: Any, app_server: AppServer) -> None:
    switches = [*QUIET, LOCAL, "--use-fake-device-for-media-stream", "--deny-permission-prompts"]
    kind = camera_browser.browser_type
    other = kind.launch(executable_path=CHROMIUM, chromium_sandbox=False, args=switches)
    look = AppPage(other.new_page(), app_server).open()
    start(look)
    card = look.page.locator(".problem")
    card.wait_for()
    assert card.get_attribute("data-code") in ("camera-refused", "camera-blocked")
    other.close()


def test_a_camera_that_goes_and_comes_back(look: AppPage) -> None:
    start(look)
    look.until(lambda: look.rows != [])
    event = "name => document.querySelector('video').srcObject.getTracks()[0].dispatchEvent(%s)"
    event %= "new Event(name)"
    look.page.evaluate(event, "mute")
    card = look.page.locator(".problem")
    card.wait_for()
    assert card.get_attribute("data-code") == "camera-muted"
    look.page.evaluate(event, "unmute")
    look.until(lambda: look.page.locator(".status").text_content().startswith("Live"))
    look.page.evaluate(event, "ended")
    card.wait_for()
    assert card.get_attribute("data-code") == "camera-unplugged"
    card.get_by_role("button", name="Start it again").click()
    look.until(lambda: look.page.locator(".status").text_content().startswith("Live"))


def test_settings_take_effect_at_once_and_outlast_a_reload(app: Open, coffee: Path) -> None:
    look = app()
    files(look, coffee)
    look.until(lambda: look.headline == "Espresso")
    look.page.get_by_role("button", name="Settings").click()
    look.page.get_by_label("Threshold").fill("0")
    look.page.get_by_label("Most results").fill("4")
    assert look.rows == ["espresso", "cup", "consomme", "coffee mug", "chocolate sauce"]
    look.page.get_by_label("Threshold").fill("19")
    look.page.get_by_role("radio", name="Stretch").check()
    look.until(lambda: look.fact("Crop rule").text_content() == "stretch")
    look.page.get_by_role("radio", name="mobilenet-v2-int8").check()
    look.until(lambda: look.fact("Model").text_content().startswith("mobilenet"))
    look.page.get_by_role("radio", name="Dark").check()
    dark = "getComputedStyle(document.documentElement).colorScheme"
    assert look.page.evaluate(dark) == "dark"
    look.page.reload()
    look.ready()
    assert look.page.evaluate(dark) == "dark"
    assert look.fact("Model").text_content().startswith("mobilenet")
    assert look.page.locator(".row").count() == 5
    files(look, zoo.GOLDEN / "temple.jpg")
    look.until(lambda: look.headline == "No result above 95 %")
    silent(look)


def test_the_backend_is_named_as_it_runs(app: Open) -> None:
    look = app()
    look.page.get_by_role("button", name="Settings").click()
    assert look.page.get_by_role("radio", name="WebGPU").is_disabled()
    assert "only be approximated" in look.page.locator(".option", has_text="WebGPU").text_content()
    look.page.get_by_role("radio", name="WebAssembly, compatible").check()
    now = look.page.get_by_text("Runs now: WebAssembly, compatible")
    now.wait_for()
    assert look.fact("Backend").text_content().startswith("WebAssembly, compatible")
    assert look.fact("Threads").text_content() == "1"
    assert look.page.get_by_role("slider", name="Threads").is_disabled()


def test_a_threaded_build_without_isolation_says_why(app: Open) -> None:
    look = app(before="Object.defineProperty(window, 'crossOriginIsolated', {value: false});")
    look.page.get_by_role("button", name="Settings").click()
    option = look.page.locator(".option", has_text="several threads")
    assert "cross-origin isolation" in option.text_content()
    assert option.locator("input").is_disabled()
    assert "one thread" in look.fact("Backend").text_content()


def test_nonsense_in_the_settings_of_before_is_left_out(app: Open) -> None:
    kept = json.dumps({"top": 99, "threshold": "x", "theme": "pink", "model": "gone"})
    look = app(before=f"localStorage.setItem('whatsit.settings', {json.dumps(kept)});")
    assert look.page.locator(".row").count() == 3
    assert look.fact("Model").text_content().startswith("efficientnet-lite0-int8")
    silent(look)


GIVE = """([base64, name, type]) => {
  const bytes = Uint8Array.from(atob(base64), character => character.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], name, {type: "image/png"}));
  const given = type === "drop" ? {dataTransfer: data} : {clipboardData: data};
  const event = type === "drop" ? new DragEvent(type, {...given, bubbles: true, cancelable: true})
    : new ClipboardEvent(type, {...given, bubbles: true, cancelable: true});
  document.body.dispatchEvent(event);
  return event.defaultPrevented;
}"""


def test_drop_and_paste(look: AppPage, coffee: Path) -> None:
    data = base64.b64encode(coffee.read_bytes()).decode()
    assert look.page.evaluate(GIVE, [data, "dropped.png", "drop"])
    look.until(lambda: look.headline == "Espresso")
    assert look.page.locator(".status").text_content() == "dropped.png"
    look.page.get_by_role("button", name="Back to the start").click()
    look.until(lambda: look.headline == "Nothing in view yet")
    assert look.page.evaluate(GIVE, [data, "pasted.png", "paste"])
    look.until(lambda: look.headline == "Espresso")


def test_several_files_with_a_bad_one(
    look: AppPage, cat: Path, coffee: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "broken.jpg"
    bad.write_bytes(b"\xff\xd8\xff not a picture")
    files(look, cat, bad, coffee)
    look.until(lambda: look.headline == "2 of 3 answered")
    lines = look.page.locator(".gallery > li")
    assert [lines.nth(n).get_attribute("data-kind") for n in range(3)] == [
        "ambiguous",
        "error",
        "sure",
    ]
    assert "broken.jpg" in lines.nth(1).text_content()
    lines.nth(2).get_by_role("button").click()
    look.until(lambda: look.headline == "Espresso")
    look.page.get_by_role("button", name="All 3 files").click()
    assert lines.count() == 3
    # The list's thumbnails: a broken picture is no complaint of ours.
    assert look.elsewhere == []


def test_one_bad_file_is_a_card_that_can_be_closed(look: AppPage, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("no picture")
    files(look, notes)
    card = look.page.locator(".card.error")
    card.wait_for()
    assert "notes.txt" in card.text_content()
    assert "Expected" in card.text_content()
    card.get_by_role("button", name="Close").click()
    look.until(lambda: look.headline == "Nothing in view yet")


def test_a_model_that_cannot_be_used_leaves_the_one_before(
    look: AppPage, coffee: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.tflite"
    bad.write_bytes(b"\0" * 100)
    files(look, bad)
    card = look.page.locator("#cards .card.error")
    card.wait_for()
    files(look, coffee)
    look.until(lambda: look.headline == "Espresso")
    assert look.fact("Model").text_content().startswith("efficientnet-lite0-int8")


def test_an_own_model_is_kept_and_used_again(app: Open, coffee: Path, tmp_path: Path) -> None:
    own = tmp_path / "my own.tflite"
    own.write_bytes(zoo.open_builtin("mobilenet-v2-int8").data)
    look = app()
    files(look, own)
    look.until(lambda: look.fact("Model").text_content().startswith("my own"))
    look.page.reload()
    look.ready()
    look.until(lambda: look.fact("Model").text_content().startswith("my own"))
    files(look, coffee)
    look.until(lambda: look.headline == "Espresso")


def test_a_video_file_plays_and_can_be_scrubbed(look: AppPage, tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "clip.webm"
    write_video(av, path)
    files(look, path)
    look.until(lambda: "offee" in look.headline or look.rows[:1] == ["espresso"])
    look.page.get_by_role("button", name="Pause").click()
    seek = look.page.get_by_role("slider", name="Position in the video")
    seek.fill("0.3")
    look.until(lambda: "cat" in look.headline)
    assert "/ 0:02" in look.page.locator(".time").text_content()
    silent(look)


def write_video(av: Any, path: Path) -> None:
    """A second of the cat, a second of coffee."""
    from PIL import Image

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx", rate=10, options={"deadline": "realtime"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for name in ("cat.png", "coffee.png"):
            with Image.open(zoo.GOLDEN / name) as opened:
                image = opened.convert("RGB").resize((320, 240))
            for _ in range(10):
                container.mux(stream.encode(av.VideoFrame.from_image(image)))
        container.mux(stream.encode())


def test_a_video_that_cannot_be_played(look: AppPage, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"no video")
    files(look, path)
    card = look.page.locator(".card.error")
    card.wait_for()
    assert "clip.mp4: this browser cannot play the video" in card.text_content()


def test_by_keyboard_alone(look: AppPage) -> None:
    keyboard = look.page.keyboard
    reached = set()
    for _ in range(20):
        keyboard.press("Tab")
        reached.add(look.page.evaluate("document.activeElement.textContent"))
    assert {"Look", "Start camera", "Open a picture", "Details"} <= reached
    look.page.locator(".handle").focus()
    keyboard.press("Enter")
    assert look.page.locator(".facts").is_visible()
    keyboard.press("ArrowDown")
    assert not look.page.locator(".facts").is_visible()
    look.page.locator("#start-camera").focus()
    keyboard.press("Enter")
    look.until(lambda: look.rows != [])
    look.page.locator("#tab-look").focus()
    keyboard.press("End")
    assert look.page.evaluate("document.activeElement.id") == "tab-measure"
    keyboard.press("Home")
    look.until(lambda: look.page.locator(".status").text_content().startswith("Live"))
    look.page.locator("#settings-button").focus()
    keyboard.press("Enter")
    assert look.page.locator("dialog").is_visible()
    keyboard.press("Escape")
    assert not look.page.locator("dialog").is_visible()
    assert look.page.evaluate("document.activeElement.id") == "settings-button"


MOVING = "document.querySelector('.sheet').getAnimations().length"


def test_the_sheet_is_drawn_up_by_a_finger(look: AppPage) -> None:
    mouse = look.page.mouse
    for by, visible in ((-120, True), (120, False)):
        look.until(lambda: not look.page.evaluate(MOVING))
        box = look.page.locator(".handle").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        mouse.move(x, y)
        mouse.down()
        mouse.move(x, y + by, steps=4)
        mouse.up()
        assert look.page.locator(".facts").is_visible() == visible


HELD = """() => {
  window.ask ??= navigator.mediaDevices.getUserMedia;
  window.asked = [];
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    await new Promise(resolve => asked.push({wanted, go: resolve}));
    const stream = await ask.call(navigator.mediaDevices, wanted);
    asked.at(-1).stream = stream;
    return stream;
  };
}"""
FREE = "() => { navigator.mediaDevices.getUserMedia = window.ask; }"
LEFT_ON = "() => asked.some(({stream}) => stream?.getTracks()[0].readyState === 'live')"


def mode(look: AppPage) -> str:
    return look.page.locator(".stage").get_attribute("data-mode")


def test_a_camera_that_comes_too_late_is_let_go(look: AppPage) -> None:
    look.page.evaluate(HELD)
    for leave in ("Back to the start", "Teach"):
        start(look)
        assert mode(look) == "waiting"
        if leave == "Teach":
            look.page.get_by_role("tab", name="Teach").click()
        else:
            look.page.get_by_role("button", name=leave).click()
        look.page.evaluate("() => asked.at(-1).go()")
        look.until(lambda: look.page.evaluate("() => asked.at(-1).stream !== undefined"))
        look.until(lambda: not look.page.evaluate(LEFT_ON))
        assert mode(look) == "empty"
    look.page.evaluate(FREE)
    look.page.get_by_role("tab", name="Look").click()  # it was wanted here
    look.until(lambda: look.rows != [])
    silent(look)


def test_a_page_hidden_while_the_person_decides(look: AppPage) -> None:
    look.page.evaluate(HELD)
    start(look)
    look.page.evaluate(HIDE, True)
    look.page.evaluate("() => asked[0].go()")
    look.until(lambda: look.page.evaluate("() => asked[0].stream !== undefined"))
    look.until(lambda: not look.page.evaluate(LEFT_ON))
    look.page.evaluate(FREE)
    look.page.evaluate(HIDE, False)
    look.until(lambda: look.rows != [])


def test_another_camera_is_opened_once(look: AppPage) -> None:
    look.page.evaluate("""() => {
      window.devices ??= navigator.mediaDevices.enumerateDevices;
      navigator.mediaDevices.enumerateDevices = async () =>
        ["a", "b"].map(deviceId => ({deviceId, kind: "videoinput", label: deviceId}));
    }""")
    start(look)
    look.until(lambda: look.rows != [])
    look.page.evaluate("""() => {
      window.ask ??= navigator.mediaDevices.getUserMedia;
      window.calls = 0;
      navigator.mediaDevices.getUserMedia = (wanted) => {
        calls++;
        return ask.call(navigator.mediaDevices, {video: true});
      };
    }""")
    look.page.get_by_role("button", name="Switch camera").click()
    look.until(lambda: mode(look) == "camera" and look.rows != [])
    assert look.page.evaluate("calls") == 1
    look.page.evaluate(FREE)
    look.page.evaluate("() => { navigator.mediaDevices.enumerateDevices = window.devices; }")
    silent(look)


def test_a_sample_that_comes_late_does_not_take_another_view(look: AppPage) -> None:
    look.page.evaluate("""() => {
      const {fetch} = window;
      window.fetch = async (...asked) => {
        window.fetch = fetch;
        await new Promise(resolve => (window.letGo = resolve));
        return fetch(...asked);
      };
    }""")
    look.page.get_by_role("button", name="sample picture: coffee").click()
    look.page.get_by_role("tab", name="Teach").click()
    look.page.evaluate("() => letGo()")
    look.page.wait_for_timeout(300)
    look.page.locator(".teach-classes").wait_for()
    assert mode(look) == "empty"
    look.page.get_by_role("tab", name="Look").click()
    assert mode(look) == "empty"


def test_a_picture_outlasts_a_visit_to_another_view(look: AppPage, coffee: Path) -> None:
    files(look, coffee)
    look.until(lambda: look.headline == "Espresso")
    look.page.get_by_role("tab", name="Teach").click()
    look.until(lambda: mode(look) == "empty")
    look.page.get_by_role("tab", name="Look").click()
    assert mode(look) == "picture"
    assert look.page.locator(".status").text_content() == coffee.name
    assert look.headline == "Espresso"


def test_of_two_drops_the_last_is_answered(look: AppPage, cat: Path, coffee: Path) -> None:
    given = [base64.b64encode(path.read_bytes()).decode() for path in (cat, coffee)]
    look.page.evaluate(
        f"""([cat, coffee]) => {{
      window.told = [];
      const headline = document.querySelector("#view-look .headline");
      new MutationObserver(() => told.push(headline.textContent)).observe(headline,
        {{childList: true}});
      const give = {GIVE};
      for (const picture of [cat, coffee, cat]) give([picture, "a.png", "drop"]);
      give([coffee, "last.png", "drop"]);
    }}""",
        given,
    )
    look.until(lambda: look.headline == "Espresso")
    assert look.page.locator(".status").text_content() == "last.png"
    assert look.page.evaluate("told") == ["Looking…", "Espresso"]


URLS = """() => {
  const {createObjectURL, revokeObjectURL} = URL;
  window.urls = new Set();
  URL.createObjectURL = blob => {
    const url = createObjectURL.call(URL, blob);
    urls.add(url);
    return url;
  };
  URL.revokeObjectURL = url => { urls.delete(url); revokeObjectURL.call(URL, url); };
}"""


def test_a_list_with_a_video_is_answered_anew_by_another_rule(
    look: AppPage, coffee: Path, tmp_path: Path
) -> None:
    av = pytest.importorskip("av")
    video = tmp_path / "clip.webm"
    write_video(av, video)
    look.page.evaluate(URLS)
    files(look, coffee, video, zoo.GOLDEN / "temple.jpg")
    look.until(lambda: look.headline == "2 of 2 answered")
    lines = look.page.locator(".gallery > li")
    before = lines.all_text_contents()
    assert "Video" in before[1]
    assert look.fact("Frame").text_content() == "–"  # of no picture in particular
    look.page.get_by_role("button", name="Settings").click()
    look.page.get_by_role("radio", name="Stretch").check()
    look.until(lambda: lines.nth(2).text_content() != before[2])
    look.page.get_by_role("radio", name="As trained").check()
    look.until(lambda: lines.all_text_contents() == before)
    look.page.keyboard.press("Escape")
    lines.nth(1).get_by_role("button").click()
    look.until(lambda: mode(look) == "video" and look.rows != [])
    look.page.get_by_role("button", name="All 3 files").click()
    assert mode(look) == "empty"
    assert lines.all_text_contents() == before
    look.page.get_by_role("button", name="Back to the start").click()
    assert look.page.evaluate("urls.size") == 0


def test_buttons_and_the_finger_reach_what_they_mean(look: AppPage) -> None:
    """With the sheet up the stage's buttons are there; and its edge follows the finger."""
    start(look)
    look.until(lambda: look.rows != [])
    handle = look.page.locator(".handle")
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    look.page.mouse.move(x, y)
    look.page.mouse.down()
    for by in (30, 90, 150):
        look.page.mouse.move(x, y - by, steps=3)
        assert handle.bounding_box()["y"] == pytest.approx(box["y"] - by, abs=2)
    look.page.mouse.up()
    look.until(lambda: handle.get_attribute("aria-expanded") == "true")
    assert look.page.locator(".icon-button.main").is_visible()
    look.page.locator(".icon-button.main").focus()
    look.page.keyboard.press("Enter")
    assert look.page.locator(".status").text_content() == "Paused"
    handle.click()


def test_a_view_that_does_not_load_leaves_the_others(app: Open, coffee: Path) -> None:
    look = app()
    look.page.route(re.compile("app/measure.js"), lambda route: route.abort())
    look.page.get_by_role("tab", name="Measure").click()
    look.page.get_by_text("“Measure” could not be loaded").wait_for()
    look.page.get_by_role("tab", name="Look").click()
    files(look, coffee)
    look.until(lambda: look.headline == "Espresso")


def fits(look: AppPage) -> list[str]:
    return look.page.evaluate("""() => {
      const small = [...document.querySelectorAll("button, [role=tab]")].filter(e => {
        const box = e.getBoundingClientRect();
        return box.width && (box.height < 43.5 || box.width < 43.5);
      }).map(e => e.className + e.id);
      return document.documentElement.scrollWidth > innerWidth ? ["wide", ...small] : small;
    }""")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_for_axe_to_complain_of(look: AppPage, coffee: Path, scheme: str) -> None:
    if not AXE.exists():
        pytest.skip("`npm ci` has not been run in tools/web")
    look.page.evaluate(AXE.read_text())
    look.page.emulate_media(color_scheme=scheme)
    found = {"start": violations(look)}
    assert fits(look) == []
    start(look)
    look.until(lambda: look.rows != [])
    found["camera"] = violations(look)
    look.page.locator(".handle").click()
    found["facts"] = violations(look)
    look.page.locator(".handle").click()
    files(look, coffee, zoo.GOLDEN / "expected.json")
    look.until(lambda: look.headline == "1 of 2 answered")
    found["list"] = violations(look)
    look.page.get_by_role("button", name="Settings").click()
    found["settings"] = violations(look)
    assert fits(look) == []
    look.page.keyboard.press("Escape")
    assert not any(found.values()), found


def violations(look: AppPage) -> list[str]:
    options = {"runOnly": {"type": "tag", "values": RULES}}
    result = look.page.evaluate("options => axe.run(document, options)", options)
    return [f"{v['id']}: {[n['html'][:90] for n in v['nodes']]}" for v in result["violations"]]


@pytest.mark.parametrize("size", [(320, 568), (844, 390), (1280, 800)])
def test_every_screen_has_its_place_for_things(look: AppPage, size: tuple[int, int]) -> None:
    look.page.set_viewport_size({"width": size[0], "height": size[1]})
    start(look)
    look.until(lambda: look.rows != [])
    assert fits(look) == []
    boxes = [look.page.locator(name).first.bounding_box() for name in (".stage", ".headline")]
    assert all(box["width"] > 100 and box["height"] > 20 for box in boxes)
    assert look.page.locator(".icon-button.main").is_visible() or size[1] < 600
    look.page.set_viewport_size(PHONE)


def test_text_at_twice_its_size(look: AppPage) -> None:
    look.page.evaluate("() => { document.documentElement.style.fontSize = '200%'; }")
    start(look)
    look.until(lambda: look.rows != [])
    assert look.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    look.page.evaluate("() => { document.documentElement.style.fontSize = ''; }")


def test_what_is_heard_does_not_change_with_each_frame(look: AppPage) -> None:
    start(look)
    look.page.evaluate("""() => {
      const live = document.querySelector(".sheet [aria-live]");
      window.heard = [];
      new MutationObserver(() => heard.push(performance.now())).observe(live, {childList: true});
    }""")
    look.page.wait_for_timeout(5000)
    times = look.page.evaluate("heard")
    assert 1 <= len(times) <= 4
    assert all(after - before > 1900 for before, after in pairwise(times))


def test_a_model_of_ones_own_is_used_though_nothing_can_be_kept(app: Open, tmp_path: Path) -> None:
    own = tmp_path / "mine.tflite"
    own.write_bytes(zoo.open_builtin("mobilenet-v2-int8").data)
    page = app(
        "IDBFactory.prototype.open = () => { throw new DOMException('no', 'SecurityError') }"
    )
    page.page.locator("input[type=file][multiple]").first.set_input_files(str(own))
    page.until(lambda: page.page.locator("#cards .card").is_visible())
    assert "kept" in page.page.locator("#cards .card").text_content()
    assert page.fact("Model").text_content().startswith("mine, ")
