-- The field catalogue: which fields lines have, by ten minutes and source (catalogue.py).
CREATE TABLE log_field (
    slot timestamptz NOT NULL,    -- where its ten minutes begin
    source integer NOT NULL,
    builtin boolean NOT NULL,
    name text NOT NULL,
    type text NOT NULL,           -- 'left off': what was beyond the bound, under the empty name
    lines bigint NOT NULL,        -- an estimate where segments were sampled
    looked bigint NOT NULL,       -- lines that were looked at for it
    sketch bit(2048) NOT NULL,    -- of its values: sketch.py
    example text,
    PRIMARY KEY (slot, source, builtin, name, type)
);

-- One row: the segments that the catalogue counts, as a token names them.
CREATE TABLE log_catalogue (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    horizon bigint NOT NULL,
    in_progress bigint[] NOT NULL
);
INSERT INTO log_catalogue (horizon, in_progress) VALUES (0, '{}');
