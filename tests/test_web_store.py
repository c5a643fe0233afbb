"""What the app keeps in a browser, in several windows, and where the browser will not have it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from engine_page import chromium, site
from site_server import served

from whatsit.serve.site import Site, is_built

__all__ = ["chromium", "site"]  # fixtures

pytestmark = pytest.mark.skipif(not is_built(), reason="the web app is not built: make web")

OPEN = """async () => {
  const { openStore } = await import("./store/db.js");
  window.store = await openStore("test");
  window.model = (name) => ({ name, bytes: new Uint8Array([1, 2, 3]), origin: "file" });
  window.names = async () => (await store.models.list()).map(({ name }) => name);
  window.told = (promise) => promise.then(() => null, (error) => error.toJSON());
  const picture = (text) => ({ blob: new Blob([text], { type: "image/jpeg" }) });
  window.project = (...texts) => ({ classes: [{ name: "cups", pictures: texts.map(picture) }] });
  window.texts = async () => {
    const kept = await store.teaching.load();
    const { pictures } = kept?.classes[0] ?? { pictures: [] };
    return Promise.all(pictures.map(({ blob }) => blob.text()));
  };
  return store.problem?.toJSON() ?? null;
}"""
NEWER = """(version) => new Promise((done) => {
  const request = indexedDB.open("test", version);
  request.onblocked = () => { window.blocked = true; };
  request.onsuccess = () => { window.newer = request.result; done(true); };
})"""


@pytest.fixture
def windows(chromium: Any, site: Site) -> Iterator[list[Any]]:
    """Two windows of one browser, empty pages of the site."""
    blank = {"blank.html": b"<!doctype html><title>nothing</title>"}
    with served(site, blank) as url:
        context = chromium.new_context()
        pages = [context.new_page(), context.new_page()]
        for page in pages:
            page.goto(url + "blank.html")
        yield pages
        context.close()


def test_a_newer_version_in_another_window_is_told(windows: list[Any]) -> None:
    old, new = windows
    assert old.evaluate(OPEN) is None
    old.evaluate("() => store.models.put(model('mine'))")
    assert new.evaluate(NEWER, 2)  # it need not wait for the old one
    assert old.evaluate("names") == []
    problem = old.evaluate("store.problem.toJSON()")
    assert problem["code"] == "storage-unavailable"
    assert "another window brought a newer version of the app" in problem["message"]
    error = old.evaluate("() => told(store.models.put(model('other')))")
    assert error["message"] == problem["message"]


def test_a_window_that_does_not_let_go_holds_nobody_up(windows: list[Any]) -> None:
    old, new = windows
    old.evaluate(NEWER, 1)  # it does not listen to what others ask
    hold = """() => { self.deleting = indexedDB.deleteDatabase("test"); }"""
    new.evaluate(hold)
    problem = new.evaluate(OPEN)
    assert problem["code"] == "storage-unavailable"
    assert "another window holds it" in problem["message"]
    assert new.evaluate("names") == []
    old.evaluate("newer.close()")
    for _ in range(100):
        if new.evaluate("store.problem") is None:
            break
        new.wait_for_timeout(20)
    new.evaluate("() => store.models.put(model('mine'))")  # it came all the same
    assert new.evaluate("names") == ["mine"]


def test_a_connection_that_the_browser_ends_is_opened_again(windows: list[Any]) -> None:
    """As Safari does while the app sleeps; what is open may not know of it yet."""
    page = windows[0]
    page.evaluate(
        """() => {
          const real = indexedDB.open.bind(indexedDB);
          IDBFactory.prototype.open = (...values) => {
            const request = real(...values);
            request.addEventListener("success", () => { window.connection = request.result; });
            return request;
          };
        }"""
    )
    assert page.evaluate(OPEN) is None
    page.evaluate("() => store.models.put(model('first'))")
    page.evaluate("() => { window.before = connection; connection.close(); }")
    page.evaluate("() => store.models.put(model('second'))")
    assert page.evaluate("names") == ["first", "second"]
    page.evaluate("() => { connection.close(); connection.onclose(); }")
    assert page.evaluate("names") == ["first", "second"]
    assert page.evaluate("before !== connection")
    assert page.evaluate("store.problem") is None


def test_a_closed_store_stays_closed(windows: list[Any]) -> None:
    page = windows[0]
    page.evaluate(OPEN)
    error = page.evaluate("() => { store.close(); return told(store.models.put(model('m'))); }")
    assert error["code"] == "storage-unavailable"
    assert page.evaluate("names") == []


def test_models_of_two_windows_stand_side_by_side(windows: list[Any]) -> None:
    for page, name in zip(windows, ("one", "other"), strict=True):
        page.evaluate(OPEN)
        page.evaluate(f"() => store.models.put(model('{name}'))")
    assert [page.evaluate("names") for page in windows] == [["one", "other"]] * 2
    windows[0].evaluate("() => store.models.remove('other')")
    error = windows[1].evaluate("() => told(store.models.rename('other', 'new'))")
    assert error["code"] == "model-not-found"
    assert windows[1].evaluate("names") == ["one"]


def test_of_two_windows_that_collect_pictures_none_overwrites_the_other(
    windows: list[Any],
) -> None:
    one, other = windows
    for page in windows:
        page.evaluate(OPEN)
        assert page.evaluate("texts") == []
    one.evaluate("() => store.teaching.save(project('a', 'b'))")
    error = other.evaluate("() => told(store.teaching.save(project('c')))")
    assert error["code"] == "storage-changed"
    assert "another window" in error["message"]
    assert one.evaluate("texts") == ["a", "b"]
    one.evaluate("() => store.teaching.save(project('a', 'b', 'd'))")  # it may go on
    assert other.evaluate("texts") == ["a", "b", "d"]
    other.evaluate("() => store.teaching.save(project('c'))")  # knowing of them
    assert one.evaluate("() => told(store.teaching.save(project('e')))")["code"] == error["code"]
    assert one.evaluate("texts") == ["c"]


def test_what_is_cleared_in_one_window_does_not_come_back_from_another(
    windows: list[Any],
) -> None:
    one, other = windows
    one.evaluate(OPEN)
    one.evaluate("() => store.teaching.save(project('a'))")
    other.evaluate(OPEN)
    assert other.evaluate("texts") == ["a"]
    other.evaluate("() => store.teaching.clear()")
    error = one.evaluate("() => told(store.teaching.save(project('a')))")
    assert error["code"] == "storage-changed"
    assert one.evaluate("texts") == []


def test_saves_and_a_clear_asked_for_at_once_happen_in_their_order(windows: list[Any]) -> None:
    page = windows[0]
    page.evaluate(OPEN)
    found = page.evaluate(
        """async () => {
          const same = project("a", "b");
          await store.teaching.save(same);
          const all = [store.teaching.clear(), store.teaching.save(same),
            store.teaching.save(project("c")), store.teaching.clear(), store.teaching.save(same)];
          await Promise.all(all);
          return texts();
        }"""
    )
    assert found == ["a", "b"]
