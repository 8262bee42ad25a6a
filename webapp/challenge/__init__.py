"""The challenge: Logboom is sent numbered lines while things break, and then asked for every one of them.

It talks HTTP only and knows nothing of settings or tables, so it may be aimed at any installation, also at
one that somebody else is breaking meanwhile. Two accounts are held against each other that never touch: the
journal of a sender, fsynced before a body leaves and after its answer, and what the reading API gives back.

- `lines`: the lines, from run, batch and position alone; planted poison; the hash of a batch.
- `journal`: what was sent and answered, and what that makes of each batch once the sender is dead.
- `posting`: threads at a rate; how a batch is sent (given up, doubled, broken off …) is drawn from the seed.
- `watching`: how long after its 2xx a batch is found.
- `faults`: kills of a local installation, or commands of the caller's.
- `reading`: everything back through the API, under one as_of.
- `checking`: pure; what differs between the two accounts.
- `verdict`: the figures, for people and for programs.
- `campaign`: all of it in order; what the command `challenge` runs.
"""
