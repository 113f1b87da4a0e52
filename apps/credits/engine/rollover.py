"""What is kept of a plan's credits when its period ends."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Terms:
    """What comes with each period, and the bounds of what is kept of the last one."""

    amount: int
    least: int
    most: int

    def kept(self, left: int) -> int:
        """What a period takes over from the one before, of which so much is left."""
        return min(self.most, max(left, self.least))


def after(terms: Terms, *, left: int, debt: int, turns: int) -> tuple[int, int]:
    """What is left of the plan's credits, and the debt, after so many turns between which nothing happens.

    What a turn brings settles the debt first. The same as taking the turns one by one; in
    one step, however many there are.
    """
    if debt:
        turns, left, debt = _out_of_debt(terms, debt, turns)
    if not turns:
        return left, debt
    # From the second turn on nothing is below `least` any more, so each adds its amount up to `most`.
    return min(terms.most, max(left, terms.least) + (turns - 1) * terms.amount) + terms.amount, 0


def _out_of_debt(terms: Terms, debt: int, turns: int) -> tuple[int, int, int]:
    """The turns that remain once the debt is settled, what is left then, and the debt that they do not suffice for.

    In debt nothing is left, so each turn brings the same.
    """
    each = terms.kept(0) + terms.amount
    needed = -(-debt // each) if each else turns
    if turns < needed or not each:
        return 0, 0, debt - turns * each
    return turns - needed, needed * each - debt, 0
