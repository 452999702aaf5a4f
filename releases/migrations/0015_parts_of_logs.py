from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("releases", "0014_indexes_of_pages")]

    operations = [
        migrations.AddField("attemptlog", "parts", models.TextField(blank=True, db_default="", default="")),
    ]
