"""Where members work: projects and their tasks."""

from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.accounts.models import User
from apps.core import clock
from apps.core.actors import Actor
from apps.entitlements.facade import Decision, Refused
from apps.showcase import selectors, services
from apps.showcase.errors import AlreadyMade
from apps.showcase.forms import OnceForm, ProjectForm, TaskForm
from apps.showcase.models import Project, Task
from apps.tenants.http import TenantRequest

PAGE_SIZE = 30

form_page = require_http_methods(["GET", "HEAD", "POST"])


@never_cache
@login_required
@require_safe
def projects(request: HttpRequest) -> HttpResponse:
    """All projects, and what another one costs."""
    pages = Paginator(selectors.projects(), PAGE_SIZE)
    price = selectors.price_of_project(tenant=_tenant(request), now=clock.now())
    page = pages.get_page(request.GET.get("page"))
    return render(request, "showcase/projects.html", {"page": page, "price": price})


@never_cache
@login_required
@form_page
def new_project(request: HttpRequest) -> HttpResponse:
    """Create a project, or read why there can be no other."""
    form, refusal = ProjectForm(request.POST or None), None
    if form.is_valid():
        try:
            made = services.create_project(**form.cleaned_data, **_acting(request))
            messages.success(request, f"“{made.name}” is there. Add its first task.")
            return redirect("showcase:project", made.pk)
        except AlreadyMade as error:
            form = _afresh(form, error)
        except Refused as refused:
            refusal = refused.decision
    price = selectors.price_of_project(tenant=_tenant(request), now=clock.now())
    shown = {"form": form, "price": price, "refusal": refusal or price.refusal}
    return render(request, "showcase/new_project.html", shown, status=_status(refusal))


@never_cache
@login_required
@form_page
def project(request: HttpRequest, key: UUID) -> HttpResponse:
    """One project with its tasks; add another one."""
    shown = get_object_or_404(Project, pk=key)
    form, refusal = TaskForm(request.POST or None), None
    if form.is_valid():
        try:
            services.create_task(project=shown, **form.cleaned_data, **_acting(request))
            return redirect("showcase:project", key)
        except AlreadyMade as error:
            form = _afresh(form, error)
        except Refused as refused:
            refusal = refused.decision
    return _shown_project(request, shown, form, refusal)


@login_required
@require_POST
def task_done(request: HttpRequest, key: UUID) -> HttpResponse:
    """Mark a task done, or with `done` empty to be done."""
    task = get_object_or_404(Task, pk=key)
    services.set_done(task=task, done=bool(request.POST.get("done")))
    return redirect(services.task_path(task))


@never_cache
@login_required
@form_page
def delete_project(request: HttpRequest, key: UUID) -> HttpResponse:
    """Ask once more, then delete a project with its tasks."""
    doomed = get_object_or_404(selectors.projects(), pk=key)
    if request.method != "POST":
        return render(request, "showcase/delete_project.html", {"project": doomed})
    services.delete(doomed)
    messages.success(request, f"“{doomed.name}” is deleted.")
    return redirect("showcase:projects")


@never_cache
@login_required
@form_page
def delete_task(request: HttpRequest, key: UUID) -> HttpResponse:
    """Ask once more, then delete a task."""
    doomed = get_object_or_404(Task.objects.select_related("project"), pk=key)
    if request.method != "POST":
        return render(request, "showcase/delete_task.html", {"task": doomed})
    services.delete(doomed)
    return redirect("showcase:project", doomed.project_id)


def _shown_project(request: HttpRequest, shown: Project, form: OnceForm, refusal: Decision | None) -> HttpResponse:
    tasks = list(shown.tasks.all())
    price = selectors.price_of_task(tenant=_tenant(request), now=clock.now())
    context = {
        "project": shown,
        "tasks": tasks,
        "done_count": sum(each.done for each in tasks),
        "form": form,
        "price": price,
        "refusal": refusal or price.refusal,
    }
    return render(request, "showcase/project.html", context, status=_status(refusal))


def _afresh(form: Any, error: AlreadyMade) -> Any:
    """The form as it was filled in, with a key of its own, saying what happened."""
    typed = {name: value for name, value in form.cleaned_data.items() if name != "key"}
    new = type(form)({**typed, "key": form.get_initial_for_field(form.fields["key"], "key")})
    new.add_error(None, str(error))
    return new


def _status(refusal: Decision | None) -> int:
    return 403 if refusal else 200


def _tenant(request: HttpRequest) -> Any:
    return cast("TenantRequest", request).tenant


def _acting(request: HttpRequest) -> dict[str, Any]:
    """Who does it, where and when."""
    tenant, user = _tenant(request), cast("User", request.user)
    member = Actor.member(tenant_id=tenant.tenant_id, user_key=user.pk)
    return {"tenant": tenant, "actor": member, "by": user.username, "now": clock.now()}
