"""The ground every other test stands on."""

import pytest
from django.conf import settings
from django.db import connection
from kombu.connection import Connection


@pytest.mark.django_db
def test_tests_run_on_a_real_postgresql() -> None:
    with connection.cursor() as cursor:
        cursor.execute("select current_database(), current_setting('server_version_num')::int >= 150000")
        name, is_recent = cursor.fetchone()
    assert name == settings.DATABASES["default"]["NAME"]
    assert name.startswith("test_pilothouse_")
    assert is_recent


def test_a_message_passes_through_the_real_broker(servers: None) -> None:
    with Connection(settings.CELERY_BROKER_URL) as broker:
        queue = broker.SimpleQueue("ground")
        queue.put({"id": 7})
        message = queue.get(timeout=5)
        message.ack()
        queue.close()
    assert message.payload == {"id": 7}
