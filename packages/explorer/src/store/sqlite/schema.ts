/** Bumped when the tables change; a partition of another version is set aside, not misread. */
export const schemaVersion = 1

/**
 * One partition. Ids are blobs (half the size of hex, and compared as bytes); times are nanoseconds.
 * `trace.id` stands for the 16-byte trace id in all other tables.
 */
export const schema = `
CREATE TABLE origin (id INTEGER PRIMARY KEY, data BLOB NOT NULL UNIQUE);
CREATE TABLE trace (
  id INTEGER PRIMARY KEY, trace_id BLOB NOT NULL UNIQUE,
  start INTEGER NOT NULL, names_event INTEGER NOT NULL
);
CREATE TABLE span (
  id INTEGER PRIMARY KEY, trace INTEGER NOT NULL, span_id BLOB NOT NULL, parent_id BLOB,
  digest BLOB NOT NULL, received INTEGER NOT NULL, origin INTEGER NOT NULL,
  event_id TEXT, event_source TEXT, data BLOB NOT NULL
);
CREATE UNIQUE INDEX span_identity ON span (span_id, trace, digest);
CREATE INDEX span_parent ON span (trace, parent_id);
CREATE INDEX span_event ON span (event_id) WHERE event_id IS NOT NULL;
CREATE TABLE link (
  span_id BLOB NOT NULL, trace_id BLOB NOT NULL, span INTEGER NOT NULL,
  PRIMARY KEY (span_id, trace_id, span)
) WITHOUT ROWID;
CREATE TABLE term (id INTEGER PRIMARY KEY, value TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (value, name));
CREATE TABLE term_trace (term INTEGER NOT NULL, trace INTEGER NOT NULL, PRIMARY KEY (term, trace)) WITHOUT ROWID;
CREATE TABLE journey (key TEXT PRIMARY KEY, start INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX journey_start ON journey (start, key);
PRAGMA user_version = ${schemaVersion};
`
