"""The parts that every page is put together from. Text is escaped unless it is `Html` already."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Final, NamedTuple

from apps.sandbox.contract import Body


class Html(str):
    """Text that is HTML, made here and escaped where it must be."""

    __slots__ = ()


class Page(NamedTuple):
    """An answer to a browser; `location` sends it elsewhere."""

    html: str = ""
    status: int = 200
    location: str | None = None


class Visit(NamedTuple):
    """What a browser asks for: the id in the path, the query, and the fields of a form that was sent."""

    id: str
    query: dict[str, str]
    form: dict[str, str]


def redirect(location: str) -> Page:
    """Send the browser to another page, which it gets (303), so that reloading sends nothing twice."""
    return Page(status=303, location=location)


def text(value: object) -> Html:
    return value if isinstance(value, Html) else Html("" if value is None else escape(str(value)))


def join(parts: Iterable[object]) -> Html:
    return Html("".join(text(part) for part in parts))


def tag(name: str, /, *parts: object, **attributes: object) -> Html:
    """Return an element with what is in it; `class_` loses its stroke, None and False are no attributes."""
    return Html(f"{void_tag(name, **attributes)}{join(parts)}</{name}>")


def void_tag(name: str, /, **attributes: object) -> Html:
    """Return an element that has no end, as `input`."""
    shown = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
    given = {key: value for key, value in shown.items() if value is not None and value is not False}
    pairs = [f" {key}" if value is True else f' {key}="{escape(str(value))}"' for key, value in given.items()]
    return Html(f"<{name}{''.join(pairs)}>")


def link(label: object, href: str) -> Html:
    return tag("a", label, href=href)


def badge(label: object, tone: str = "") -> Html:
    return tag("span", label, class_=f"badge {tone}".strip())


def status_badge(status: object) -> Html:
    """Return a status in the colour of what it means: running, owed, or over."""
    return badge(status, _TONES.get(str(status), ""))


_TONES: Final = {
    **dict.fromkeys(("active", "paid", "delivered", "complete", "ready", "enabled"), "good"),
    **dict.fromkeys(("trialing", "open", "pending", "incomplete", "draft", "paused"), "wait"),
    **dict.fromkeys(("past_due", "unpaid", "failed", "dropped", "incomplete_expired", "uncollectible"), "bad"),
}


def hidden(**fields: object) -> Html:
    return join(void_tag("input", type="hidden", name=name, value=value) for name, value in fields.items())


def button(label: str, *, action: str = "", **fields: object) -> Html:
    """Return a form that is just a button, which posts `fields` to `action`, or to the page it is on."""
    return tag("form", hidden(**fields), tag("button", label), method="post", action=action or None)


def table(caption: str, names: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str = "None yet.") -> Html:
    body = [tag("tr", *(tag("td", cell) for cell in row)) for row in rows]
    head = tag("tr", *(tag("th", name, scope="col") for name in names))
    title = tag("h2", caption)
    if not body:
        return tag("section", title, tag("p", empty, class_="quiet"))
    return tag("section", title, tag("div", tag("table", tag("thead", head), tag("tbody", *body)), class_="wide"))


def notice(message: str | None, tone: str = "bad") -> Html:
    return tag("p", message, class_=f"notice {tone}", role="status") if message else Html()


def money(amount: int, currency: str) -> str:
    """Return an amount of minor units as people write it: `12.50 USD`."""
    if currency in _WITHOUT_MINOR_UNIT:
        return f"{amount:,} {currency.upper()}"
    sign = "-" if amount < 0 else ""
    return f"{sign}{abs(amount) // 100:,}.{abs(amount) % 100:02} {currency.upper()}"


_WITHOUT_MINOR_UNIT: Final = frozenset(
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof", "xpf"]
)


def price_text(price: Body) -> str:
    """Return what a price costs, with its interval: `9.00 EUR / month`."""
    recurring = price["recurring"] or {}
    count = recurring.get("interval_count", 1)
    interval = recurring.get("interval", "once") if count == 1 else f"{count} {recurring['interval']}s"
    return f"{_amount_text(price)} / {interval}"


def _amount_text(price: Body) -> str:
    if price["tiers_mode"]:
        return "by tiers"
    if price["unit_amount"] is None:
        return f"{price['unit_amount_decimal']} hundredths of {price['currency'].upper()}"
    return money(price["unit_amount"], price["currency"])


def day(moment: int | None) -> str:
    return "" if moment is None else f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}"


def minute(moment: int | None) -> str:
    return "" if moment is None else f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M}"


def document(title: str, *content: object, narrow: bool = False) -> str:
    """Return the whole page."""
    main = tag("main", *content, class_="narrow" if narrow else None)
    return _DOCUMENT.format(title=text(title), style=_STYLE, main=main)


_DOCUMENT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<p class="banner">A local stand-in for Stripe, not Stripe: no money moves here, and no webhook leaves this machine.</p>
{main}
</body>
</html>
"""

_STYLE = """
:root { color-scheme: light dark; --ink: #1a1f36; --quiet: #697386; --line: #e3e8ee; --paper: #fff; --ground: #f6f8fa;
  --accent: #5147e5; --good: #0b7a4b; --good-ground: #d7f7e4; --wait: #8a5a00; --wait-ground: #fdf0cd;
  --bad: #b3093c; --bad-ground: #ffe1e8 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8ef; --quiet: #9aa3b5; --line: #2d3344; --paper: #171b26;
  --ground: #0f121a; --accent: #8f88ff; --good: #6ee7b0; --good-ground: #0d3b27; --wait: #f5cf72;
  --wait-ground: #44340a; --bad: #ff9bb3; --bad-ground: #4b1222 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
main { max-width: 76rem; margin: 0 auto; padding: 1rem 1.5rem 3rem }
main.narrow { max-width: 34rem }
h1 { font-size: 1.5rem; margin: 1rem 0 .25rem }
section > h1 { margin-top: 0 }
h2 { font-size: 1.05rem; margin: 0 0 .6rem }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 8px; padding: 1rem 1.25rem;
  margin-top: 1rem }
.banner { margin: 0; padding: .3rem 1.5rem; background: var(--wait-ground); color: var(--wait); font-size: .85rem;
  text-align: center }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: .9rem }
th { text-align: left; font-weight: 500; color: var(--quiet) }
th, td { padding: .35rem .9rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: middle;
  white-space: nowrap; max-width: 24rem; overflow: hidden; text-overflow: ellipsis }
td form { flex-wrap: nowrap }
tbody tr:last-child td { border-bottom: 0 }
a { color: var(--accent); text-decoration: none }
a:hover { text-decoration: underline }
code, pre { font: .85rem/1.5 ui-monospace, monospace }
pre { overflow-x: auto; margin: 0 }
form { display: inline-flex; gap: .5rem; align-items: center; flex-wrap: wrap; margin: .15rem .4rem .15rem 0 }
form.stack { display: flex; flex-direction: column; align-items: stretch; margin: 0 }
button, input, select { font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--line);
  border-radius: 6px; padding: .25rem .7rem }
button { cursor: pointer; font-weight: 500 }
button:hover { border-color: var(--accent) }
button.main { background: var(--accent); border-color: var(--accent); color: var(--paper); padding: .5rem 1rem }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
input[type="number"] { width: 5.5rem }
label.card { display: flex; gap: .7rem; align-items: center; border: 1px solid var(--line); border-radius: 6px;
  padding: .55rem .8rem }
label.field { display: flex; flex-direction: column; gap: .2rem; color: var(--quiet); font-size: .85rem }
label.field input { color: var(--ink); padding: .45rem .7rem; font-size: .95rem }
.badge { display: inline-block; border-radius: 4px; padding: 0 .45rem; font-size: .8rem; background: var(--ground) }
.good { background: var(--good-ground); color: var(--good) }
.wait { background: var(--wait-ground); color: var(--wait) }
.bad { background: var(--bad-ground); color: var(--bad) }
.notice { border-radius: 6px; padding: .6rem .9rem }
.quiet { color: var(--quiet) }
.amount { font-size: 1.6rem; font-weight: 600; margin: .2rem 0 }
nav { display: flex; gap: .4rem 1rem; flex-wrap: wrap }
"""
