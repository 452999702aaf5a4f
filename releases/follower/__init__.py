"""One process that follows what runs at engines over the network, however many they are (`manage.py follow`)."""

from releases.follower.following import Follower

__all__ = ["Follower"]
