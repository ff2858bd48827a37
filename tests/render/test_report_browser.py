"""The page in a browser: it says nothing, asks for nothing, and can be used by hand, by eye, by ear and on paper."""

from __future__ import annotations

import importlib.util
import json
import os
import pathlib
import re
import shutil

import pytest

import kafkalog
from tests.browser import CHROMIUM, Browser
from tests.encode import R, batch
from tests.log_dirs import FIXTURES

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]
NOW = 1795500000000
HOSTILE = "</title><script>document.title=1<script><img src=x onerror=document.title=2>\u202e&amp;"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="module")
def page(folder):
    """A log dir with damage of several kinds, as a page, with everything on it."""
    log_dir = folder / "plain"
    shutil.copytree(FIXTURES / "broker/2.1.1/plain", log_dir)
    for name, at in (("00000000000000000147.log", 8116), ("00000000000000000000.index", 9)):
        file = log_dir / "twitter-status-0" / name
        data = bytearray(file.read_bytes())
        data[at] ^= 1
        file.write_bytes(data)
    (log_dir / "twitter-status-0/00000000000000000400.log").unlink()
    (log_dir / "many-0/00000000000000000000.log").write_bytes(b"")
    text = HOSTILE.encode()
    hostile = log_dir / f"{HOSTILE.replace('/', '')}-0"
    hostile.mkdir()
    log = bytearray(batch([R(value=text, key=text, headers=[(text, text)])]))
    log[17] ^= 1
    (hostile / "00000000000000000000.log").write_bytes(bytes(log) + batch([R(value=text)], base_offset=9))
    report = kafkalog.verify(log_dir, now=NOW, hash_inputs=True)
    out = folder / "page.html"
    out.write_text(report.to_html(payload="text", title=HOSTILE, embed_jsonl=True), encoding="utf-8")
    return out


@pytest.fixture(scope="module")
def browser(folder):
    with Browser(folder) as running:
        yield running


@pytest.fixture
def tab(browser, page):
    return browser.open(page)


def count(tab, selector):
    return tab.value(f"document.querySelectorAll({json.dumps(selector)}).length")


def visible(tab):
    return tab.value("[...document.querySelectorAll('.f')].filter(e => e.offsetParent !== null).map(e => e.id)")


def test_nothing_is_said_and_nothing_is_asked_for(tab):
    assert tab.said() == []
    assert [url for url in tab.requests() if not url.startswith("file://")] == []
    assert len(tab.requests()) == 1


def test_hostile_names_and_payloads_stay_text(tab):
    assert tab.value("document.title").endswith("\\u202e&amp;")
    assert "<script>document.title=1" in tab.value("document.title")
    assert count(tab, "img") == 0
    assert count(tab, "script") == 2
    assert "onerror=document.title=2>" in tab.value("document.querySelector('main').textContent")
    assert tab.value("document.documentElement.outerHTML.includes('\\u202e')") is False


def test_every_finding_has_its_row_and_every_offset_its_mark(tab):
    findings = tab.value("document.getElementById('kafkalog-verify').textContent").count('"type": "finding"')
    assert count(tab, ".f") == findings > 20
    assert count(tab, "svg .mark") >= 4
    links = "[...document.querySelectorAll('svg a')].map(a => a.getAttribute('href').slice(1))"
    assert tab.value(f"{links}.every(id => document.getElementById(id).matches('.f'))")


def test_words_in_the_filter_leave_the_findings_that_have_them_and_stay_in_the_address(tab, browser, page):
    everything = visible(tab)
    tab.value("document.getElementById('q').focus()")
    tab.type("crc-mismatch twitter")
    left = visible(tab)
    assert 0 < len(left) < len(everything)
    assert tab.value("document.getElementById('shown').value") == f"{len(left)} of {len(everything)} shown"
    fragment = tab.value("location.hash")
    assert fragment.startswith("#q=crc-mismatch%20twitter")
    again = browser.open(page, fragment)
    again.value("new Promise(done => setTimeout(done, 50))")
    assert visible(again) == left
    tab.press("Escape")
    assert visible(tab) == everything


def test_severities_are_switched_off_and_on(tab):
    everything = visible(tab)
    tab.value("document.querySelector('[name=sev][value=info]').click()")
    left = visible(tab)
    assert 0 < len(left) < len(everything)
    assert tab.value("[...document.querySelectorAll('.f')].every(e => e.hidden == (e.dataset.s == 'info'))")
    assert "hide=info" in tab.value("location.hash")


def test_the_keyboard_goes_from_finding_to_finding_and_to_the_filter(tab):
    focused = "(document.activeElement.closest('.f') || {}).id"
    for key, where in (("j", "f1"), ("j", "f2"), ("k", "f1")):
        tab.press(key)
        assert tab.value(focused) == where
    tab.press("/")
    assert tab.value("document.activeElement.id") == "q"
    tab.type("j")
    assert tab.value("document.getElementById('q').value") == "j"


def test_a_link_to_a_finding_opens_it(browser, page):
    there = browser.open(page, "#f7")
    there.value("new Promise(done => setTimeout(done, 50))")
    assert there.value("document.getElementById('f7').open") is True
    assert there.value("document.activeElement.closest('.f').id") == "f7"


def test_all_can_be_opened_and_closed(tab):
    tab.value("document.getElementById('all').click()")
    assert count(tab, ".f:not([open])") == 0
    tab.value("document.getElementById('all').click()")
    assert count(tab, ".f[open]") == 0


def test_without_javascript_everything_can_be_read(browser, page):
    plain = browser.open(page, javascript=False)
    plain.send("DOM.enable")
    root = plain.send("DOM.getDocument", depth=0)["root"]["nodeId"]
    tools = plain.send("DOM.querySelector", nodeId=root, selector=".tools")["nodeId"]
    assert "hidden" in plain.send("DOM.getAttributes", nodeId=tools)["attributes"]
    rows = plain.send("DOM.querySelectorAll", nodeId=root, selector=".f[hidden]")["nodeIds"]
    assert rows == []


@pytest.mark.parametrize("width", [1300, 400])
def test_the_page_is_as_wide_as_the_window(tab, width):
    tab.width(width)
    assert tab.value("document.documentElement.scrollWidth") <= width
    assert tab.value("document.querySelector('svg').getBoundingClientRect().width") >= 640


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1300, 400])
def test_axe_finds_nothing_to_complain_about(tab, theme, width):
    found = importlib.util.find_spec("axe_core_python")
    if found is None or found.origin is None:
        pytest.skip("axe-core-python is not installed")
    given = os.environ.get("KAFKALOG_AXE", str(pathlib.Path(found.origin).with_name("axe.min.js")))
    tab.theme(theme)
    tab.width(width)
    tab.value("document.querySelectorAll('details').forEach(e => { e.open = true; })")
    tab.send("Runtime.evaluate", expression=pathlib.Path(given).read_text(encoding="utf-8"))
    result = tab.value("axe.run().then(r => r.violations.map(v => [v.id, v.nodes.slice(0, 3).map(n => n.html.slice(0, 200))]))")
    assert result == []


def test_on_paper_it_has_some_pages_light_and_all_details(tab):
    tab.theme("dark")
    paper = tab.pdf()
    pages = len(re.findall(rb"/Type\s*/Page\b", paper))
    assert 6 <= pages <= 40
    assert paper.startswith(b"%PDF")


def test_the_network_is_left_alone(folder, page):
    own = folder / "alone"
    own.mkdir()
    with Browser(own) as running:
        running.open(page)
    log = pathlib.Path(own, "netlog.json").read_text(encoding="utf-8", errors="replace")
    asked = set(re.findall(r'"url":"(https?://[^"]*)"', log))
    # The browser itself looks for news of its maker.
    assert not {url for url in asked if "google" not in url and "chrome" not in url}
