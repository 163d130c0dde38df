// Package sqlcheckpoint keeps a source's offsets in a table of a SQL database, through
// database/sql and whatever driver the program imports. Where the records end up in the
// same database, or several processes take over from each other on different hosts, that
// is a better place than a file.
//
//	db, err := sql.Open("pgx", dsn)
//	...
//	store, err := sqlcheckpoint.Open(ctx, db, sqlcheckpoint.Config{Connector: "orders", Placeholder: sqlcheckpoint.Dollar})
//	...
//	connect.RunSource(source, connect.WithCheckpoints(store))
//
// It is an example to copy, with SQL that PostgreSQL, MySQL and SQLite understand.
package sqlcheckpoint

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	connect "github.com/danube-messaging/danube-connect-go"
)

// Placeholder writes the n-th parameter of a statement, from 1.
type Placeholder func(n int) string

// Question is for MySQL and SQLite: ?, ?
func Question(int) string { return "?" }

// Dollar is for PostgreSQL: $1, $2
func Dollar(n int) string { return "$" + strconv.Itoa(n) }

// Config describes where the offsets are.
type Config struct {
	// Connector is whose they are. Required.
	Connector string
	// Table is the table, made where it does not exist. Default: connect_checkpoints.
	Table string
	// Placeholder is the database's own. Default: Question.
	Placeholder Placeholder
}

// Store is a [connect.CheckpointStore]. Two processes of one connector must not run at
// once: nothing here keeps the second one out.
type Store struct {
	db        *sql.DB
	connector string

	load, remove, insert string
}

var _ connect.CheckpointStore = (*Store)(nil)

var tablePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$`)

// Open returns a store and makes its table. The database stays the caller's: Close does
// not close it.
func Open(ctx context.Context, db *sql.DB, c Config) (*Store, error) {
	if c.Connector == "" {
		return nil, connect.InvalidConfig(errors.New("checkpoints in SQL: the connector has no name"))
	}
	if c.Table == "" {
		c.Table = "connect_checkpoints"
	}
	if !tablePattern.MatchString(c.Table) { // it becomes part of the statements
		return nil, connect.InvalidConfigf("checkpoints in SQL: the table %q has characters that would have to be quoted", c.Table)
	}
	p := c.Placeholder
	if p == nil {
		p = Question
	}
	_, err := db.ExecContext(ctx, fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s (
	id CHAR(64) NOT NULL PRIMARY KEY,
	connector VARCHAR(255) NOT NULL,
	source_partition TEXT NOT NULL,
	source_value TEXT NOT NULL
)`, c.Table))
	if err != nil {
		return nil, fmt.Errorf("checkpoints in SQL: create table %s: %w", c.Table, err)
	}
	return &Store{db: db, connector: c.Connector,
		load:   fmt.Sprintf("SELECT connector, source_partition, source_value FROM %s WHERE connector = %s", c.Table, p(1)),
		remove: fmt.Sprintf("DELETE FROM %s WHERE id = %s", c.Table, p(1)),
		insert: fmt.Sprintf("INSERT INTO %s (id, connector, source_partition, source_value) VALUES (%s, %s, %s, %s)", c.Table, p(1), p(2), p(3), p(4)),
	}, nil
}

// id is the key of a row. The names themselves are none: databases compare them with
// rules of their own, for which "a" may be "A", and limit their length.
func (s *Store) id(partition string) string {
	sum := sha256.Sum256([]byte(s.connector + "\x00" + partition))
	return hex.EncodeToString(sum[:])
}

// Load returns the saved offsets of the connector.
func (s *Store) Load(ctx context.Context) (offsets []connect.Offset, err error) {
	rows, err := s.db.QueryContext(ctx, s.load, s.connector)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var connector string
		var o connect.Offset
		if err := rows.Scan(&connector, &o.Partition, &o.Value); err != nil {
			return nil, err
		}
		if connector == s.connector { // exactly
			offsets = append(offsets, o)
		}
	}
	return offsets, rows.Err()
}

// Save stores offsets in one transaction: all of them, or none. A row is removed and
// written anew, which every database understands, and which does no harm when it is done
// twice: the runtime tries again after an error, also after one that came with the
// commit.
func (s *Store) Save(ctx context.Context, newest []connect.Offset) (err error) {
	for _, o := range newest {
		if text := o.Partition + o.Value; !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return connect.Fatalf("offset %q: text in a database is UTF-8 without zero bytes", o)
		}
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback() // the first error is what counts
		}
	}()
	for _, o := range newest {
		id := s.id(o.Partition)
		_, err = tx.ExecContext(ctx, s.remove, id)
		if err == nil {
			_, err = tx.ExecContext(ctx, s.insert, id, s.connector, o.Partition, o.Value)
		}
		if err != nil {
			return fmt.Errorf("save offset %v: %w", o, err)
		}
	}
	return tx.Commit()
}

// Close does nothing: the database is the caller's.
func (s *Store) Close() error { return nil }
