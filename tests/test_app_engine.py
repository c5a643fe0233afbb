"""The engine's worker dies while the camera runs: it is told, and the video goes on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from app_page import AppPage, AppServer, app_server, camera_clip, camera_switches, chromium

__all__ = ["app_server", "camera_clip"]  # fixtures

# The engine's workers, with the answers of each; time between signs of life passes faster.
BEFORE = """(() => {
  const [Real, every] = [Worker, setInterval];
  window.made = [];
  window.Worker = class extends Real {
    answers = 0;
    constructor(...values) {
      super(...values);
      if (String(values[0]).includes("engine/worker.js")) made.push(this);
      this.addEventListener("message", ({data}) => { if (data.value?.result) this.answers += 1; });
    }
  };
  window.setInterval = (call, ms, ...values) => every(call, ms === 3000 ? 150 : ms, ...values);
})()"""
DEATHS = {
    "without a word": "made.at(-1).terminate()",
    "with an error": "made.at(-1).dispatchEvent(new ErrorEvent('error', {message: 'no memory'}))",
}


@pytest.fixture(scope="module")
def live(camera_clip: Any, app_server: AppServer) -> Iterator[AppPage]:
    with chromium(*camera_switches(camera_clip)) as browser:
        context = browser.new_context()
        context.add_init_script(BEFORE)
        app = AppPage(context.new_page(), app_server).open().ready()
        app.page.locator("#start-camera").click()
        yield app


@pytest.mark.parametrize("death", DEATHS)
def test_live_video_goes_on_after_the_worker_has_died(live: AppPage, death: str) -> None:
    page = live.page
    live.until(lambda: page.evaluate("made.at(-1).answers > 3"))
    before = page.evaluate("made.length")
    page.evaluate(DEATHS[death])
    card = page.locator(".card.error")
    live.until(card.is_visible)
    assert "the engine has stopped: " in card.text_content()
    assert "it is started again with the next picture" in card.text_content()
    card.get_by_role("button").click()
    # Until the next picture the last one made is the one that died, with its answers.
    live.until(lambda: page.evaluate(f"made.length > {before} && made.at(-1).answers > 3"))
    assert page.evaluate("made.length") == before + 1
    live.until(lambda: bool(live.rows))
    assert card.count() == 0
