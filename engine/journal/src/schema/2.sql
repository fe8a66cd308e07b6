-- It holds `root`, which says nothing new, so that runs are counted in it without a look at each.
DROP INDEX runs_by_time;
CREATE INDEX runs_by_time ON runs (began, run, root) WHERE run = root;

-- Words stand on shelves, each a table `words_FIRST` with the runs of so many numbers from `first` on, all of which began
-- between two times. Before there were shelves, all stood in one table: it is the first of them.
CREATE TABLE shelves (
    first  INTEGER PRIMARY KEY,
    oldest INTEGER NOT NULL,
    newest INTEGER NOT NULL
);
INSERT INTO shelves (first, oldest, newest)
    SELECT 0, coalesce(min(began), 1 << 62), coalesce(max(began), -(1 << 62)) FROM runs WHERE run = root;
ALTER TABLE words RENAME TO words_0;
