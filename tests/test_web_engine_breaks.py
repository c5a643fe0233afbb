"""The engine of the web app in a real browser: nothing breaks it, and nothing asked at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from engine_page import (
    DEFAULT,
    Asker,
    Opened,
    base64_of,
    chromium,
    opened,
    plain,
    rgb,
    running,
    site,
    still_works,
)
from make_models import bundle, pixels

from whatsit.serve.site import Site, is_built

__all__ = ["chromium", "opened", "plain", "running", "site"]  # fixtures

pytestmark = pytest.mark.skipif(not is_built(), reason="the web app is not built: make web")


def test_many_pictures_leave_the_memory_as_it_is(running: Asker) -> None:
    memory = "LiteRT.getGlobalLiteRt().liteRtWasm.HEAPU8.byteLength"
    run = """async (count) => {
      const data = new Uint8Array(128 * 128 * 3);
      for (let i = 0; i < count; i++) await engine.classify({width: 128, height: 128, data});
    }"""
    data = bundle(pixels(128, 128, 1 / 255), 128 * 128 * 3)  # 250 kB of tensors a picture
    running("openBytes", "large", base64_of(data), None)
    running.page.evaluate(run, 20)
    before = running.in_worker(memory)
    running.page.evaluate(run, 500)
    assert running.in_worker(memory) == before


def test_models_that_come_and_go_leave_the_memory_as_it_is(running: Asker) -> None:
    memory = "LiteRT.getGlobalLiteRt().liteRtWasm.HEAPU8.byteLength"
    for _ in range(3):
        running("open", DEFAULT)
    before = running.in_worker(memory)
    for _ in range(6):
        running("open", DEFAULT)
    assert running.in_worker(memory) == before


def test_requests_at_once_are_answered_in_order(running: Asker) -> None:
    found = running.evaluate(
        """async () => {
          const done = [];
          const one = async (i) => {
            const data = new Uint8Array(48 * 48 * 3).fill(i * 20);
            await engine.classify({width: 48, height: 48, data});
            done.push(i);
          };
          await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map(one));
          return done;
        }"""
    )
    assert found == [0, 1, 2, 3, 4, 5, 6, 7]


def test_a_worker_that_dies_fails_what_was_asked_and_is_started_again(running: Asker) -> None:
    found = running.evaluate(
        """async () => {
          window.deaths = [];
          engine.addEventListener("died", ({detail}) => deaths.push(detail.toJSON()));
        }"""
    )
    running.in_worker("setTimeout(() => { throw new Error('on purpose') }, 0)")
    running.page.wait_for_timeout(200)
    found = running.evaluate("deaths")
    assert len(found) == 1
    assert found[0]["code"] == "runtime-unavailable"
    assert "on purpose" in found[0]["message"]
    still_works(running)


BREAK = """{
  const wasm = LiteRT.getGlobalLiteRt().liteRtWasm;
  wasm._malloc = () => { throw new WebAssembly.RuntimeError("memory access out of bounds") };
  true;
}"""


def test_a_wasm_that_breaks_is_not_asked_again(running: Asker) -> None:
    running.in_worker(BREAK)
    error = running("open", "mobilenet-v2-int8")["error"]
    assert error["code"] == "model-failed"
    assert "memory access out of bounds" in error["message"]
    still_works(running)  # a new worker, with the model from before


def test_what_waits_when_the_worker_dies_is_rejected(running: Asker) -> None:
    running.in_worker(BREAK)
    found = running.evaluate(
        """async () => {
          const data = new Uint8Array(48 * 48 * 3);
          const model = await fetch("models/mobilenet-v2-int8.tflite");
          const bytes = new Uint8Array(await model.arrayBuffer());
          const opening = engine.open({name: "x", bytes});
          for (let turn = 0; turn < 20; turn += 1) await null;  // it is on its way
          const all = await Promise.allSettled([
            opening, engine.classify({width: 48, height: 48, data}),
          ]);
          return all.map(({reason}) => reason?.toJSON());
        }"""
    )
    assert [error["code"] for error in found] == ["model-failed", "runtime-unavailable"]
    still_works(running)


def test_without_a_model_nothing_can_be_asked(plain: Asker) -> None:
    plain("start", {"build": "relaxed"})
    error = plain.classify(rgb("camera.png"))["error"]
    assert (error["code"], error["message"]) == ("wrong-usage", "no model is open")


@pytest.mark.parametrize(
    ("options", "code"),
    [({"rule": "zoom"}, "wrong-usage"), ({"coverage": 2}, "wrong-usage")],
)
def test_wrong_options_are_told(running: Asker, options: dict[str, Any], code: str) -> None:
    assert running.classify(rgb("camera.png"), **options)["error"]["code"] == code
    still_works(running)


def test_pixels_that_do_not_fit_their_size_are_refused(running: Asker) -> None:
    error = running("classify", base64_of(bytes(10)), 48, 48, {})["error"]
    assert error["message"] == "10 bytes for 48 x 48 pixels"
    assert error["expected"] == "3 or 4 bytes a pixel"


def test_a_file_that_is_no_picture_is_refused(running: Asker) -> None:
    found = running.evaluate(
        """async () => {
          try { await engine.classify(new Blob(["no picture"])) } catch (e) { return e.toJSON() }
        }"""
    )
    assert found["code"] == "image-unreadable"
    still_works(running)


def test_a_frame_that_was_closed_is_refused(running: Asker) -> None:
    found = running.evaluate(
        """async () => {
          const bitmap = await createImageBitmap(new ImageData(48, 48));
          bitmap.close();
          try { await engine.classify(bitmap) } catch (e) { return e.toJSON() }
        }"""
    )
    assert found["code"] == "wrong-usage"
    assert found["message"].startswith("this cannot be given to the engine: ")
    still_works(running)


# ── the worker dies ──────────────────────────────────────────────────────────────────────────


WORKERS = """() => {
  window.made = [];
  window.Worker = class extends Worker {
    constructor(...values) {
      super(...values);
      made.push(this);
    }
  };
}"""


DEATHS = """() => {
  window.deaths = [];
  engine.addEventListener("died", ({detail}) => deaths.push(detail.message));
}"""


@pytest.fixture(scope="module")
def watched(opened: Opened) -> Iterator[Asker]:
    """A page that has its workers in `made`."""
    with opened() as ask:
        ask.evaluate(WORKERS)
        yield ask


@pytest.fixture
def fresh(watched: Asker) -> Asker:
    """Its engine, started anew with the default model; `deaths` has what was told of its end."""
    watched("start", {"build": "relaxed"}, DEFAULT)
    watched.evaluate(DEATHS)
    return watched


def test_a_worker_that_ends_without_a_word_is_missed_but_not_one_that_waits(
    opened: Opened, site: Site
) -> None:
    """As a browser ends one where memory is short: no event tells of it."""
    watch = site.files["engine/watch.js"].read()
    with opened(changed={"engine/watch.js": watch.replace(b"= 3000;", b"= 250;")}) as ask:
        ask.evaluate(WORKERS)
        ask("start", {"build": "relaxed"}, DEFAULT)
        ask.evaluate(DEATHS)
        ask.in_worker(
            """{
              const digest = crypto.subtle.digest.bind(crypto.subtle);
              crypto.subtle.digest = async (...values) => {
                await new Promise((done) => setTimeout(done, 3500));
                return digest(...values);
              };
              true;
            }"""
        )
        ask("open", "mobilenet-v2-int8")
        assert ask.evaluate("[deaths.length, made.length]") == [0, 1]
        error = ask.evaluate(
            """async () => {
              const blob = await (await fetch("samples/camera.jpg")).blob();
              const frames = [await createImageBitmap(blob), await createImageBitmap(blob)];
              await engine.classify(frames[0], {exact: false});
              made.at(-1).terminate();
              try { await engine.classify(frames[1], {exact: false}) }
              catch (e) { return e.toJSON() }
            }"""
        )
        assert error["code"] == "runtime-unavailable"
        assert error["message"] == "the engine has stopped: it no longer answers"
        assert "started again" in error["hint"]
        assert ask.evaluate("deaths") == [error["message"]]
        ask("open", DEFAULT)
        still_works(ask)


def test_of_a_dead_worker_one_other_takes_the_place(fresh: Asker) -> None:
    """Though two pictures wait for it."""
    found = fresh.evaluate(
        """async () => {
          const before = made.length;
          made.at(-1).dispatchEvent(new ErrorEvent("error", {message: "gone"}));
          const data = new Uint8Array(48 * 48 * 3);
          await Promise.all([1, 2, 3].map(() => engine.classify({width: 48, height: 48, data})));
          return [deaths, made.length - before];
        }"""
    )
    assert found == [["the engine has stopped: gone"], 1]


def test_another_model_opens_though_the_one_before_cannot_come_back(fresh: Asker) -> None:
    data = base64_of(bundle(pixels(scale=1 / 255), 768))
    found = fresh.evaluate(
        """async () => {
          window.realFetch = window.fetch;
          window.fetch = () => Promise.reject(new TypeError("no network"));
          made.at(-1).dispatchEvent(new ErrorEvent("error", {message: "gone"}));
          const data = new Uint8Array(48 * 48 * 3);
          try { await engine.classify({width: 48, height: 48, data}) }
          catch (e) { return e.toJSON() }
        }"""
    )
    assert found["code"] == "download-failed"
    assert "no network" in found["message"]
    assert fresh("openBytes", "tiny", data, None)["classes"] == 768
    assert fresh.classify(rgb("camera.png"))["result"]["model"] == "tiny"
    fresh.evaluate("() => { window.fetch = window.realFetch }")


def test_a_model_that_fails_leaves_the_one_before_though_the_worker_is_new(fresh: Asker) -> None:
    fresh.evaluate(
        """() => made.at(-1).dispatchEvent(new ErrorEvent("error", {message: "gone"}))"""
    )
    error = fresh("openBytes", "empty", base64_of(b""), None)["error"]
    assert error["code"].startswith("model-")
    still_works(fresh)


def test_a_build_that_fails_to_start_is_no_death(opened: Opened) -> None:
    with opened(changed={"rt/litert_wasm_threaded_internal.wasm": None}) as ask:
        deaths = ask.evaluate(
            """async () => {
              const deaths = [];
              window.engine = Engine.begin();
              engine.addEventListener("died", ({detail}) => deaths.push(detail.message));
              await engine.open({name: "m", url: "models/mobilenet-v2-int8.tflite"});
              return deaths;
            }"""
        )
        assert deaths == []
        assert ask.evaluate("engine.facts.build") == "relaxed"


def test_a_build_that_dies_of_its_self_test_is_left_for_the_next(fresh: Asker) -> None:
    found = fresh.evaluate(
        """async () => {
          const right = Engine.prototype.classify;
          Engine.prototype.classify = function (source, options) {
            const death = new ErrorEvent("error", {message: "out of memory"});
            if (this.facts.build === "relaxed") setTimeout(() => made.at(-1).dispatchEvent(death));
            return right.call(this, source, options);
          };
          try {
            const {passed, build} = await engine.selfTest();
            return {passed, build, tried: engine.facts.tried, deaths};
          } finally {
            Engine.prototype.classify = right;
          }
        }"""
    )
    assert (found["passed"], found["build"], found["deaths"]) == (True, "compat", [])
    relaxed = found["tried"][0]
    assert (relaxed["build"], relaxed["passed"]) == ("relaxed", False)
    assert "out of memory" in relaxed["reason"]
    still_works(fresh)


def test_a_model_that_fails_by_itself_is_held_against_no_build(fresh: Asker) -> None:
    data = base64_of(bundle(pixels(scale=1.0), 768))
    fresh("openBytes", "tiny", data, None)
    found = fresh.evaluate("() => engine.selfTest()")
    assert (found["passed"], found["build"]) == (True, "relaxed")
    assert "gives scores from" in found["checks"][0]["reason"]
    fresh("open", DEFAULT)
    still_works(fresh)


# ── asked at once ────────────────────────────────────────────────────────────────────────────


def test_of_two_models_the_one_asked_for_last_is_used(running: Asker) -> None:
    """Though the first of them takes longer to be there."""
    used = running.evaluate(
        """async () => {
          const [large, small] = ["efficientnet-lite0-int8", "mobilenet-v2-int8"].map(
            (name) => engine.open({name, url: `models/${name}.tflite`}));
          await Promise.all([large, small]);
          return engine.model.name;
        }"""
    )
    assert used == "mobilenet-v2-int8"
    running("open", DEFAULT)
    still_works(running)


def test_a_model_that_fails_does_not_let_a_later_one_pass(running: Asker) -> None:
    """The second cannot be had, which is known before the first is there."""
    found = running.evaluate(
        """async () => {
          const names = ["efficientnet-lite0-float16", "no-such-model", "mobilenet-v2-int8"];
          const all = await Promise.allSettled(
            names.map((name) => engine.open({name, url: `models/${name}.tflite`})));
          return [all.map(({status, value}) => value?.name ?? status), engine.model.name];
        }"""
    )
    names = ["efficientnet-lite0-float16", "rejected", "mobilenet-v2-int8"]
    assert found == [names, "mobilenet-v2-int8"]


def test_a_restart_keeps_the_model(running: Asker) -> None:
    running.evaluate("() => engine.restart({build: 'compat'})")
    assert running.evaluate("engine.facts.build") == "compat"
    still_works(running)


def test_a_model_opened_during_the_self_test_is_not_held_against_the_build(
    running: Asker,
) -> None:
    found = running.evaluate(
        """async () => {
          const name = "mobilenet-v2-int8";
          const testing = engine.selfTest();
          const open = engine.open({name, url: `models/${name}.tflite`});
          const test = await testing;
          await open;
          return [test.passed, engine.facts.build, engine.model.name];
        }"""
    )
    assert found == [True, "relaxed", "mobilenet-v2-int8"]


def test_a_restart_loses_nothing_that_was_asked(running: Asker) -> None:
    """Neither pictures that are under way, nor a model or a self-test."""
    found = running.evaluate(
        """async () => {
          const blob = await (await fetch("samples/camera.jpg")).blob();
          const name = "mobilenet-v2-int8";
          const all = await Promise.allSettled([
            engine.classify(blob), engine.embed(blob),
            engine.restart({build: "compat"}),
            engine.classify(blob),
            engine.open({name, url: `models/${name}.tflite`}),
            engine.restart({build: "relaxed"}),
            engine.selfTest(),
            engine.classify(blob),
          ]);
          const reasons = all.flatMap(({reason}) => (reason ? [String(reason)] : []));
          return [reasons, engine.facts.build, engine.model.name];
        }"""
    )
    assert found == [[], "relaxed", "mobilenet-v2-int8"]


@pytest.mark.parametrize(
    "asked",
    [
        "Promise.resolve()",
        "engine.open({name: 'm', url: 'models/mobilenet-v2-int8.tflite'})",
        "engine.classify(blob)",
        "engine.selfTest()",
        "engine.measure({runs: 20})",
        "engine.restart({build: 'compat'})",
    ],
)
@pytest.mark.parametrize("later", [0, 30])
def test_closed_amid_anything_it_ends(watched: Asker, asked: str, later: int) -> None:
    """And with it every worker: also one that was to be started."""
    watched("start", {"build": "relaxed"}, DEFAULT)
    found = watched.evaluate(
        """async () => {
          const blob = await (await fetch("samples/camera.jpg")).blob();
          const asked = ASKED;
          await new Promise((done) => setTimeout(done, LATER));
          engine.close();
          const [first] = await Promise.allSettled([asked]);
          const then = await engine.classify(blob).catch((error) => error.toJSON());
          return [first.reason?.toJSON() ?? null, then];
        }""".replace("ASKED", asked).replace("LATER", str(later))
    )
    if later == 0 and "resolve" not in asked:
        assert found[0] == found[1]
    assert (found[1]["code"], found[1]["message"]) == (
        "runtime-unavailable",
        "the engine was closed",
    )
    for _ in range(100):
        if not [w for w in watched.page.workers if "engine/worker.js" in w.url]:
            return
        watched.page.wait_for_timeout(20)
    pytest.fail("a worker is left")
