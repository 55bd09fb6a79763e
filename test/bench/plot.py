"""plot -- growth.json as SVG: a line over a logarithmic axis, plain enough for a
page of text, readable on light and dark."""
import math
import pathlib

WIDE, HIGH, LEFT, RIGHT, TOP, BOTTOM = 640, 300, 70, 20, 44, 46
INK, LINES = "#777", ("#2563eb", "#d97706")

# file: (series, title, what x counts, rows: (member, its words))
DRAWINGS = {
    "queued.svg": ("queued", "CPU of a message relayed, while others wait",
                   "messages that wait", [("cpu_us", "µs of all processes")]),
    "queued-memory.svg": ("queued", "Memory of a message that waits, of 10,000 and more",
                          "messages that wait", [("own_octets", "octets, by its own count"),
                                                 ("octets", "octets, growth of all processes")]),
    "queued-start.svg": ("queued", "Start after kill -9",
                         "messages that wait", [("restart_220_s", "s until 220"),
                                                ("restart_all_s", "s until all are known")]),
    "connections.svg": ("connections", "CPU of a message relayed, from many connections",
                        "connections that all send", [("cpu_us", "µs of all processes")]),
    "size.svg": ("size", "CPU of an octet relayed", "octets of a message",
                 [("cpu_ns_per_octet", "ns of all processes")]),
    "cores.svg": ("cores", "Messages relayed by more cores", "cores",
                  [("per_second", "messages a second")]),
}


def short(n):
    """1500 as 1.5k."""
    for unit, sign in (1e9, "G"), (1e6, "M"), (1e3, "k"):
        if abs(n) >= unit:
            return f"{n / unit:.3g}{sign}"
    return f"{n:.3g}"


def octets(n):
    for unit, sign in (1 << 20, "MiB"), (1 << 10, "KiB"):
        if n >= unit:
            return f"{n // unit} {sign}"
    return str(n)


def nice_top(most):
    """The next of 1, 2, 2.5, 5 times a power of ten."""
    power = 10 ** math.floor(math.log10(most))
    return next(power * step for step in (1, 2, 2.5, 5, 10) if power * step >= most)


class Axes:
    def __init__(self, xs, most):
        low, high = math.log(xs[0]), math.log(xs[-1])
        self.scale = lambda x: LEFT + (math.log(x) - low) / ((high - low) or 1) * (WIDE - LEFT - RIGHT)
        self.most = nice_top(most)

    def x(self, x):
        return self.scale(x)

    def y(self, y):
        return HIGH - BOTTOM - y / self.most * (HIGH - TOP - BOTTOM)


def text(x, y, words, anchor="middle", size=12, ink=INK):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
            f'fill="{ink}">{words}</text>')


def grid(axes, xs, label):
    for i in range(5):
        y = axes.most * i / 4
        yield (f'<line x1="{LEFT}" x2="{WIDE - RIGHT}" y1="{axes.y(y):.1f}" y2="{axes.y(y):.1f}" '
               f'stroke="{INK}" stroke-opacity="0.3"/>')
        yield text(LEFT - 8, axes.y(y) + 4, short(y), "end")
    for x in xs:
        yield text(axes.x(x), HIGH - BOTTOM + 18, label(x))


def lines(axes, rows, members):
    for (member, words), ink, row in zip(members, LINES, range(len(members))):
        points = [(axes.x(r["x"]), axes.y(r[member])) for r in rows]
        yield (f'<polyline fill="none" stroke="{ink}" stroke-width="2" points="'
               + " ".join(f"{x:.1f},{y:.1f}" for x, y in points) + '"/>')
        for (x, y), r in zip(points, rows):
            yield (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{ink}">'
                   f'<title>{r["x"]:,}: {r[member]:,.4g}</title></circle>')
        yield text(WIDE - RIGHT, 18 + 14 * row, words, "end", 12, ink)


def drawing(rows, title, what, members, made, label):
    xs = [r["x"] for r in rows]
    axes = Axes(xs, max(r[m] for r in rows for m, _ in members))
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {HIGH}" '
        'font-family="system-ui, sans-serif">', f"<title>{title}</title>", f"<desc>{made}</desc>",
        text(LEFT - 40, 18, title, "start", 14), *grid(axes, xs, label),
        *lines(axes, rows, members), text(WIDE / 2, HIGH - 8, what), "</svg>", ""])


def draw(got, directory):
    for name, (series, title, what, members) in DRAWINGS.items():
        # of few messages the fixed part of tables is the most
        rows = [r for r in got.get(series, []) if name != "queued-memory.svg" or r["x"] >= 10000]
        if rows:
            (pathlib.Path(directory) / name).write_text(drawing(
                rows, title, what, members, got["made"], octets if series == "size" else short))
