"""The only way out: addresses checked, connections made to just what was checked, answers bounded, secrets masked."""
