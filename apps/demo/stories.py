"""What the tenants of the demonstration have done in the last weeks. Days are counted back from the present.

Nothing happens between 20 and 14 days ago: there the billing period of each of them begins, on
whichever day the months make it.
"""

from dataclasses import dataclass

from apps.accounts.services import NewUser
from apps.credits.types import Category


@dataclass(frozen=True)
class Gift:
    """Credits that the vendor gave or sold `ago` days ago; `lasts` None: for ever."""

    ago: float
    amount: int
    category: Category
    reason: str
    lasts: float | None = None


@dataclass(frozen=True)
class Work:
    """A project begun `ago` days ago, with so many tasks, added within so many days."""

    name: str
    ago: int
    tasks: int
    within: int


@dataclass(frozen=True)
class Story:
    """One tenant: what share of its API calls it has used in the present period, how its storage grew (GB)."""

    tenant_id: str
    calls: float
    storage: tuple[int, int]
    work: tuple[Work, ...]
    gifts: tuple[Gift, ...] = ()
    colleague: NewUser | None = None


# As many projects as its plan allows, and hardly a credit left.
ACME = Story(
    tenant_id="acme",
    calls=0.55,
    storage=(2, 6),
    work=(
        Work("Website relaunch", ago=33, tasks=9, within=11),
        Work("Autumn catalogue", ago=13, tasks=9, within=6),
        Work("Customer survey", ago=6, tasks=10, within=5),
    ),
    gifts=(Gift(31, 10, Category.PROMOTIONAL, "Welcome: ten on the house", lasts=2.5),),
    colleague=NewUser(username="bob", email="bob@acme.example", full_name="Bob Miller"),
)
# Near the limit of its API calls; bought credits, of which most are left.
GLOBEX = Story(
    tenant_id="globex",
    calls=0.86,
    storage=(180, 305),
    work=(
        Work("Weather machine", ago=34, tasks=9, within=9),
        Work("Harbour survey", ago=30, tasks=7, within=8),
        Work("Payroll migration", ago=13, tasks=9, within=7),
        Work("Hammock district", ago=12, tasks=8, within=10),
        Work("Volcano lease", ago=9, tasks=6, within=5),
        Work("Spring hiring", ago=4, tasks=5, within=3),
    ),
    gifts=(
        Gift(32, 25, Category.PROMOTIONAL, "Launch offer", lasts=6),
        Gift(10, 200, Category.PAID, "Bought: a pack of 200, order 4711"),
        Gift(5, 20, Category.MANUAL, "Apology for the outage", lasts=60),
    ),
    colleague=NewUser(username="mindy", email="mindy@globex.example", full_name="Mindy Simmons"),
)
# Past a limit that is soft.
INITECH = Story(
    tenant_id="initech",
    calls=1.12,
    storage=(120, 210),
    work=(
        Work("TPS reports", ago=33, tasks=8, within=9),
        Work("Year 2000", ago=12, tasks=9, within=8),
        Work("Printer replacement", ago=7, tasks=5, within=5),
    ),
)
# Far below everything: it moves to Enterprise afterwards.
HOOLI = Story(
    tenant_id="hooli",
    calls=0.31,
    storage=(1, 4),
    work=(Work("Compression trial", ago=13, tasks=6, within=9),),
)
STORIES = (ACME, GLOBEX, INITECH, HOOLI)
TASKS = (
    "Agree on the goal",
    "Ask three customers",
    "Book a room",
    "Check the numbers",
    "Clean up the old files",
    "Collect feedback",
    "Compare two offers",
    "Draft the outline",
    "Estimate the cost",
    "Find a date",
    "Fix the broken link",
    "Invite the team",
    "List what is missing",
    "Order the material",
    "Plan the launch",
    "Prepare the slides",
    "Read the contract",
    "Review the first version",
    "Send the invitation",
    "Sort the pictures",
    "Talk to the printer",
    "Test it on a telephone",
    "Translate the summary",
    "Write to the supplier",
)
ENDPOINTS = ("/orders", "/customers", "/reports", "/search")
