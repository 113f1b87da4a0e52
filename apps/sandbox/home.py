"""The page at `/`, for a person who wonders what is listening here."""

from html import escape

from apps.sandbox import deliveries
from apps.sandbox.store import Store

_SHOWN = 25
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Stripe stand-in</title>
<style>
  body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
  table {{ border-collapse: collapse; margin-bottom: 2rem }}
  caption {{ text-align: left; font-weight: 600 }}
  th, td {{ text-align: left; padding: .2rem 1rem .2rem 0; border-bottom: 1px solid #ccc }}
</style>
<h1>This is the local stand-in for Stripe, not Stripe</h1>
<p>No money moves here, and no webhook leaves this machine. Account {account}.</p>
{tables}
"""


def page(store: Store) -> str:
    """Return the page: counts of objects, the last events and deliveries."""
    with store.reading() as tx:
        account = escape(str(tx.setting("account")))
        counts = list(tx.rows("SELECT kind, count(*) FROM object WHERE deleted = 0 GROUP BY kind ORDER BY kind"))
        query = "SELECT id, json_extract(body, '$.type'), datetime(created, 'unixepoch') FROM object"
        events = list(tx.rows(f"{query} WHERE kind = 'event' ORDER BY seq DESC LIMIT {_SHOWN}"))
    sent = [list(each.values()) for each in deliveries.listed(store, limit=_SHOWN)]
    tables = (
        _table("Objects", ["kind", "count"], counts),
        _table("Last events", ["event", "type", "created (UTC)"], events),
        _table("Last deliveries", ["event", "type", "endpoint", "state", "attempts", "status", "error"], sent),
    )
    return _PAGE.format(account=account, tables="\n".join(tables))


def _table(caption: str, names: list[str], rows: list[list[object]]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    body = "\n".join(f"<tr>{''.join(f'<td>{_cell(value)}</td>' for value in row)}</tr>" for row in rows)
    return f"<table><caption>{caption}</caption>\n<tr>{head}</tr>\n{body}\n</table>"


def _cell(value: object) -> str:
    return "" if value is None else escape(str(value))
