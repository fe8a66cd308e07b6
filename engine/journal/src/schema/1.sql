-- Times are microseconds since 1970; values are JSON.

-- What flows were compiled from, so that a run ends in the version it began in; the last row is today's.
CREATE TABLE versions (
    version TEXT PRIMARY KEY,
    source  TEXT NOT NULL
);

CREATE TABLE runs (
    run     TEXT PRIMARY KEY,
    -- The run at the beginning of the line of calls; itself where nobody called it.
    root    TEXT NOT NULL,
    flow    TEXT NOT NULL,
    version TEXT NOT NULL,
    plan    INTEGER NOT NULL,
    key     TEXT,
    trigger TEXT NOT NULL,
    inputs  TEXT NOT NULL,
    -- How many events the trigger stands for besides.
    left_out INTEGER NOT NULL,
    -- How often it was begun again after it had ended.
    life    INTEGER NOT NULL,
    -- Steps that a person wants to count as done; a list of paths.
    skipped TEXT NOT NULL,
    began   INTEGER NOT NULL,
    ended   INTEGER,
    outcome TEXT,
    output  TEXT,
    failure TEXT,
    answer  TEXT
) WITHOUT ROWID;
CREATE INDEX runs_by_root ON runs (root);
CREATE INDEX runs_by_time ON runs (began, run) WHERE run = root;
CREATE INDEX runs_by_flow ON runs (flow, began, run) WHERE run = root;
CREATE INDEX runs_by_outcome ON runs (outcome, began, run) WHERE run = root;
CREATE INDEX runs_by_end ON runs (ended) WHERE run = root AND ended IS NOT NULL;
CREATE INDEX runs_by_version ON runs (version) WHERE run = root;
CREATE INDEX runs_under_way ON runs (began, run) WHERE run = root AND ended IS NULL;

-- What each run took in, in each of its lives.
CREATE TABLE events (
    run    TEXT NOT NULL,
    life   INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hidden INTEGER NOT NULL,
    event  TEXT NOT NULL,
    PRIMARY KEY (run, life, number)
) WITHOUT ROWID;

-- The steps that ended with each event, as people see them.
CREATE TABLE steps (
    run    TEXT NOT NULL,
    life   INTEGER NOT NULL,
    number INTEGER NOT NULL,
    place  INTEGER NOT NULL,
    ended  INTEGER NOT NULL,
    step   TEXT NOT NULL,
    PRIMARY KEY (run, life, number, place)
) WITHOUT ROWID;

-- Keys that scopes have or wait for, in the order in which they asked.
CREATE TABLE claims (
    claim INTEGER PRIMARY KEY AUTOINCREMENT,
    run   TEXT NOT NULL,
    path  TEXT NOT NULL,
    keys  TEXT NOT NULL,
    had   INTEGER NOT NULL
);
CREATE UNIQUE INDEX claims_by_scope ON claims (run, path);

-- Every key that a run, or a run that it called, ever had: a deal's runs are found by it.
CREATE TABLE run_keys (
    key   TEXT NOT NULL,
    began INTEGER NOT NULL,
    run   TEXT NOT NULL,
    PRIMARY KEY (key, began, run)
) WITHOUT ROWID;
CREATE INDEX run_keys_by_run ON run_keys (run);

-- Events that are to become runs. 0: waits or is under way; 1: its run has ended; 2: it became none, for a reason; 3: the
-- run `reason` stands for it.
CREATE TABLE inbox (
    entry    INTEGER PRIMARY KEY AUTOINCREMENT,
    flow     TEXT NOT NULL,
    dedup    TEXT NOT NULL,
    run      TEXT NOT NULL UNIQUE,
    key      TEXT,
    payload  TEXT NOT NULL,
    inputs   TEXT NOT NULL,
    received INTEGER NOT NULL,
    state    INTEGER NOT NULL,
    reason   TEXT,
    UNIQUE (flow, dedup)
);
CREATE INDEX inbox_open ON inbox (entry) WHERE state = 0;
CREATE INDEX inbox_done ON inbox (received) WHERE state <> 0;

-- Where triggers that ask go on.
CREATE TABLE positions (
    of       TEXT PRIMARY KEY,
    position TEXT NOT NULL
) WITHOUT ROWID;
