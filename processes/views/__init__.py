"""The pages of the library: processes with their input sets, and the Activity Store."""
