-- Instants are milliseconds since the Unix epoch. Keys and ids are UTF-8, or 0xFF and a SHA-256 where that is too long
-- for an index: postgres_calls.py. To look: SELECT convert_from(key, 'UTF8'), value FROM counters.

-- A row for each counter, as `counters.Counter`. Values change all the time, ends hardly ever, so room on each page
-- lets most updates leave the indexes alone.
CREATE TABLE {schema}.counters (
    key bytea PRIMARY KEY,
    value bigint NOT NULL,
    expires_at bigint NOT NULL
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX counters_by_end ON {schema}.counters (expires_at);

-- A row for each id: the answer to its acquire, its hold while that stands, whether it was settled.
CREATE TABLE {schema}.exchanges (
    id bytea PRIMARY KEY,
    held boolean NOT NULL,
    due bigint NOT NULL,         -- the end of the lease while it is held, the time to forget it otherwise
    settled boolean NOT NULL,
    answer bigint[],
    stripes integer[],           -- which locks reaping needs: those of the id and of the keys
    keys bytea[],                -- what reaping releases: `counters.Release`, one column for each field
    amounts bigint[],
    anchors bigint[]
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX exchanges_by_due ON {schema}.exchanges (held, due);
