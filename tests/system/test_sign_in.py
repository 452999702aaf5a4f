"""Signing in by OpenID Connect, at a real provider."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from allauth.socialaccount.internal import statekit
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import Group, User
from django.test import Client
from pytest_django.fixtures import Settings

from config.models import Event
from tests.oidc import Idp, asked, provider

pytestmark = [pytest.mark.system, pytest.mark.django_db]
START = "/sign-in/provider/"
ANN: dict[str, Any] = {
    "preferred_username": "ann",
    "email": "ann@example.org",
    "email_verified": True,
    "given_name": "Ann",
    "family_name": "Łukasz",
    "groups": ["qa", "unheard of"],
}


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Idp, tuple[str, str]]]:
    with provider(tmp_path_factory.mktemp("idp") / "log") as idp:
        yield idp, idp.register(f"http://testserver{START}callback/")


@pytest.fixture
def idp(known: tuple[Idp, tuple[str, str]], settings: Settings) -> Idp:
    idp, (settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET) = known
    settings.OIDC_ISSUER, settings.OIDC_NAME = idp.issuer, "Acme"
    settings.OIDC_ADMIN_GROUP, settings.OIDC_TRUST_EMAIL = "", False
    idp.claims("1", **ANN)
    return idp


def sent(client: Client, goal: str = "/releases/?q=x") -> str:
    """Where the sign-in page's button leads."""
    answer = client.get(START, {"next": goal})
    assert answer.status_code == 302
    return answer["Location"]


def come_back(client: Client, address: str) -> str:
    """Return where somebody ends who comes back from the provider."""
    answer = client.get(address.removeprefix("http://testserver"))
    assert answer.status_code == 302
    return answer["Location"]


def sign_in(idp: Idp, subject: str = "1", client: Client | None = None) -> User | str:
    """Return who is signed in then; else what the sign-in page says."""
    client = client or Client()
    end = come_back(client, idp.agree(sent(client), subject))
    if not end.startswith("/sign-in/"):
        return User.objects.get(pk=client.session["_auth_user_id"])
    return told(client, end)


def told(client: Client, address: str) -> str:
    answer = client.get(address)
    assert "_auth_user_id" not in client.session
    assert answer.status_code == 200
    return str(answer.context["failure"])


def names(person: User) -> list[str]:
    return sorted(person.groups.values_list("name", flat=True))


def signed_in(who: User | str) -> User:
    assert isinstance(who, User), who
    return who


def test_the_first_sign_in_makes_an_account_that_is_in_the_groups_that_exist(idp: Idp, groups: Any) -> None:
    client = Client()
    address = sent(client)
    end = come_back(client, idp.agree(address, "1"))
    assert end == "/releases/?q=x", "where they wanted to go"
    person = User.objects.get()
    assert (person.username, person.email, person.get_full_name()) == ("ann", "ann@example.org", "Ann Łukasz")
    assert (person.has_usable_password(), person.is_staff, person.is_superuser) == (False, False, False)
    assert names(person) == ["qa"]
    assert not Group.objects.filter(name="unheard of").exists()
    assert [one.verb for one in Event.objects.filter(subject_type="user").order_by("id")] == [
        "user.created",
        "user.changed",
    ]
    assert client.get("/releases/").status_code == 200
    assert client.post("/sign-out/")["Location"] == "/sign-in/"
    assert client.get("/releases/").status_code == 302


def test_what_is_asked_is_bound_to_this_sign_in(idp: Idp) -> None:
    client = Client()
    question = asked(sent(client))
    state, _, _ = client.session[statekit.STATES_SESSION_KEY][question["state"]]
    digest = hashlib.sha256(state["pkce_code_verifier"].encode()).digest()
    assert question["code_challenge"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert (question["code_challenge_method"], question["response_type"]) == ("S256", "code")
    assert question["nonce"] == state["nonce"]
    assert set(question["scope"].split()) == {"openid", "profile", "email"}


@pytest.mark.parametrize(
    ("verifier", "answer"),
    [("right", 200), ("another-sign-in's-" + "x" * 60, 400), ("short", 400), ("", 400)],
)
def test_a_code_is_worth_nothing_without_the_verifier_of_this_sign_in(
    idp: Idp, settings: Settings, verifier: str, answer: int
) -> None:
    client = Client()
    address = sent(client)
    state, _, _ = client.session[statekit.STATES_SESSION_KEY][asked(address)["state"]]
    code = asked(idp.agree(address, "1"))["code"]
    given = state["pkce_code_verifier"] if verifier == "right" else verifier
    told = {"code_verifier": given} if given else {}
    known = settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET
    found = idp.token(known, code, redirect_uri=f"http://testserver{START}callback/", **told)
    assert (found.status_code, "id_token" in found.json()) == (answer, answer == 200), found.text


def test_who_has_stolen_a_code_is_not_signed_in_by_it(idp: Idp, caplog: Any) -> None:
    victim, thief = Client(), Client()
    code = asked(idp.agree(sent(victim), "1"))["code"]
    state = asked(sent(thief))["state"]
    end = come_back(thief, f"{START}callback/?state={state}&code={code}")
    assert told(thief, end).startswith("Acme gave an answer that cannot be trusted.")
    assert "invalid_grant" in caplog.text, "refused by the provider itself, for the verifier"
    assert not User.objects.exists()


def test_groups_follow_the_claim_and_leave_alone_what_it_never_named(idp: Idp, groups: Any) -> None:
    person = signed_in(sign_in(idp))
    person.groups.add(groups["security"])
    idp.claims("1", **{**ANN, "groups": ["devops"], "preferred_username": "renamed"})
    again = signed_in(sign_in(idp))
    assert (again, names(again)) == (person, ["devops", "security"])
    idp.claims("1", preferred_username="ann")
    assert names(signed_in(sign_in(idp))) == ["security"], "a claim that is missing names nothing"
    assert again.username == "ann"


def test_the_admin_group_gives_and_takes_every_right(idp: Idp, settings: Settings) -> None:
    settings.OIDC_ADMIN_GROUP = "captains"
    assert not signed_in(sign_in(idp)).is_superuser
    idp.claims("1", **{**ANN, "groups": "captains"})
    person = signed_in(sign_in(idp))
    assert (person.is_superuser, person.is_staff) == (True, True)
    idp.claims("1", **ANN)
    person = signed_in(sign_in(idp))
    assert (person.is_superuser, person.is_staff) == (False, False)
    User.objects.update(is_superuser=True)
    assert signed_in(sign_in(idp)).is_superuser, "given here, and not the provider's to take"


@pytest.mark.parametrize("name", ["ann", "ANN", "pilothouse"])
def test_nobody_becomes_somebody_by_their_name(idp: Idp, name: str) -> None:
    User.objects.create_superuser("ann", "other@example.org", "secret")
    idp.claims("1", **{**ANN, "preferred_username": name})
    person = signed_in(sign_in(idp))
    assert (person.username, person.is_superuser) == (f"{name}-2", False)


@pytest.mark.parametrize(
    ("trusted", "verified", "linked"), [(False, True, False), (True, False, False), (True, True, True)]
)
def test_an_account_is_linked_by_its_address_only_where_that_is_verified_and_trusted(
    idp: Idp, settings: Settings, trusted: bool, verified: bool, linked: bool
) -> None:
    local = User.objects.create_user("boss", "ANN@example.org", "secret")
    settings.OIDC_TRUST_EMAIL = trusted
    idp.claims("1", **{**ANN, "email_verified": verified})
    assert (sign_in(idp) == local) is linked
    assert (sign_in(idp) == local) is linked
    idp.claims("2", **ANN)
    assert sign_in(idp, "2") != local, "an account is one subject's"


def test_who_is_closed_out_here_stays_out(idp: Idp) -> None:
    person = signed_in(sign_in(idp))
    User.objects.update(is_active=False)
    closed = "Your account is closed here. Ask an administrator to open it again."
    assert sign_in(idp) == closed
    assert sign_in(idp, "somebody-else") != closed
    SocialAccount.objects.filter(user=person).delete()
    assert sign_in(idp) == closed, "their address is known"


def test_the_same_subject_of_another_issuer_is_somebody_else(idp: Idp) -> None:
    person = signed_in(sign_in(idp))
    SocialAccount.objects.update(provider="https://old.example")
    assert sign_in(idp) != person


@pytest.mark.parametrize("given", [{"state": "x"}, {}])
def test_an_answer_that_belongs_to_no_sign_in_of_this_browser_is_refused(idp: Idp, given: dict[str, str]) -> None:
    client, other = Client(), Client()
    address = idp.agree(sent(client), "1")
    wrong = address if not given else address.replace(asked(address)["state"], given["state"])
    assert told(other, come_back(other, wrong)).startswith("This sign-in was begun in another browser")
    come_back(client, address)
    again = Client()
    again.cookies = client.cookies
    again.post("/sign-out/")
    assert told(again, come_back(again, address)).startswith("This sign-in was begun in another browser"), "used up"


def test_a_token_of_another_sign_in_is_refused(idp: Idp) -> None:
    client = Client()
    address = sent(client)
    end = come_back(client, idp.agree(address.replace(asked(address)["nonce"], "another"), "1"))
    assert told(client, end).startswith("Acme gave an answer that cannot be trusted.")
    assert not User.objects.exists()


def test_a_code_that_is_not_the_provider_s_is_refused(idp: Idp) -> None:
    client = Client()
    state = asked(sent(client))["state"]
    for code in ("made up", ""):
        end = come_back(client, f"{START}callback/?state={state}&code={code}")
        assert told(client, end)
        state = asked(sent(client))["state"]


def test_who_declines_is_told_so_and_may_try_again(idp: Idp) -> None:
    client = Client()
    state = asked(sent(client))["state"]
    end = come_back(client, f"{START}callback/?error=access_denied&state={state}")
    assert told(client, end) == "You have not been signed in: Acme says that you declined."
    assert asked(end)["next"] == "/releases/?q=x"
    state = asked(sent(client))["state"]
    end = come_back(client, f"{START}callback/?error=server_error&state={state}")
    assert told(client, end).startswith("Acme refused to sign you in.")


def test_a_wrong_secret_is_a_sentence(idp: Idp, settings: Settings, caplog: Any) -> None:
    settings.OIDC_CLIENT_SECRET = "wrong"
    assert "cannot be trusted" in str(sign_in(idp))
    assert "invalid_client" in caplog.text


def test_another_provider_than_the_one_configured_is_refused(idp: Idp, settings: Settings) -> None:
    settings.OIDC_ISSUER = idp.issuer.replace("127.0.0.1", "localhost") + "/x/.."
    client = Client()
    assert "cannot be trusted" in told(client, sent(client))


def test_a_provider_that_is_away_is_a_sentence_before_and_after(
    idp: Idp, settings: Settings, tmp_path: Any, groups: Any
) -> None:
    client = Client()
    with provider(tmp_path / "log") as other:
        settings.OIDC_ISSUER = other.issuer
        settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = other.register(f"http://testserver{START}callback/")
        address = other.agree(sent(client), "1")
    away = "Acme cannot be reached now. Try again in a minute, or sign in with a password."
    assert told(client, come_back(client, address)) == away
    assert told(client, sent(client)) == away


@pytest.mark.parametrize("goal", ["//evil.example/", "https://evil.example/", "javascript:alert(1)", ""])
def test_nobody_is_sent_elsewhere(idp: Idp, goal: str) -> None:
    client = Client()
    assert come_back(client, idp.agree(sent(client, goal), "1")) == "/"
    assert client.get(START, {"next": goal})["Location"] == "/", "nor when they are signed in"


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"email": "bo.li@example.org"}, "bo.li"),
        ({"preferred_username": "Bo Li/ops"}, "Bo-Li-ops"),
        ({"preferred_username": "a\0b", "email": ["x"], "groups": {"a": 1}, "given_name": 7}, "person"),
        ({"preferred_username": "x" * 400, "email": "no address", "family_name": "y" * 400}, "x" * 140),
    ],
)
def test_a_name_is_made_of_whatever_is_claimed(idp: Idp, claims: dict[str, Any], name: str) -> None:
    idp.claims("3", **claims)
    assert signed_in(sign_in(idp, "3")).username == name


@pytest.mark.parametrize("subject", ["x" * 192, "a%00b"])
def test_a_subject_that_cannot_be_kept_is_refused(idp: Idp, subject: str) -> None:
    assert "cannot be trusted" in str(sign_in(idp, subject.replace("%00", "\0")))


def test_the_lock_after_wrong_passwords_is_another_door_s(idp: Idp, settings: Settings) -> None:
    settings.AXES_ENABLED = True
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "axes.middleware.AxesMiddleware"]
    settings.AXES_FAILURE_LIMIT = 2
    person = signed_in(sign_in(idp))
    client = Client()
    wrong = {"username": "ann", "password": "wrong"}
    assert [client.post("/sign-in/", wrong).status_code for _ in range(3)] == [200, 429, 429]
    assert sign_in(idp) == person


def test_without_a_provider_nothing_of_it_is_there(client: Client, settings: Settings) -> None:
    settings.OIDC_ISSUER = ""
    assert b"/sign-in/provider/" not in client.get("/sign-in/?failed=away").content
    assert b"/sign-in/provider/" not in client.get("/admin/login/").content
    assert {client.get(path).status_code for path in (START, f"{START}callback/")} == {404}


def test_no_page_of_the_library_has_an_address(idp: Idp, client: Client) -> None:
    for path in ("accounts/", "accounts/signup/", "accounts/login/", "accounts/email/", "accounts/password/reset/",
                 "accounts/3rdparty/", "accounts/oidc/acme/login/", "signup/", "email/"):  # fmt: skip
        assert client.get(f"/{path}").status_code == 404
    assert client.post(START).status_code == 405


def test_the_sign_in_page_and_the_admin_s_lead_there(idp: Idp, client: Client) -> None:
    page = client.get("/sign-in/?next=/releases/%3Fq=a%26b").content.decode()
    assert "Sign in with Acme" in page
    assert 'href="/sign-in/provider/?next=%2Freleases%2F%3Fq%3Da%26b"' in page
    assert 'href="/sign-in/provider/?next=%2Fadmin%2F"' in client.get("/admin/login/?next=/admin/").content.decode()
