"""The operator's pages as they are found and read."""

import re
from typing import Any

from django.urls import reverse


def path_of(name: str, *args: object) -> str:
    """The address of one of the operator's pages."""
    return reverse(f"admin:{name}", args=args, urlconf="config.urls.public")


def text(answer: Any) -> str:
    """What is read on a page, without its markup."""
    assert answer.status_code == 200
    words = re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(script|style).*?</\1>", " ", answer.content.decode()))
    return " ".join(words.replace("&nbsp;", " ").split())
