"""Small rules for text that people read."""

ELLIPSIS = "…"


def shorten(text: str, *, limit: int) -> str:
    """`text` in at most `limit` characters, cut after a whole word where there is one."""
    clean = " ".join(text.split()) if len(text) > limit else text
    if len(clean) <= limit:
        return clean
    head = clean[: limit - len(ELLIPSIS)]
    cut_inside_a_word = not clean[len(head)].isspace()
    if cut_inside_a_word and " " in head:
        head = head.rsplit(" ", 1)[0]
    return head.rstrip() + ELLIPSIS
