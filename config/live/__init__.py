"""Open pages hear of changes: who may hear what (`grant`), who listens (`hub`), and how it reaches them (`streams`)."""
