"""Why somebody could not be signed in by the provider, each with the sentence that the sign-in page shows."""

from __future__ import annotations

from typing import Literal

from config.errors import PilothouseError

Why = Literal["away", "answer", "stale", "cancelled", "refused", "closed"]
SENTENCES: dict[str, str] = {
    "away": "{name} cannot be reached now. Try again in a minute, or sign in with a password.",
    "answer": "{name} gave an answer that cannot be trusted. Try again, or have an administrator look into the log.",
    "stale": "This sign-in was begun in another browser, too long ago, or is already used. Begin again.",
    "cancelled": "You have not been signed in: {name} says that you declined.",
    "refused": "{name} refused to sign you in. Ask whoever keeps it whether you may use Pilothouse.",
    "closed": "Your account is closed here. Ask an administrator to open it again.",
}


class SignInFailed(PilothouseError):
    """The provider's sign-in did not succeed."""

    status = 403

    def __init__(self, why: Why, detail: str = "") -> None:
        self.why = why
        super().__init__(detail, code=f"sign_in_{why}")


def sentence(why: str, name: str) -> str:
    """Return what the page says about `why`, about a provider called `name`; nothing for a word it does not know."""
    known = SENTENCES.get(why, "").format(name=name)
    return known[:1].upper() + known[1:]
