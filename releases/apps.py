"""The app of releases: it serves release groups and freezes, and tells the blueprints who uses them."""

from __future__ import annotations

from django.apps import AppConfig


class ReleasesConfig(AppConfig):
    """Blueprints in motion."""

    name = "releases"
    verbose_name = "Releases"

    def ready(self) -> None:
        """Registers what the rest of the site finds by name."""
        from activities import hooks  # noqa: PLC0415
        from processes import kinds, seeing, uses  # noqa: PLC0415  models exist only from here on
        from releases import freeze_documents, groups, models, policy  # noqa: PLC0415
        from releases.reading import freezes  # noqa: PLC0415
        from releases.reading import groups as group_pages  # noqa: PLC0415
        from releases.services import holidays, waking  # noqa: PLC0415

        kinds.register(
            "ReleaseGroup", order=60, model=models.ReleaseGroup, apply=groups.apply_group, export=groups.export_group
        )
        kinds.register(
            "Freeze",
            order=70,
            model=models.Freeze,
            apply=freeze_documents.apply_freeze,
            export=freeze_documents.export_freeze,
        )
        seeing.register("ReleaseGroup", group_pages.visible_groups)
        seeing.register("Freeze", freezes.visible_freezes)
        seeing.register("Release", policy.visible_releases)
        uses.register(groups.find_uses)
        uses.register(holidays.find_uses)
        hooks.register_watcher(waking.look_again)
