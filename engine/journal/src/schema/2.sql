-- What runs are found by, besides their keys: the texts that they began with. Numbers are in the order in which runs began.
CREATE TABLE searched (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    run    TEXT NOT NULL UNIQUE
);
CREATE VIRTUAL TABLE words USING fts5 (text, content = '', contentless_delete = 1, detail = none);
INSERT INTO searched (run) SELECT run FROM runs WHERE run = root ORDER BY began, run;
INSERT INTO words (rowid, text) SELECT s.number, substr(
        coalesce(r.key, '') || ' '
        || coalesce((SELECT group_concat(atom, ' ') FROM json_tree(r.trigger) WHERE type = 'text'), '') || ' '
        || coalesce((SELECT group_concat(atom, ' ') FROM json_tree(r.inputs) WHERE type = 'text'), ''), 1, 4000)
    FROM searched s JOIN runs r ON r.run = s.run;

-- The failures of one flow, however rare they are.
CREATE INDEX runs_by_flow_and_outcome ON runs (flow, outcome, began, run) WHERE run = root;

-- Events that became no run, for a person to look at.
CREATE INDEX inbox_dead ON inbox (entry) WHERE state = 2;
