"""People's verbs. Each says who may do it, checks what was given, and leaves the doing to `releases/execution`."""
