-- Times are microseconds since 1970; values are JSON.

-- What flows were compiled from, so that a run ends in the version it began in; the last row is today's.
CREATE TABLE versions (
    version TEXT PRIMARY KEY,
    source  TEXT NOT NULL,
    kept    INTEGER NOT NULL
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
-- Each costs a page of every commit in which a run begins, so those that tell runs by how they ended leave out the many
-- that succeeded. Called runs are found by their ids, which begin with their callers'.
CREATE INDEX runs_by_time ON runs (began, run) WHERE run = root;
CREATE INDEX runs_by_flow ON runs (flow, began, run) WHERE run = root;
CREATE INDEX runs_under_way ON runs (began, run) WHERE run = root AND ended IS NULL;
CREATE INDEX runs_by_outcome ON runs (outcome, began, run) WHERE run = root AND outcome <> 'succeeded';
CREATE INDEX runs_by_flow_and_outcome ON runs (flow, outcome, began, run) WHERE run = root AND outcome <> 'succeeded';

-- What each run took in, in each of its lives, with the list of steps that ended with it, as people see them.
CREATE TABLE events (
    run    TEXT NOT NULL,
    life   INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hidden INTEGER NOT NULL,
    event  TEXT NOT NULL,
    steps  TEXT,
    PRIMARY KEY (run, life, number)
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
    entry    INTEGER PRIMARY KEY,
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
-- Events that became no run, for a person to look at.
CREATE INDEX inbox_dead ON inbox (entry) WHERE state = 2;

-- Where triggers that ask go on.
CREATE TABLE positions (
    of       TEXT PRIMARY KEY,
    position TEXT NOT NULL
) WITHOUT ROWID;

-- What runs are found by, besides their keys: the texts that they began with.
CREATE TABLE searched (
    number INTEGER PRIMARY KEY,
    run    TEXT NOT NULL UNIQUE
);
CREATE VIRTUAL TABLE words USING fts5 (text, content = '', contentless_delete = 1, detail = none);
