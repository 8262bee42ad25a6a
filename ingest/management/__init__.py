"""Commands of the sending side."""
