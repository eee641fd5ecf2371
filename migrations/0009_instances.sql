-- Who is alive: one row for each running daemon, written anew with every heartbeat.
CREATE TABLE instances (
    id          TEXT   PRIMARY KEY, -- random, one for each start
    host        TEXT   NOT NULL,
    pid         BIGINT NOT NULL,
    version     TEXT   NOT NULL,
    started_at  BIGINT NOT NULL,
    seen_at     BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,    -- counts as gone from then on
    stopped_at  BIGINT,             -- ended in good order
    -- What it holds: lines claimed for a poll, decisions, top-ups being sent, top-ups being looked
    -- at, notices being sent.
    polls       BIGINT NOT NULL DEFAULT 0,
    decisions   BIGINT NOT NULL DEFAULT 0,
    orders      BIGINT NOT NULL DEFAULT 0,
    looks       BIGINT NOT NULL DEFAULT 0,
    notices     BIGINT NOT NULL DEFAULT 0,
    -- The incarnation of the database that its flight recorder was compared with last.
    compared    TEXT,
    -- Why it takes no work.
    idle        TEXT
);

-- A price that somebody is asking for: nobody else does until then.
ALTER TABLE prices ADD COLUMN claimed_until BIGINT;
