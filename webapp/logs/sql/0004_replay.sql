-- What was cut off a line, and what became of sending an entry again (replay.py). A constant default and
-- nullable columns: no row is rewritten.
ALTER TABLE quarantine
    ADD COLUMN dropped bigint NOT NULL DEFAULT 0,  -- bytes of the line beyond what is kept
    ADD COLUMN replay_began timestamptz,           -- set before the broker is asked, kept for good
    ADD COLUMN replayed timestamptz,               -- set once the broker has it
    ADD COLUMN replay_batch uuid,                  -- as which batch
    ADD COLUMN replay_reason text,                 -- refused again, and why; until it is replayed
    ADD COLUMN replay_detail text;
