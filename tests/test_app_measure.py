"""The view Measure in a browser, and the person's own models kept there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import make_models
import pytest
from app_page import MODELS, AppPage, AppServer, app_server, chromium  # noqa: F401 -- a fixture

from whatsit import zoo
from whatsit.choose import choose
from whatsit.device import read

STORE = """async ([bytes, steps]) => {
  const { openStore } = await import("./store/db.js");
  const store = await openStore("test");
  const said = [];
  for (const [method, ...values] of steps) {
    const filled = values.map((v) => v.fill ? { ...v, bytes: new Uint8Array(bytes) } : v);
    try {
      const value = await store.models[method](...filled);
      said.push(value?.bytes ? { ...value, bytes: Array.from(value.bytes) } : (value ?? null));
    } catch (error) {
      said.push(error.code + ": " + error.message);
    }
  }
  store.close();
  return said;
}"""
TEACHING = """async (part) => {
  const { openStore } = await import("./store/db.js");
  const store = await openStore("test-teaching");
  const blob = (text) => new Blob([text], { type: "image/jpeg" });
  const picture = (text, embedding) => ({ blob: blob(text), embedding });
  if (part === "save") {
    const cups = [picture("a", new Float32Array([1, 2])), picture("b", undefined)];
    const project = { classes: [{ name: "cups", pictures: cups }, { name: "none", pictures: [] }] };
    await store.teaching.save(project);
    cups[1].embedding = new Float32Array([3]);
    cups.push(picture("c", undefined));
    project.classes[1].pictures.push(cups.shift());
    await store.teaching.save(project);
  }
  if (part === "clear") await store.teaching.clear();
  const project = await store.teaching.load();
  if (project && part === "again") await store.teaching.save(project);
  const classes = [];
  for (const { name, pictures } of project?.classes ?? []) {
    const shown = pictures.map(async ({ blob, embedding }) =>
      [await blob.text(), blob.type, embedding ? Array.from(embedding) : null]);
    classes.push([name, await Promise.all(shown)]);
  }
  const database = await new Promise((resolve) => {
    const request = indexedDB.open("test-teaching");
    request.onsuccess = () => resolve(request.result);
  });
  const count = await new Promise((resolve) => {
    const request = database.transaction("pictures").objectStore("pictures").count();
    request.onsuccess = () => resolve(request.result);
  });
  database.close();
  store.close();
  return { classes, count };
}"""


@pytest.fixture(scope="module")
def page(app_server: AppServer) -> Iterator[AppPage]:  # noqa: F811
    with chromium() as browser:
        context = browser.new_context(accept_downloads=True)
        yield AppPage(context.new_page(), app_server).open().ready()
        context.close()


@pytest.fixture(scope="module")
def device_file(page: AppPage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the app exports after measuring all models of the site."""
    page.page.get_by_role("tab", name="Measure").click()
    page.page.get_by_role("button", name="Measure", exact=True).click()
    save = page.page.get_by_role("button", name="Download as JSON")
    page.until(save.is_visible, seconds=60)
    with page.page.expect_download() as download:
        save.click()
    path = tmp_path_factory.mktemp("device") / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_the_table_has_every_model_and_what_ran(page: AppPage, device_file: Path) -> None:
    rows = page.page.locator(".measure tbody tr")
    assert rows.count() == len(MODELS)
    for row, name in zip(rows.all(), MODELS, strict=True):
        cells = row.locator("th, td").all_text_contents()
        assert cells[0] == name
        assert all(cell.endswith(" ms") for cell in cells[1:5])
        top1 = zoo.catalogue()[name].accuracy[0]["top1"]
        assert cells[5] == f"{top1:.1f} %"
        assert cells[7].startswith("threaded, ")
    assert page.page.locator(".measure-status").text_content() == "Done: 2 measured."
    assert page.elsewhere == []


def test_the_file_says_what_was_measured(page: AppPage, device_file: Path) -> None:
    value = json.loads(device_file.read_text(encoding="utf-8"))
    assert (value["format"], value["version"], value["failed"]) == ("whatsit-device", 1, [])
    assert value["device"]["isolated"] is True
    assert "HeadlessChrome" in value["device"]["user_agent"]
    for row in value["models"]:
        total = row["stages"]["total"]
        assert row["sha256"] == zoo.catalogue()[row["name"]].sha256
        assert row["runs"] == 50
        assert total["min"] <= total["low"] <= total["median"] <= total["high"] <= total["max"]
        assert total["median"] <= total["p95"] <= total["max"]
        parts = [row["stages"][stage]["mean"] for stage in ("preprocess", "inference", "post")]
        assert sum(parts) == pytest.approx(total["mean"], rel=1e-6)


def test_choose_reads_the_file(device_file: Path) -> None:
    device = read(device_file)
    choice = choose(list(MODELS), device=device_file)
    assert {c.name for c in choice.candidates} == set(MODELS)
    assert choice.device == device.name
    assert "Chrome" in device.name


def test_measuring_leaves_the_model_in_use_alone(page: AppPage, device_file: Path) -> None:
    assert page.fact("Model").text_content().startswith(zoo.DEFAULT)


def test_measuring_can_be_stopped(page: AppPage, device_file: Path) -> None:
    button = page.page.locator(".measure-go button")
    button.click()
    page.until(lambda: button.text_content() == "Stop")
    button.click()
    page.until(lambda: button.text_content() == "Measure", seconds=30)
    assert page.page.locator(".measure tbody tr").count() == 1
    status = page.page.locator(".measure-status").text_content()
    assert status == "Stopped after 1 of 2 models."


def test_without_a_model_it_says_so(page: AppPage, device_file: Path) -> None:
    boxes = page.page.locator(".measure-models input")
    for box in boxes.all():
        box.uncheck()
    page.page.locator(".measure-go button").click()
    assert page.page.locator(".measure-status").text_content() == "Choose at least one model."


def test_models_are_kept_renamed_and_removed(page: AppPage) -> None:
    tiny = list(make_models.bundle(make_models.pixels(), 16 * 16 * 3))
    put = ["put", {"name": "a", "origin": "file", "fill": True}]
    before = page.page.evaluate(STORE, [tiny, [["list"], ["get", "a"], put]])
    assert before == [[], None, None]
    page.page.reload()
    page.ready()
    said = page.page.evaluate(
        STORE,
        [
            tiny,
            [
                ["get", "a"],
                ["put", {"name": "b", "origin": "taught", "fill": True}],
                ["rename", "a", "b"],
                ["rename", "none", "c"],
                ["rename", "a", "c"],
                ["list"],
                ["remove", "b"],
                ["remove", "b"],
                ["list"],
            ],
        ],
    )
    assert said[0]["bytes"] == tiny
    assert said[2] == "wrong-usage: there is a model b already"
    assert said[3] == "model-not-found: there is no model none of your own"
    assert [(row["name"], row["size"], row["origin"]) for row in said[5]] == [
        ("c", len(tiny), "file"),
        ("b", len(tiny), "taught"),
    ]
    assert [row["name"] for row in said[8]] == ["c"]


def test_pictures_are_kept_one_by_one(page: AppPage) -> None:
    kept: dict[str, Any] = {
        "classes": [
            ["cups", [["b", "image/jpeg", [3]], ["c", "image/jpeg", None]]],
            ["none", [["a", "image/jpeg", [1, 2]]]],
        ],
        "count": 3,
    }
    assert page.page.evaluate(TEACHING, "save") == kept
    page.page.reload()
    page.ready()
    assert page.page.evaluate(TEACHING, "load") == kept
    assert page.page.evaluate(TEACHING, "again") == kept
    assert page.page.evaluate(TEACHING, "clear") == {"classes": [], "count": 0}


def test_a_browser_that_keeps_nothing_says_what_to_do(page: AppPage) -> None:
    said = page.page.evaluate(
        """async () => {
          const { openStore } = await import("./store/db.js");
          const real = IDBFactory.prototype.open;
          IDBFactory.prototype.open = () => { throw new DOMException("denied", "SecurityError"); };
          const store = await openStore("never");
          const model = { name: "a", bytes: new Uint8Array(3), origin: "file" };
          const error = await store.models.put(model).catch((error) => error);
          const without = [await store.models.list(), await store.teaching.load()];
          IDBFactory.prototype.open = real;
          await store.models.put(model); // it may come to keep after all
          const kept = await store.models.list();
          return [...without, error.toJSON(), store.problem, kept.map(({ name }) => name)];
        }"""
    )
    assert said[:2] == [[], None]
    assert said[2]["code"] == "storage-unavailable"
    assert said[2]["message"] == "nothing can be kept in this browser: denied"
    assert "private windows" in said[2]["hint"]
    assert said[3:] == [None, ["a"]]


def test_a_full_disk_says_what_to_do_and_keeps_what_was_there(page: AppPage) -> None:
    said = page.page.evaluate(
        """async () => {
          const { openStore } = await import("./store/db.js");
          const store = await openStore("test-full");
          const bytes = new Uint8Array(3);
          await store.models.put({ name: "a", bytes, origin: "file" });
          const real = IDBObjectStore.prototype.put;
          IDBObjectStore.prototype.put = function (...values) {
            if (this.name === "files") throw new DOMException("full", "QuotaExceededError");
            return real.apply(this, values); // what was written before must be undone
          };
          const model = { name: "large", bytes, origin: "file" };
          const error = await store.models.put(model).catch((error) => error);
          IDBObjectStore.prototype.put = real;
          const names = (await store.models.list()).map(({ name }) => name);
          await store.models.put(model);
          store.close();
          return [names, error.toJSON()];
        }"""
    )
    assert said[0] == ["a"]
    assert said[1]["code"] == "storage-full"
    assert said[1]["message"] == (
        "the model large cannot be kept: the browser gives it no more room"
    )
    assert said[1]["hint"].startswith("remove models or pictures")
