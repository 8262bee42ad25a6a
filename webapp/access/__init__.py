"""Who may send and who may read: sources, tokens, scopes."""
