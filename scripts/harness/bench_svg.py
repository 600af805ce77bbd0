"""A plot of ratios as SVG, without any library."""

import html
import math

WIDTH, LEFT, RIGHT, ROW, TOP, BOTTOM = 860, 330, 30, 34, 56, 46
STYLE = ("text{font:13px sans-serif;fill:#222}.axis{stroke:#999}"
         ".one{stroke:#c33;stroke-dasharray:4 3}.range{stroke:#356;"
         "stroke-width:2}.pair{fill:#356;fill-opacity:.35}"
         ".median{fill:#c60}.small{font-size:11px;fill:#666}")


def _ticks(low, high):
    """Round values of a logarithmic axis."""
    found = []
    for exponent in range(math.floor(math.log10(low)) - 1,
                          math.ceil(math.log10(high)) + 1):
        for digit in (1, 1.5, 2, 3, 5, 7):
            value = digit * 10.0 ** exponent
            if low <= value <= high:
                found.append(value)
    return found


def plot(title, rows):
    """`rows`: (label, values); every value is a dot on a logarithmic axis."""
    values = [v for _, row in rows for v in row] + [1.0]
    low, high = min(values) / 1.15, max(values) * 1.15
    span = math.log(high / low)
    height = TOP + ROW * len(rows) + BOTTOM

    def x(value):
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(value / low) / span

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" '
           f'height="{height}" viewBox="0 0 {WIDTH} {height}">',
           f"<style>{STYLE}</style>",
           f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
           f'<text x="16" y="26">{html.escape(title)}</text>',
           '<text class="small" x="16" y="44">ours / yardstick; dots: pairs, '
           "diamond: median, red line: equal</text>"]
    base = TOP + ROW * len(rows)
    for tick in _ticks(low, high):
        out.append(f'<line class="axis" x1="{x(tick):.1f}" x2="{x(tick):.1f}" '
                   f'y1="{base}" y2="{base + 5}"/>'
                   f'<text class="small" text-anchor="middle" '
                   f'x="{x(tick):.1f}" y="{base + 20}">{tick:g}</text>')
    out.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" '
               f'y1="{base}" y2="{base}"/>')
    out.append(f'<line class="one" x1="{x(1):.1f}" x2="{x(1):.1f}" '
               f'y1="{TOP - 6}" y2="{base}"/>')
    for i, (label, row) in enumerate(rows):
        y = TOP + ROW * i + ROW / 2
        middle = sorted(row)[len(row) // 2] if len(row) % 2 else (
            sum(sorted(row)[len(row) // 2 - 1:len(row) // 2 + 1]) / 2)
        out.append(f'<text x="16" y="{y + 4:.1f}">{html.escape(label)}</text>')
        out.append(f'<line class="range" x1="{x(min(row)):.1f}" '
                   f'x2="{x(max(row)):.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
        out += [f'<circle class="pair" cx="{x(v):.1f}" cy="{y:.1f}" r="4"/>'
                for v in row]
        m = x(middle)
        out.append(f'<path class="median" d="M{m - 6:.1f} {y:.1f}L{m:.1f} '
                   f'{y - 6:.1f}L{m + 6:.1f} {y:.1f}L{m:.1f} {y + 6:.1f}Z"/>')
    out.append("</svg>")
    return "\n".join(out) + "\n"
