-- What was removed on request (erase.py). Until `finished` its lines are hidden from every fresh token, and
-- for good an older token is answered 410. Rows stay: they account for the lines, and tell tellings apart.
CREATE TABLE log_erased (
    id bigserial PRIMARY KEY,
    source integer NOT NULL,
    upto bigint NOT NULL,                  -- lines of segments up to this one, which is the erasure's own
    lines bigint NOT NULL DEFAULT 0,       -- deleted, counted in the transactions that delete them
    quarantined bigint NOT NULL DEFAULT 0, -- entries of the quarantine, likewise
    began timestamptz NOT NULL DEFAULT now(),
    finished timestamptz
);
