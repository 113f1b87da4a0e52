from django.apps import AppConfig


class ShowcaseConfig(AppConfig):
    name = "apps.showcase"

    def ready(self) -> None:
        _define_prices()
        _tell_of_members()


def _define_prices() -> None:
    """What an action costs; an operator can set another price for each."""
    from apps.credits import registry
    from apps.showcase.prices import PROJECT, TASK

    registry.define(PROJECT)
    registry.define(TASK)


def _tell_of_members() -> None:
    from apps.accounts import personal
    from apps.showcase import members

    personal.register(
        name="projects",
        description="The projects and tasks that you have created.",
        export=members.export,
        erase=members.erase,
    )
