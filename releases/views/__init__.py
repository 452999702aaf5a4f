"""The pages of releases: each view gathers what its template shows, and hands what people do to `releases/services`."""
