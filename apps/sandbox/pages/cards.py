"""The choice of a test card, which checkout and the portal offer in place of a form for real ones."""

from typing import Final, NamedTuple

from apps.sandbox.cards import DECLINED, Card, by_number
from apps.sandbox.errors import ApiError
from apps.sandbox.pages.layout import Html, join, tag, void_tag


class Choice(NamedTuple):
    """A card and what comes of it; `later` is the outcome of charges after the first, if that is another one."""

    number: str
    meaning: str
    later: str | None = None

    @property
    def card(self) -> Card:
        return by_number(self.number)


CHOICES: Final = {
    "pays": Choice("4242424242424242", "pays, now and later"),
    "declined": Choice("4000000000000341", "is declined"),
    "asks": Choice("4000002760003184", "asks the customer to confirm each payment"),
    "pays-once": Choice("4242424242424242", "pays now, and is declined from then on", DECLINED),
}


def chosen(name: str | None) -> Choice:
    """Return the choice of that name; raises ApiError for none."""
    if name not in CHOICES:
        raise ApiError("Choose a card.", param="card")
    return CHOICES[name]


def picker(*names: str) -> Html:
    """Return the radio buttons for the named choices, the first of which is chosen."""
    return join(_radio(name, checked=name == names[0]) for name in names)


def _radio(name: str, *, checked: bool) -> Html:
    choice = CHOICES[name]
    grouped = " ".join(choice.number[start : start + 4] for start in range(0, 16, 4))
    control = void_tag("input", type="radio", name="card", value=name, required=True, checked=checked)
    words = tag("span", tag("code", grouped), " ", tag("span", choice.meaning, class_="quiet"))
    return tag("label", control, words, class_="card")
