"""The main job of `make run`: on the first start, one release from planning to documentation before one's eyes."""
