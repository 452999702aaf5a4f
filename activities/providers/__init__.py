"""One file per pipeline engine; the only code that talks to the world outside."""
