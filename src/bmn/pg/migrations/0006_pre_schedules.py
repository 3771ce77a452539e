"""Tables of schedules and their runs."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SCHEDULES = """
CREATE TABLE schedules (
    name         text COLLATE "C" PRIMARY KEY CHECK (name <> ''),
    job          text COLLATE "C" NOT NULL CHECK (job <> ''),
    spec         text NOT NULL,
    zone         text NOT NULL,
    queue        text COLLATE "C" NOT NULL CHECK (queue <> ''),
    priority     smallint NOT NULL CHECK (priority BETWEEN 0 AND 3),
    max_attempts integer CHECK (max_attempts > 0),  -- of one run; null: never give up
    missed       text COLLATE "C" NOT NULL CHECK (missed IN ('skip', 'once', 'all')),
    overlap      text COLLATE "C" NOT NULL CHECK (overlap IN ('forbid', 'allow')),
    declared     boolean NOT NULL,            -- by the program; else registered at run time, and kept
    paused       boolean NOT NULL DEFAULT false,
    next_at      timestamptz,                 -- null: no tick is left
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50)
"""

RUNS = """
CREATE TABLE job_runs (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    schedule    text COLLATE "C" NOT NULL,
    tick        timestamptz NOT NULL,         -- the moment it was due, or asked for by a person
    attempt     integer NOT NULL,
    instance    text NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    success     boolean,                      -- null while it runs
    code        text COLLATE "C",
    error       text,
    metrics     jsonb,
    CHECK ((finished_at IS NULL) = (success IS NULL)),
    CHECK ((success IS FALSE) = (code IS NOT NULL))
)
"""

ONCE = "CREATE UNIQUE INDEX job_runs_once ON job_runs (schedule, tick) WHERE success"
LATEST = "CREATE INDEX job_runs_latest ON job_runs (schedule, id DESC)"
BY_AGE = "CREATE INDEX job_runs_by_age ON job_runs (started_at)"


def upgrade() -> None:
    """Create them."""
    for statement in (SCHEDULES, RUNS, ONCE, LATEST, BY_AGE):
        op.execute(statement)
