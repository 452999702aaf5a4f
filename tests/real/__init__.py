"""A release over a real Buildbot, Unleash and Prometheus: `make demo-real`, and a test."""
