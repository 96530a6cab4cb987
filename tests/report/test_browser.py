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
    digest = base64.b64encode(hashlib.sha256(ACTIONS.encode()).digest()).decode()
    html = render_report(*sample()).replace("script-src ", f"script-src 'sha256-{digest}' ")
    page = tmp_path / "report.html"
    page.write_text(html.replace("</body>", f"<script>{ACTIONS}</script></body>"), encoding="utf-8")
    dom, console = open_in_browser(page, tmp_path / "profile")
    assert console == ""
    said = dict(re.findall(r'data-(\w+)="([^"]*)"', dom.split(">", 2)[1]))
    assert said["atstart"] == said["byhull"] == "K2ReH9"
    assert said["byhullfalling"] == "Mg2CrH10"
    assert said["missinglast"] == "true"
    assert said["filtered"].endswith(" of 22")
    assert said["canvases"] == said["inked"] == "21"
    assert said["turned"] == "true"


def test_injected_script_does_not_run(tmp_path: Path):
    campaign, funnel, candidates, references = sample()
    campaign["name"] = "<script>document.documentElement.dataset.owned='yes'</script>"
    html = render_report(campaign, funnel, candidates, references)
    page = tmp_path / "report.html"
    page.write_text(html.replace("</main>", "<script>document.documentElement.dataset.owned='yes'</script></main>"))
    dom, console = open_in_browser(page, tmp_path / "profile")
    assert 'data-owned="yes"' not in dom.split("<head>")[0]
    assert "Content Security Policy" in console
