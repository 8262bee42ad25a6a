"""up, down, status, token, search, tail and the rest."""
