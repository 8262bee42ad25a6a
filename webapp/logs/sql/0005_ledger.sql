-- The conservation ledger (ledger.py, presence.py). Acceptances rise as batches are stored, nearly: BRIN is enough.
CREATE INDEX log_batch_acceptance ON log_batch USING brin (acceptance) WITH (pages_per_range = 16);

-- Which acceptances were given in each minute, as the accept script told.
CREATE TABLE log_stretch (
    time timestamptz PRIMARY KEY,
    first bigint NOT NULL,
    last bigint NOT NULL
);

-- Lines of batches that log_batch has forgotten, counted in the transaction that forgot them.
CREATE TABLE log_forgotten (
    source integer PRIMARY KEY,
    rows bigint NOT NULL
);

-- Differences that stand: one row each, as long as it is found again.
CREATE TABLE log_imbalance (
    book text NOT NULL,           -- accepted: place is a minute since 1970; stored: place is a segment
    place bigint NOT NULL,
    source integer NOT NULL,
    dialect text NOT NULL,        -- '' in the book of what is stored
    time timestamptz NOT NULL,
    lines bigint NOT NULL,        -- above 0: lines are missing; below: there are more than were accepted
    found timestamptz NOT NULL DEFAULT now(),
    seen timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (book, place, source, dialect)
);

-- One row: up to which segment the round of recounting lines has come, and when the books were last looked at.
CREATE TABLE log_recount (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    seg bigint NOT NULL,
    looked timestamptz
);
INSERT INTO log_recount (seg) VALUES (0);
