"""The vendor's own pages on a tenant's host."""

from django.urls import path

from apps.showcase import views

app_name = "showcase"

urlpatterns = [
    path("", views.projects, name="projects"),
    path("new/", views.new_project, name="new_project"),
    path("projects/<uuid:key>/", views.project, name="project"),
    path("projects/<uuid:key>/delete/", views.delete_project, name="delete_project"),
    path("tasks/<uuid:key>/done/", views.task_done, name="task_done"),
    path("tasks/<uuid:key>/delete/", views.delete_task, name="delete_task"),
]
