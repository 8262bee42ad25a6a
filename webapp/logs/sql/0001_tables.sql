-- What every edition has in common. `log` itself is made from log_shape by 0001_log_plain.sql or
-- 0001_log_timescale.sql, whichever the server supports when the database is first initialised.

-- One row: which edition this database was made as, and whose transaction ids its segments are.
CREATE TABLE log_origin (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    edition text NOT NULL,
    system_identifier text NOT NULL,
    timeline integer NOT NULL,
    base bigint NOT NULL DEFAULT 0  -- a segment is base + transaction id: see `manage.py rebase`
);

-- A retention class: lines older than `floor` are invisible at once and dropped one token lifetime later.
CREATE TABLE log_class (
    name text PRIMARY KEY,
    table_name text NOT NULL,
    days integer NOT NULL CHECK (days > 0),
    floor timestamptz NOT NULL DEFAULT 'epoch',
    raised timestamptz NOT NULL DEFAULT now()
);

-- The shape of a line, for every class and partition. Wide columns first: no byte is lost to alignment.
CREATE TABLE log_shape (
    time timestamptz NOT NULL,
    observed timestamptz NOT NULL,
    seg bigint NOT NULL,
    pos integer NOT NULL,
    source integer NOT NULL,
    flags integer NOT NULL,
    nanos smallint NOT NULL,      -- 0 to 999, what microseconds cannot hold
    severity smallint,            -- 1 to 24, OpenTelemetry's numbers
    trace_id uuid,
    service text NOT NULL,        -- '' = not given
    host text NOT NULL,           -- '' = not given
    message text NOT NULL,
    span_id bytea,
    attributes jsonb NOT NULL     -- flat, dotted names
);

-- The ledger: a batch's id enters in the same transaction as its lines, so they are stored once.
CREATE TABLE log_batch (
    batch uuid PRIMARY KEY,
    acceptance bigint NOT NULL,   -- the same one again = a redelivery; another one = the client's repeat
    seg bigint NOT NULL,
    received timestamptz NOT NULL,
    committed timestamptz NOT NULL,
    source integer NOT NULL,
    first_pos integer NOT NULL,   -- its lines have pos first_pos to first_pos + rows - 1
    rows integer NOT NULL,
    rejected integer NOT NULL,    -- refused by ingest, and said so to the client
    quarantined integer NOT NULL, -- accepted, but could not be stored
    dialect text NOT NULL,
    content_hash bytea NOT NULL
);
CREATE INDEX log_batch_segment ON log_batch (seg, first_pos);

CREATE TABLE log_segment (
    seg bigint PRIMARY KEY,
    time_min timestamptz,         -- null when the transaction brought no line
    time_max timestamptz,
    committed timestamptz NOT NULL,
    rows integer NOT NULL
);

CREATE TABLE log_segment_slot (
    slot bigint NOT NULL,         -- epoch seconds / 600
    seg bigint NOT NULL,
    PRIMARY KEY (slot, seg)
);

CREATE TABLE quarantine (
    id bigserial PRIMARY KEY,
    batch uuid,
    acceptance bigint,
    seg bigint NOT NULL,
    received timestamptz NOT NULL,
    created timestamptz NOT NULL DEFAULT now(),
    source integer NOT NULL,
    line integer,                 -- as the client's answer numbered it, from 1; null = the whole batch
    dialect text NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    raw bytea NOT NULL
);
CREATE INDEX quarantine_batch ON quarantine (batch);
CREATE INDEX quarantine_created ON quarantine (created);

-- What retention removed, counted in the transaction that removed it.
CREATE TABLE log_expired (
    class text NOT NULL,
    day date NOT NULL,
    source integer NOT NULL,
    rows bigint NOT NULL,
    dropped timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (class, day, source)
);
