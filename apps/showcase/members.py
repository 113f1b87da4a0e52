"""What is kept here about one member of the tenant."""

from typing import Any

from apps.accounts.models import User
from apps.showcase.models import Project, Task


def export(user: User) -> dict[str, list[Any]]:
    """What they have created."""
    projects = Project.objects.filter(created_by=user.username)
    tasks = Task.objects.filter(created_by=user.username)
    return {
        "projects": list(projects.values("id", "name", "description", "created_at")),
        "tasks": list(tasks.values("id", "project_id", "title", "done", "created_at")),
    }


def erase(user: User) -> None:
    """What they have created is the tenant's and stays; that it was theirs is forgotten."""
    for model in (Project, Task):
        model.objects.filter(created_by=user.username).update(created_by="")
