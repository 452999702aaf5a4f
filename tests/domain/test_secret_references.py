"""Secrets that are kept elsewhere, as far as the operator allows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from activities import references
from activities.models import Secret
from activities.secrets import reveal, reveal_all, set_secret
from config.errors import InvalidInput, RunnerRefused, RunnerUnavailable
from tests.engine_double import Reply, Request, double

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    references._kept.clear()


def revealed(value: str) -> str:
    set_secret(None, "there", value)
    assert value.encode() not in bytes(Secret.objects.get().ciphertext)
    return reveal("there")


def test_unless_the_operator_allows_it_a_reference_is_a_value(monkeypatch: Any) -> None:
    monkeypatch.setenv("RELEASE_TOKEN", "t0ken")
    for value in ("env:RELEASE_TOKEN", "file:/etc/passwd", "vault:secret/ci#token"):
        assert revealed(value) == value


def test_a_variable_of_the_prefix_is_read_at_use(settings: Any, monkeypatch: Any) -> None:
    settings.SECRET_ENV_PREFIX = "RELEASE_"
    monkeypatch.setenv("RELEASE_TOKEN", "t0ken")
    assert revealed("env:RELEASE_TOKEN") == "t0ken"
    monkeypatch.setenv("RELEASE_TOKEN", "rotated")
    assert reveal("there") == "rotated"
    monkeypatch.delenv("RELEASE_TOKEN")
    with pytest.raises(RunnerRefused, match="no such variable"):
        reveal("there")
    for other in ("env:SECRET_KEY", "env:RELEASE_", "env:RELEASE_A B", "env:"):
        with pytest.raises(InvalidInput, match="may not be read"):
            set_secret(None, "there", other)


def test_what_was_allowed_once_and_is_no_longer_is_not_read(settings: Any, monkeypatch: Any) -> None:
    settings.SECRET_ENV_PREFIX = "RELEASE_"
    monkeypatch.setenv("RELEASE_TOKEN", "t0ken")
    set_secret(None, "there", "env:RELEASE_TOKEN")
    settings.SECRET_ENV_PREFIX = "OTHER_"
    with pytest.raises(RunnerRefused, match="may not be read"):
        reveal("there")


def test_a_file_in_the_folder_is_read_and_no_other(settings: Any, tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    settings.SECRET_DIR = str(folder)
    (folder / "token").write_text("t0ken\n")
    (tmp_path / "outside").write_text("no")
    (folder / "link").symlink_to(tmp_path / "outside")
    assert revealed("file:token") == "t0ken"
    assert revealed(f"file:{folder}/token") == "t0ken"
    for other in ("file:../outside", f"file:{tmp_path}/outside", "file:link", "file:/etc/passwd", "file:."):
        with pytest.raises(InvalidInput, match="may not be read"):
            set_secret(None, "there", other)
    with pytest.raises(RunnerRefused, match="no such file"):
        revealed("file:absent")


def test_a_field_in_vault_is_read(settings: Any) -> None:
    asked: list[Request] = []

    def vault(request: Request) -> Reply:
        asked.append(request)
        if request.headers.get("x-vault-token") != "root-token":
            return Reply(403, {"errors": ["permission denied"]})
        if request.path != "/v1/secret/data/ci/github":
            return Reply(404, {"errors": []})
        return Reply(body={"data": {"data": {"token": "t0ken", "number": 7}, "metadata": {"version": 1}}})

    with double(vault) as engine:
        settings.VAULT_ADDR, settings.VAULT_TOKEN = engine.url, "root-token"
        assert revealed("vault:secret/ci/github#token") == "t0ken"
        assert reveal("there") == "t0ken"
        assert len(asked) == 1
        for wrong in ("vault:secret/ci/github#number", "vault:secret/ci/none#token"):
            with pytest.raises(RunnerRefused):
                revealed(wrong)
        references._kept.clear()
        settings.VAULT_TOKEN = "wrong-token"
        with pytest.raises(RunnerRefused, match="permission denied") as refused:
            revealed("vault:secret/ci/github#token")
        assert "wrong-token" not in refused.value.message
    references._kept.clear()
    with pytest.raises(RunnerUnavailable):
        reveal("there")
    assert isinstance(reveal_all(["there"])["there"], RunnerUnavailable)
    for wrong in ("vault:token", "vault:secret/../sys/raw#x", "vault:secret/ci"):
        with pytest.raises(InvalidInput):
            set_secret(None, "there", wrong)
