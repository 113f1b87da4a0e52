"""What a member fills in."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from django import forms

from apps.showcase.models import Project, Task


class OnceForm(forms.Form):
    """A form that makes one thing, however often it is sent: its key becomes the id of what it makes."""

    key = forms.UUIDField(widget=forms.HiddenInput, required=False)

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, initial={"key": uuid4()})

    def clean_key(self) -> UUID:
        """A program may leave the key to us."""
        return self.cleaned_data["key"] or uuid4()


class ProjectForm(OnceForm):
    """A new project."""

    name = forms.CharField(max_length=Project._meta.get_field("name").max_length)
    description = forms.CharField(
        required=False,
        max_length=Project._meta.get_field("description").max_length,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="What it is about. You may leave this empty.",
    )


class TaskForm(OnceForm):
    """A new task in a project."""

    title = forms.CharField(
        label="New task",
        max_length=Task._meta.get_field("title").max_length,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
