"""Plots as SVG and images as PNG, written by hand: nothing but the standard library is needed."""
import html
import math
import struct
import zlib

# Distinct for most eyes, in colour and in lightness (Okabe and Ito).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
GREY, LIGHT = "#555555", "#dddddd"


def number(value):
    """A tick's label."""
    if value == 0:
        return "0"
    if abs(value) >= 1e5 or abs(value) < 1e-3:
        mantissa, exponent = f"{value:.0e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    return f"{value:,.10g}"


def text(x, y, content, size=12, anchor="middle", colour="#000000", turn=None, weight=None):
    extra = (f' transform="rotate({turn} {x:.1f} {y:.1f})"' if turn else "") + (f' font-weight="{weight}"' if weight else "")
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}"{extra}>{html.escape(content)}</text>'


def line(x0, y0, x1, y1, colour=GREY, width=1.0):
    return f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="{colour}" stroke-width="{width}"/>'


def marker(shape, x, y, colour, size=4):
    """One of four shapes, so that lines differ without their colours."""
    if shape % 4 == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" fill="{colour}"/>'
    if shape % 4 == 1:
        return f'<rect x="{x - size:.1f}" y="{y - size:.1f}" width="{2 * size}" height="{2 * size}" fill="{colour}"/>'
    corners = [(0, -1.3), (1.2, 1), (-1.2, 1)] if shape % 4 == 2 else [(0, -1.4), (1.4, 0), (0, 1.4), (-1.4, 0)]
    return f'<polygon points="{" ".join(f"{x + size * dx:.1f},{y + size * dy:.1f}" for dx, dy in corners)}" fill="{colour}"/>'


class Axis:
    """Values to places between two ends. `base` 0 is linear."""

    def __init__(self, values, begin, end, base=0, zero=False):
        self.begin, self.end, self.base = begin, end, base
        low, high = min(values), max(values)
        if base:
            low, high = math.log(low, base), math.log(high, base)
            margin = 0.04 * (high - low) or 0.5
            self.low, self.high = low - margin, high + margin
        else:
            margin = 0.06 * (high - low) or 0.1 * abs(high) or 1
            self.low, self.high = (0 if zero else low - margin), high + margin

    def place(self, value):
        value = math.log(value, self.base) if self.base else value
        return self.begin + (value - self.low) / (self.high - self.low) * (self.end - self.begin)

    def ticks(self):
        if self.base:
            powers = range(math.ceil(self.low - 1e-9), math.floor(self.high + 1e-9) + 1)
            step = max(1, math.ceil(len(powers) / 9))
            if len(powers) >= 2:
                return [self.base**p for p in powers if p % step == 0]
            low, high = self.base**self.low, self.base**self.high
            decade = 10 ** math.floor(math.log10(low))
            return [m * decade * d for d in (1, 10) for m in (1, 2, 5) if low <= m * decade * d <= high]
        span = self.high - self.low
        step = 10 ** math.floor(math.log10(span / 4))
        step *= next(m for m in (1, 2, 5, 10) if span / (m * step) <= 7)
        first = math.ceil(self.low / step - 1e-9)
        return [round(i * step, 12) for i in range(first, math.floor(self.high / step + 1e-9) + 1)]


def lines(series, title, x_label, y_label, x_base=0, y_base=0, zero=False, x_ticks=None):
    """A panel of lines. `series` is a list of (label, [(x, y)]); several y at one x are a line through their medians with the others as faint points."""
    left, right, top, bottom, width, height = 72, 20, 40 + 18 * len(series), 56, 460, 380 + 18 * len(series)
    points = [p for _, some in series for p in some]
    if not points:
        return None
    across = Axis([x for x, _ in points] + list(x_ticks or ()), left, width - right, x_base)
    up = Axis([y for _, y in points], height - bottom, top, y_base, zero)
    out = [text(width / 2, 22, title, 14, weight="bold")]
    for tick in x_ticks or across.ticks():
        x = across.place(tick)
        out += [line(x, top, x, height - bottom, LIGHT), text(x, height - bottom + 18, number(tick))]
    for tick in up.ticks():
        y = up.place(tick)
        out += [line(left, y, width - right, y, LIGHT), text(left - 8, y + 4, number(tick), anchor="end")]
    out += [line(left, height - bottom, width - right, height - bottom), line(left, top, left, height - bottom)]
    out += [text((left + width - right) / 2, height - 14, x_label, 13), text(18, (top + height - bottom) / 2, y_label, 13, turn=-90)]
    for index, (label, some) in enumerate(series):
        colour = COLOURS[index % len(COLOURS)]
        middle = []
        for x in sorted({x for x, _ in some}):
            ys = sorted(y for at, y in some if at == x)
            middle.append((across.place(x), up.place((ys[(len(ys) - 1) // 2] + ys[len(ys) // 2]) / 2)))
            if len(ys) > 1:
                out += [f'<g opacity="0.35">{marker(index, across.place(x), up.place(y), colour, 3)}</g>' for y in ys]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in middle)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [marker(index, x, y, colour) for x, y in middle]
        y = 42 + 18 * index
        out += [line(left + 4, y, left + 28, y, colour, 2), marker(index, left + 16, y, colour), text(left + 36, y + 4, label, anchor="start")]
    return width, height, out


def dots(rows, title, x_label):
    """A panel with a line for each (label, values): a dot for each value and a bar at their median. A row of None draws a rule."""
    left = round(28 + 6.8 * max(len(row[0]) for row in rows if row))
    right, top, bottom, step, width = 30, 40, 56, 24, left + 520
    height = top + bottom + step * len(rows)
    values = [v for row in rows if row for v in row[1]]
    if not values:
        return None
    across = Axis(values, left, width - right)
    out = [text(width / 2, 22, title, 14, weight="bold")]
    for tick in across.ticks():
        x = across.place(tick)
        out += [line(x, top, x, height - bottom, LIGHT), text(x, height - bottom + 18, number(tick))]
    out += [line(left, height - bottom, width - right, height - bottom), text((left + width - right) / 2, height - 14, x_label, 13)]
    for index, row in enumerate(rows):
        y = top + step * (index + 0.5)
        if not row:
            out.append(line(20, y, width - right, y, GREY))
            continue
        label, some = row
        out += [text(left - 12, y + 4, label, anchor="end"), line(left, y, width - right, y, LIGHT, 0.5)]
        if not some:
            out.append(text(left + 8, y + 4, "no result", 11, "start", GREY))
            continue
        some = sorted(some)
        middle = across.place((some[(len(some) - 1) // 2] + some[len(some) // 2]) / 2)
        out += [f'<g opacity="0.5">{marker(0, across.place(v), y, COLOURS[0])}</g>' for v in some]
        out.append(line(middle, y - 8, middle, y + 8, COLOURS[1], 3))
    return width, height, out


def svg(path, panels):
    """Writes panels side by side; those without points are left out. Says whether any was left."""
    panels = [panel for panel in panels if panel]
    if not panels:
        return False
    width, height = sum(panel[0] for panel in panels), max(panel[1] for panel in panels)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="Helvetica, Arial, sans-serif">']
    out.append(f'<rect width="{width}" height="{height}" fill="#ffffff"/>')
    x = 0
    for panel_width, _, items in panels:
        out += [f'<g transform="translate({x} 0)">', *items, "</g>"]
        x += panel_width
    path.write_text("\n".join([*out, "</svg>", ""]))
    return True


def sheet(path, rows, size, levels, scale=4, gap=2):
    """Writes rows of images as one grey PNG. An image is a list of size * size levels."""
    cell = size * scale
    width, height = max(len(row) for row in rows) * (cell + gap) + gap, len(rows) * (cell + gap) + gap
    pixels = [bytearray(b"\x60" * width) for _ in range(height)]
    for r, row in enumerate(rows):
        for c, image in enumerate(row):
            for y in range(cell):
                values = image[y // scale * size : (y // scale + 1) * size]
                grey = bytes(round(value * 255 / (levels - 1)) for value in values for _ in range(scale))
                begin = gap + c * (cell + gap)
                pixels[gap + r * (cell + gap) + y][begin : begin + cell] = grey

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + bytes(row) for row in pixels), 9)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b""))
