"""The page in a real browser: its script runs, sorts, filters and turns structures, and nothing is refused."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from report_sample import sample

from ninefold.report import render_report

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((path for name in NAMES if (path := shutil.which(name))), None)

pytestmark = [pytest.mark.browser, pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")]

ACTIONS = """
addEventListener("load", () => {
  const ranked = document.getElementById("ranked");
  const first = () => ranked.tBodies[0].rows[0].cells[1].dataset.value;
  const click = (column) => ranked.tHead.rows[0].cells[column].querySelector("button").click();
  const note = (name, value) => document.documentElement.setAttribute("data-" + name, value);
  note("atstart", first());
  click(3); note("byhull", first());
  click(3); note("byhullfalling", first());
  const missing = ranked.tBodies[0].rows[ranked.tBodies[0].rows.length - 1].cells[3].dataset.value;
  note("missinglast", missing === "");
  const filter = document.getElementById("filter");
  filter.value = "mo 2"; filter.dispatchEvent(new Event("input"));
  note("filtered", document.getElementById("filter-count").textContent);
  document.getElementById("open-all").click();
  setTimeout(() => {
    const canvases = [...document.querySelectorAll("canvas")];
    note("canvases", canvases.length);
    const pixels = (canvas) => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    const inked = (canvas) => pixels(canvas).some((x) => x);
    note("inked", canvases.filter(inked).length);
    const before = canvases[0].toDataURL();
    canvases[0].dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft" }));
    note("turned", before !== canvases[0].toDataURL());
  }, 500);
});
"""


PHONE = """
addEventListener("load", () => {
  const said = {};
  const note = (name, value) => { said[name] = String(value); };
  for (const details of document.querySelectorAll("details")) details.open = true;
  setTimeout(() => {
    const root = document.scrollingElement;
    note("window", innerWidth);
    note("overflow", root.scrollWidth - root.clientWidth);
    const wide = [...document.querySelectorAll("table, svg.hull, svg.periodic, pre")].filter(
      (x) => x.getBoundingClientRect().right > innerWidth + 1 || x.scrollWidth > x.clientWidth + 1);
    const contained = (x) => x.matches("pre") || x.closest(".scroll");
    note("wide", wide.length);
    note("loose", wide.filter((x) => !contained(x)).map((x) => x.outerHTML.slice(0, 60)).join(" | "));
    const cells = [...document.querySelectorAll(".funnel tbody tr > *")];
    const empty = (x) => x.getBoundingClientRect().height > 0 && !x.innerText.trim();
    note("blank", cells.filter(empty).length);
    const tallest = Math.max(...[...document.querySelectorAll(".funnel tbody tr")].map(
      (x) => x.getBoundingClientRect().height / Math.max(1, x.innerText.trim().split("\\n").length)));
    note("perline", Math.round(tallest));
    parent.postMessage(said, "*");
  }, 300);
});
"""


# a window is never narrower than 500 px here; a frame is
FRAME = """<!doctype html><html><body><script>addEventListener("message", (event) => {
  for (const [name, value] of Object.entries(event.data)) document.documentElement.setAttribute("data-" + name, value);
});</script><iframe src="report.html" style="border:0;width:%dpx;height:900px"></iframe></body></html>"""


def with_script(html: str, script: str) -> str:
    """A page that runs a script more, allowed by its hash."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return html.replace("script-src ", f"script-src 'sha256-{digest}' ").replace(
        "</body>", f"<script>{script}</script></body>"
    )


def noted(dom: str) -> dict[str, str]:
    """What a script left on the root element."""
    return dict(re.findall(r'data-(\w+)="([^"]*)"', re.search(r"<html[^>]*>", dom)[0]))


def open_in_browser(page: Path, folder: Path) -> tuple[str, str]:
    done = subprocess.run(
        [
            BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--enable-logging=stderr",
            f"--user-data-dir={folder}",
            "--window-size=1400,900",
            "--virtual-time-budget=4000",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


def test_script_runs_without_a_word_on_the_console(tmp_path: Path):
    page = tmp_path / "report.html"
    page.write_text(render_report(*sample()), encoding="utf-8")
    dom, console = open_in_browser(page, tmp_path / "profile")
    assert console == ""
    assert 'data-ready="yes"' in dom
    assert dom.count("<th scope") > 100


def test_sorting_filtering_and_turning(tmp_path: Path):
    page = tmp_path / "report.html"
    page.write_text(with_script(render_report(*sample()), ACTIONS), encoding="utf-8")
    dom, console = open_in_browser(page, tmp_path / "profile")
    assert console == ""
    said = noted(dom)
    assert said["atstart"] == said["byhull"] == "K2ReH9"
    assert said["byhullfalling"] == "Mg2CrH10"
    assert said["missinglast"] == "true"
    assert said["filtered"].endswith(" of 22")
    assert said["canvases"] == said["inked"] == "21"
    assert said["turned"] == "true"


@pytest.mark.parametrize("width", [390, 1280])
def test_what_is_wide_scrolls_by_itself_and_the_page_does_not(tmp_path: Path, width: int):
    campaign, funnel, candidates, references = sample()
    candidates[0]["known"][0]["source"] = "https://example.org/" + "long/" * 60
    campaign["settings"]["description"] = "x" * 200
    references[0]["notes"] = ["not-to-be-broken-" * 20]
    row = candidates[3]
    rest = [{**row, "id": f"r{place}"} for place in range(40)]
    page = tmp_path / "report.html"
    html = render_report(campaign, funnel, candidates[:4], references, rest)
    page.write_text(with_script(html, PHONE), encoding="utf-8")
    frame = tmp_path / "frame.html"
    frame.write_text(FRAME % width, encoding="utf-8")
    said = noted(open_in_browser(frame, tmp_path / "profile")[0])
    assert int(said["window"]) == width
    assert said["overflow"] == "0"
    assert said["loose"] == ""
    assert int(said["wide"]) > 0 or width > 390
    assert said["blank"] == "0"
    assert int(said["perline"]) < 60, "px a line of the funnel: no rows of nothing"


def test_injected_script_does_not_run(tmp_path: Path):
    campaign, funnel, candidates, references = sample()
    campaign["name"] = "<script>document.documentElement.dataset.owned='yes'</script>"
    html = render_report(campaign, funnel, candidates, references)
    page = tmp_path / "report.html"
    page.write_text(html.replace("</main>", "<script>document.documentElement.dataset.owned='yes'</script></main>"))
    dom, console = open_in_browser(page, tmp_path / "profile")
    assert 'data-owned="yes"' not in dom.split("<head>")[0]
    assert "Content Security Policy" in console
