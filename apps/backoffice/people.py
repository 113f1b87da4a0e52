"""From a request to the actor that the domain and its audit know."""

from django.http import HttpRequest

from apps.core.actors import Actor


def actor_of(request: HttpRequest) -> Actor:
    """The operator who is signed in."""
    return Actor.person(username=request.user.get_username())
