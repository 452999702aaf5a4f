"""What the store offers on the command line."""
