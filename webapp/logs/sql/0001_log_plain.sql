-- Plain PostgreSQL: one native partition a day, made and attached by editions.py.
CREATE TABLE log (LIKE log_shape INCLUDING ALL) PARTITION BY RANGE (time);
-- Order, identity and cursor are this one index.
CREATE INDEX log_order ON log (time, nanos, seg, pos);
-- Rows of a segment lie together: this costs nothing to write and finds a segment without its times.
CREATE INDEX log_seg ON log USING brin (seg) WITH (pages_per_range = 32);
