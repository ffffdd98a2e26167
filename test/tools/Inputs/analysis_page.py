# analysis_page.py CHROMIUM FOLDER: opens FOLDER/analysis.html in a browser without a window, and compares what its script has drawn with analysis.json.
import base64, json, os, re, subprocess, sys, tempfile
from html.parser import HTMLParser

chromium, folder = sys.argv[1], os.path.abspath(sys.argv[2])
analysis = json.load(open(f"{folder}/analysis.json"))
K, H, T, L, C, views = (analysis[key] for key in ("slots", "heads", "segments", "segment_tokens", "cls_tokens", "views"))
names = {1: "keeps", 2: "blends", 3: "replaces"}


class Element:
    def __init__(self, tag, attributes):
        self.tag, self.attributes, self.children = tag, attributes, []

    def text(self):
        return "".join(child if isinstance(child, str) else child.text() for child in self.children)

    def all(self, tag=None, **attributes):
        found = []
        for child in self.children:
            if isinstance(child, Element):
                if (tag in (None, child.tag)) and all(child.attributes.get(key.replace("_", "-")) == value for key, value in attributes.items()):
                    found.append(child)
                found += child.all(tag, **attributes)
        return found

    def id(self, name):
        (one,) = self.all(id=name)
        return one


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag, attributes):
        element = Element(tag, dict(attributes))
        self.open[-1].children.append(element)
        if tag not in ("meta", "link", "input", "br", "img"):
            self.open.append(element)

    def handle_endtag(self, tag):
        while len(self.open) > 1 and self.open.pop().tag != tag:
            pass

    def handle_data(self, data):
        self.open[-1].children.append(data)


def browse(path, fragment=""):
    with tempfile.TemporaryDirectory() as profile:
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--window-size=1240,1600", "--enable-logging=stderr", f"--user-data-dir={profile}"]
        done = subprocess.run([chromium, *options, "--dump-dom", f"file://{path}{fragment}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, env=dict(os.environ, HOME=profile))
    console = [line for line in done.stderr.decode(errors="replace").splitlines() if "CONSOLE" in line]
    assert done.returncode == 0 and not console, console
    reader = Reader()
    reader.feed(done.stdout.decode())
    return reader.root


def unpack(packed):
    return memoryview(base64.b64decode(packed)).cast("H")


own = unpack(analysis["self_weights"])
self_weight = lambda t, k, view=0: own[(t * views + view) * K + k] / 65535
packed = {rows: {key: unpack(value) for key, value in analysis["attention"][rows].items()} for rows in ("mean", "heads") if rows in analysis["attention"]}


# What is stored of a slot's attention; of heads that are not stored, that of their mean.
def stored(t, k, view):
    heads = view > 0 and "heads" in packed
    rows = packed["heads" if heads else "mean"]
    row = (t * H + view - 1) * K + k if heads else t * K + k
    start = sum(rows["counts"][:row])
    return {rows["positions"][i]: rows["weights"][i] / 65535 for i in range(start, start + rows["counts"][row])}


def type_of(weight):
    return 1 if weight >= analysis["thresholds"]["keeps"] else 3 if weight <= analysis["thresholds"]["replaces"] else 2


def glyph(token):
    if token < 0:
        return f"[vector {-token}]"
    if not analysis["text"]:
        return str(token)
    return {10: "↵", 9: "\\t"}.get(token) or (chr(token) if 32 <= token < 127 else f"\\x{token:02x}")


# A slot and a segment as the page shows them.
def check_choice(page, slot, segment, view):
    weight = self_weight(segment, slot)
    kind = type_of(weight)
    assert page.id("where").text() == f"Slot {slot} at segment {segment}: type {kind}, {names[kind]} (self weight {weight:.2f})", page.id("where").text()
    spans = [span for span in page.id("text").all("span") if "data-position" in span.attributes]
    assert len(spans) == L + C
    weights = stored(segment, slot, view)
    for position, span in enumerate(spans):
        token = analysis["tokens"][segment][position] if position < L else L - position - 1
        assert span.text() == glyph(token), (position, span.text(), token)
        assert abs(float(span.attributes["data-weight"]) - weights.get(position, 0)) < 6e-5, position
        shade = re.search(r"--shade\), ([0-9.]+)\)", span.attributes.get("style", ""))
        assert bool(shade) == (position in weights), (position, span.attributes)
        if shade:
            assert abs(float(shade[1]) - (0.08 + 0.87 * weights[position] / max(weights.values()))) < 2e-3, position
    rows = page.id("heads").all("tr")[1:]
    assert [row.all("td")[0].text() for row in rows] == ["mean"] + [str(head) for head in range(1, views)]
    for head, row in enumerate(rows):
        assert abs(float(row.all("td")[1].text()) - self_weight(segment, slot, head)) < 6e-4
    listed = [row.all("td")[0].text() for row in page.id("tokens").all("tr")[1:]]
    assert listed == ["␣" if token == 32 and analysis["text"] else glyph(token) for token, *_ in analysis["slot"]["tokens"][slot]]
    return len(weights)


# The page asks for nothing outside itself.
source = open(f"{folder}/analysis.html", encoding="utf-8").read()
assert "default-src 'none'" in source
assert set(re.findall(r"https?://[^\s'\"]+", source)) <= {"http://www.w3.org/2000/svg"}, "the page names an address"

busy = max(range(T * K), key=lambda i: len(stored(i // K, i % K, 0)))
segment, slot = busy // K, busy % K
view = views - 1
page = browse(f"{folder}/analysis.html", f"#slot={slot}&segment={segment}&head={view}&theme=dark")
(html,) = page.all("html")
assert html.attributes["data-theme"] == "dark"
rows = [[int(cell.text()) for cell in row.all("td")] for row in page.id("types").all("tr")[1:]]
assert rows == [[t, *counts] for t, counts in enumerate(analysis["types"])], rows
last = analysis["types"][-1]
assert page.id("series").attributes["aria-label"].endswith(f"at the last one {last[0]} keep, {last[1]} blend and {last[2]} replace")
assert [len(page.id("series").all("path", **{"class": f"a{kind}"})) for kind in (1, 2, 3)] == [1, 1, 1]
assert len(page.id("scatter").all("circle", **{"class": "dot"})) == K
(canvas,) = page.id("heat").all("canvas")
assert (canvas.attributes["width"], canvas.attributes["height"]) == (str(T), str(K))
assert len(page.all("div", **{"class": "tile"})) == 3
assert check_choice(page, slot, segment, view) > 0
print(f"types of {T} segments, and slot {slot} at segment {segment}")

# A hand at it: a click into the map, keys, another head, another order and other colours.
act = f"""
const heat = document.getElementById('heat'), canvas = heat.querySelector('canvas'), box = canvas.getBoundingClientRect();
const order = document.getElementById('order');
order.value = 'slot';
order.dispatchEvent(new Event('change'));
const at = {{clientX: box.left + ({T - 2} + 0.5) / {T} * box.width, clientY: box.top + ({K - 1} + 0.5) / {K} * box.height, bubbles: true}};
heat.dispatchEvent(new PointerEvent('pointermove', at));
document.body.dataset.tip = document.getElementById('tip').textContent;
heat.dispatchEvent(new MouseEvent('click', at));
document.body.dataset.clicked = document.getElementById('where').textContent;
const press = (target, key) => target.dispatchEvent(new KeyboardEvent('keydown', {{key, bubbles: true, cancelable: true}}));
press(heat, 'ArrowUp');
press(document.getElementById('series'), 'ArrowRight');
document.querySelector('#heads tr[data-view="{view}"]').click();
const text = document.getElementById('text');
text.querySelector('[data-position="0"]').focus();
press(text, 'ArrowRight');
document.body.dataset.focused = document.activeElement.dataset.position;
document.getElementById('theme').click();
"""
acted = f"{folder}/acted.html"
open(acted, "w", encoding="utf-8").write(source.replace("</body>", f"<script>{act}</script></body>"))
page = browse(acted, "#slot=0&segment=0&theme=light")
os.remove(acted)
(body,), (html,) = page.all("body"), page.all("html")
weight = self_weight(T - 2, K - 1)
assert body.attributes["data-tip"] == f"slot {K - 1}, segment {T - 2}\nself weight {weight:.3f}: type {type_of(weight)}, {names[type_of(weight)]}", body.attributes["data-tip"]
assert body.attributes["data-clicked"].startswith(f"Slot {K - 1} at segment {T - 2}: "), body.attributes["data-clicked"]
assert body.attributes["data-focused"] == "1"
assert html.attributes["data-theme"] == "dark"
check_choice(page, max(K - 2, 0), T - 1, view)
print("click, keys and choices")
