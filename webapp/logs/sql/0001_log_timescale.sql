-- TimescaleDB, either licence: a chunk a day, rows with one index.
CREATE TABLE log (LIKE log_shape INCLUDING ALL);
SELECT create_hypertable('log', by_range('time', INTERVAL '1 day'), create_default_indexes => false);
-- Order, identity and cursor are this one index. No unique key: it would switch direct compress off.
CREATE INDEX log_order ON log (time, nanos, seg, pos);
-- Rows of a segment lie together: this costs nothing to write and finds a segment without its times.
CREATE INDEX log_seg ON log USING brin (seg) WITH (pages_per_range = 32);
