"""The book: no dead link, nothing from elsewhere, and films that show what the kernel shows."""

import gzip
import json
import re
import threading
from contextlib import suppress
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import nbformat
import numpy as np
import pytest

from classroom import record, site
from helpers.topics import TOPICS
from tests.browser.conftest import ARTIFACTS, at_rest, pixels

BUILT = [topic for topic in TOPICS if topic.number in (5, 18)]
NAMES = ["05_metrics_roc-0", "05_metrics_roc-1", "05_metrics_roc-2", "18_iou_family-2"]
SLOW = 1.6e6 / 8  # bytes per second
PHOTOGRAPH = 34  # decibels: photographs differ from the kernel's by 5 levels of 255, root mean square; drawings by none

TYPESET = "!document.querySelector('.math') || window.MathJax?.startup?.promise?.then(() => true)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    site.build([topic.number for topic in BUILT], folder)
    return folder


@pytest.fixture(scope="module")
def explorers():
    """By the name of the film, as the notebooks show them."""
    return {
        f"{topic.notebook}-{number}": explorer
        for topic in BUILT
        for number, explorer in enumerate(record.explorers(nbformat.read(topic.path, as_version=4)).values())
    }


def film(folder, name):
    text = (folder / "_static" / "films" / f"{name}.js").read_text(encoding="utf-8")
    return json.loads(text.partition("(")[2].rstrip(");\n"))


class Page(HTMLParser):
    """What a page links to, what it loads, and where it can be linked to."""

    def __init__(self, path):
        super().__init__()
        self.links, self.loads, self.anchors = [], [], {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        held = dict(attributes)
        self.anchors |= {held.get("id"), held.get("name")}
        if tag == "a" and "href" in held:
            self.links.append(held["href"])
        elif tag == "link" or "src" in held:
            self.loads.append(held.get("src") or held["href"])


def test_no_link_is_dead_and_nothing_is_loaded_from_elsewhere(folder):
    pages = {path: Page(path) for path in folder.glob("*.html")}
    names = {path.stem for path in pages}
    assert names >= {"index", "search", "00_start_here", *(topic.notebook for topic in BUILT)}
    checked = 0
    for path, page in pages.items():
        for link in page.links + page.loads:
            address = urlsplit(link)
            if address.scheme or address.netloc:
                assert link in page.links, f"{path.name} loads {link}"
                assert address.scheme in ("http", "https"), f"{path.name}: {link}"
                continue
            target = path if not address.path else folder / unquote(address.path)
            assert target.is_file(), f"{path.name}: {link}"
            if target in pages:
                assert unquote(address.fragment) in pages[target].anchors, f"{path.name}: {link}"
            checked += 1
    assert checked > 100
    styles = "".join(path.read_text(encoding="utf-8") for path in folder.glob("_static/**/*.css"))
    assert not re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", styles)


@pytest.mark.parametrize("topic", BUILT, ids=lambda topic: topic.notebook)
def test_a_topic_is_small(folder, topic):
    page = folder / f"{topic.notebook}.html"
    loaded = {folder / urlsplit(path).path for path in Page(page).loads if not path.startswith("_static/mathjax")}
    own = {path for path in loaded if path.suffix in (".png", ".webp")} | {page}
    own |= set(folder.glob(f"_static/films/{topic.notebook}-*"))
    assert sum(path.stat().st_size for path in own) <= site.BUDGET


@pytest.mark.parametrize("name", NAMES)
def test_a_film_holds_every_control(folder, explorers, name):
    explorer, made = explorers[name], film(folder, name)
    assert [control["name"] for control in made["controls"]] == list(explorer.declared)
    for number, control in enumerate(made["controls"]):
        values = record.positions(explorer, control["name"], 10**6)
        assert len(control["states"]) >= min(len(values), 11 if number else 60)
        assert control["texts"][0] == record.as_shown(explorer, control["name"], values[0])
        assert control["texts"][-1] == record.as_shown(explorer, control["name"], values[-1])
    assert len(set(made["frames"])) == len(made["frames"]), "a frame is stored twice"


def test_what_a_hand_drags_beyond_sliders_is_a_picture(folder, explorers):
    page = (folder / "18_iou_family.html").read_text(encoding="utf-8")
    assert page.count(record.MORE) == sum(not record.is_recorded(explorer) for explorer in explorers.values()) == 2
    assert page.count("data-film") == 1


@pytest.mark.parametrize("number", [0, 24])
def test_an_unknown_topic_is_refused(number):
    with pytest.raises(ValueError, match="numbers must be of topics, 1 to 23"):
        site.build([number])


# --- in a browser, from files alone ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pages(folder, browser):
    """A page per topic; it may ask for nothing but files, and may not complain."""
    complaints = []
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    context.on("request", lambda r: r.url.startswith(("file:", "blob:", "data:")) or complaints.append(r.url))
    context.on("requestfailed", lambda request: complaints.append(request.url))
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    opened = {}
    for topic in BUILT:
        opened[topic.notebook] = context.new_page()
        opened[topic.notebook].goto((folder / f"{topic.notebook}.html").as_uri())
        opened[topic.notebook].wait_for_function(TYPESET)  # formulas move what is below them
    yield opened
    context.close()
    assert not complaints


def live(pages, name):
    """The explorer in its page, once its film plays."""
    page = pages[name.partition("-")[0]]
    page.bring_to_front()  # pages behind it draw once a second
    explorer = page.locator(f'[data-film="{name}"]')
    explorer.evaluate("explorer => explorer.scrollIntoView({ block: 'center', behavior: 'instant' })")
    page.wait_for_selector(f'[data-film="{name}"][data-plays]')
    explorer.locator(".viva-reset").click()
    return explorer


def readouts(explorer):
    return explorer.locator(".viva-readouts").inner_html().replace("'", '"')


def put(explorer, control, position):
    """Set an input as a hand does that drags it to a position."""
    explorer.locator(f'[name="{control["name"]}"]').evaluate(
        """(input, position) => {
            if (input.type == "checkbox") input.checked = position == 0;
            else if (input.tagName == "SELECT") input.selectedIndex = position;
            else input.value = position;
            input.dispatchEvent(new Event("input"));
        }""",
        position,
    )


def assert_shows(explorer, made, kernel, values):
    """The page shows what the kernel would, readouts and picture."""
    said = kernel.at(**kernel.opening | values).to_html().replace("'", '"')
    explorer.page.wait_for_function(
        "([explorer, said]) => explorer.querySelector('.viva-readouts').innerHTML.replaceAll(\"'\", '\"') == said",
        arg=[explorer.element_handle(), said],
    )
    kernel.set(**kernel.opening | values)
    want, got = kernel.canvas.pixels(made["size"][0])[..., :3].astype(int), pixels(at_rest(explorer))
    kernel.reset()
    if kernel.photograph:
        assert 20 * np.log10(255 / np.sqrt(np.mean((got - want) ** 2))) > PHOTOGRAPH
    else:
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("name", NAMES)
def test_pictures_and_readouts_follow_every_control_and_equal_the_kernels(folder, pages, explorers, name):
    explorer, made, kernel = live(pages, name), film(folder, name), explorers[name]
    assert_shows(explorer, made, kernel, {})
    for control in made["controls"]:
        candidates = (record.positions(kernel, control["name"], most) for most in record.MOST)
        values = next(values for values in candidates if len(values) == len(control["states"]))
        for position in {0, len(values) // 3, len(values) - 1} - {control["opening"]}:
            put(explorer, control, position)
            assert_shows(explorer, made, kernel, {control["name"]: values[position]})
            shown = explorer.locator(f'[name="{control["name"]}"]')
            if control["kind"] == "slider":
                assert shown.get_attribute("aria-valuetext") == control["texts"][position]
    explorer.locator(".viva-reset").click()
    assert_shows(explorer, made, kernel, {})


def test_a_control_returns_when_another_moves_and_one_without_effect_is_gray(folder, pages):
    explorer, made = live(pages, "18_iou_family-2"), film(folder, "18_iou_family-2")
    method, threshold, sigma, _ = made["controls"]
    assert explorer.locator('[name="sigma"]').is_disabled()
    put(explorer, threshold, 0)
    put(explorer, method, 2)
    assert (
        explorer.locator('[name="iou_threshold"]').get_attribute("aria-valuetext")
        == threshold["texts"][threshold["opening"]]
    )
    assert explorer.locator('[name="sigma"]').is_enabled()
    assert explorer.locator('[name="iou_threshold"]').is_disabled()


def test_keys_move_a_slider_and_the_handle_on_the_picture(pages):
    explorer = live(pages, "05_metrics_roc-0")
    page, slider = explorer.page, explorer.locator('[name="threshold"]')
    slider.focus()
    page.keyboard.press("ArrowRight")
    stepped = float(slider.get_attribute("aria-valuetext"))
    assert 0.5 < stepped < 0.53
    page.wait_for_function(
        "said => document.querySelector('.viva-readouts').textContent.includes(said)", arg=str(stepped)
    )
    explorer.locator("canvas").focus()
    page.keyboard.press("ArrowRight")
    assert stepped < float(slider.get_attribute("aria-valuetext")) < stepped + 0.03
    page.keyboard.press("Shift+ArrowLeft")
    assert float(slider.get_attribute("aria-valuetext")) < 0.5
    page.keyboard.press("Tab")
    assert not explorer.locator("canvas").evaluate("canvas => canvas == document.activeElement"), "Tab is caught"


def test_the_mouse_drags_a_line_to_where_it_points(folder, pages):
    explorer, made = live(pages, "05_metrics_roc-0"), film(folder, "05_metrics_roc-0")
    page, slider, box = explorer.page, explorer.locator('[name="threshold"]'), explorer.locator("canvas").bounding_box()
    ((left, bottom), (right, top)) = made["handles"][0]["box"]
    x = lambda threshold: box["x"] + box["width"] * (left + threshold * (right - left))  # noqa: E731
    y = box["y"] + box["height"] * (1 - (bottom + top) / 2)
    page.mouse.move(x(0.5), y)
    assert explorer.locator("canvas").evaluate("canvas => canvas.style.cursor") == "ew-resize"
    page.mouse.down()
    page.mouse.move(x(0.8), y)
    assert float(slider.get_attribute("aria-valuetext")) == pytest.approx(0.8, abs=0.01)
    page.mouse.move(x(2), y)  # outside: as far as it goes
    page.mouse.up()
    assert float(slider.get_attribute("aria-valuetext")) == 1
    page.mouse.move(x(0.2), y)
    assert float(slider.get_attribute("aria-valuetext")) == 1, "it follows after the release"


@pytest.mark.parametrize("name", ["05_metrics_roc-0", "18_iou_family-2"])
def test_a_drag_is_painted_at_the_screens_own_rate(pages, name):
    explorer = live(pages, name)
    painted, screens = explorer.evaluate(
        """async explorer => {
            const slider = explorer.querySelector("input[type=range]");
            const draw = CanvasRenderingContext2D.prototype.drawImage;
            let painted = 0, screens = 0;
            CanvasRenderingContext2D.prototype.drawImage = function (...what) { painted += 1; draw.apply(this, what); };
            for (const end = performance.now() + 2000; performance.now() < end; screens += 1) {
                slider.value = screens % slider.max;
                slider.dispatchEvent(new Event("input"));
                await new Promise(requestAnimationFrame);
            }
            CanvasRenderingContext2D.prototype.drawImage = draw;
            return [painted, screens];
        }"""
    )
    print(f"{name}: {painted / 2:.0f} frames painted a second, of {screens / 2:.0f} that the screen drew")
    assert painted > 0.9 * screens
    assert screens / 2 > 30  # a busy machine draws fewer than 60


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 720), (390, 844)], ids=["wide", "narrow"])
def test_no_page_is_wider_than_the_screen(folder, browser, scheme, size):
    page = browser.new_page(viewport=dict(zip(("width", "height"), size, strict=True)), color_scheme=scheme)
    for name in ("index", "00_start_here", "05_metrics_roc", "18_iou_family"):
        page.goto((folder / f"{name}.html").as_uri())
        page.wait_for_function(
            "window.MathJax?.startup?.promise?.then(() => true) ?? document.readyState == 'complete'"
        )
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], name
        page.screenshot(path=ARTIFACTS / f"site_{name}_{scheme}_{size[0]}.png")
    page.close()


def test_search_finds_a_page(folder, browser):
    page = browser.new_page()
    page.goto((folder / "search.html").as_uri() + "?q=hyperbola")
    assert page.locator("#search-results a").first.get_attribute("href").startswith("05_metrics_roc.html")
    page.close()


class Pages(SimpleHTTPRequestHandler):
    """Files as GitHub Pages serves them: text is compressed."""

    def do_GET(self):
        path = self.translate_path(self.path)
        with open(path, "rb") as file:
            body = file.read()
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        if path.endswith((".html", ".css", ".js")):
            body = gzip.compress(body)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(ConnectionError):  # the page was closed before its films were there
            self.wfile.write(body)

    def log_message(self, *arguments):
        pass


def test_the_first_picture_is_there_within_a_second_on_a_slow_line(folder, browser):
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Pages, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for topic in BUILT:
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        line = {"offline": False, "latency": 20, "downloadThroughput": SLOW, "uploadThroughput": SLOW}
        page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", line)
        page.goto(f"http://127.0.0.1:{server.server_port}/{topic.notebook}.html", wait_until="commit")
        picture, text = page.wait_for_function(
            """name => {
                const image = document.querySelector(`img[src*="${name}-0.webp"]`);
                const shown = performance.getEntriesByName("first-contentful-paint")[0];
                const loaded = image?.complete && image.naturalWidth && performance.getEntriesByName(image.src)[0];
                return loaded && shown && [loaded.responseEnd, shown.startTime];
            }""",
            arg=topic.notebook,
        ).json_value()
        print(f"{topic.notebook}: text after {text:.0f} ms, first picture after {picture:.0f} ms")
        assert max(picture, text) < 1000
        page.close()
    server.shutdown()
    server.server_close()
