"""What actions cost here, in credits."""

from apps.credits.types import CreditType

PROJECT = CreditType(
    value="credit-project-creation",
    name="Create a project",
    amount=2,
    description="For each project. Deleting it does not give them back.",
)
TASK = CreditType(
    value="credit-task-creation",
    name="Create a task",
    amount=1,
    description="For each task of a project.",
)
