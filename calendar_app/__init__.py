"""The calendar: a way of looking at releases, without tables of its own."""
