package sqlcheckpoint

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"sync"
	"testing"
)

// fakeDB is a database with one table that knows the statements of a Store. What is
// not committed is not there.
type fakeDB struct {
	mu    sync.Mutex
	table string                    // once it exists
	rows  map[string][]driver.Value // by id
	fail  func(statement string) error
	log   []string
}

func (f *fakeDB) open(t *testing.T) *sql.DB {
	db := sql.OpenDB(f)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func (f *fakeDB) Connect(context.Context) (driver.Conn, error) { return &fakeConn{db: f}, nil }
func (f *fakeDB) Driver() driver.Driver                        { return nil }

// fakeConn has, in a transaction, the rows as they will be.
type fakeConn struct {
	db *fakeDB
	tx map[string][]driver.Value
}

func (c *fakeConn) Prepare(query string) (driver.Stmt, error) { return &fakeStmt{c, query}, nil }
func (c *fakeConn) Close() error                              { return nil }

func (c *fakeConn) Begin() (driver.Tx, error) {
	c.db.mu.Lock()
	defer c.db.mu.Unlock()
	c.tx = maps.Clone(c.db.rows)
	if c.tx == nil {
		c.tx = make(map[string][]driver.Value)
	}
	return c, c.db.note("BEGIN")
}

func (c *fakeConn) Commit() error {
	c.db.mu.Lock()
	defer c.db.mu.Unlock()
	err := c.db.note("COMMIT")
	if err == nil || errors.Is(err, errLost) {
		c.db.rows = c.tx
	}
	c.tx = nil
	return err
}

func (c *fakeConn) Rollback() error {
	c.db.mu.Lock()
	defer c.db.mu.Unlock()
	c.tx = nil
	return c.db.note("ROLLBACK")
}

// errLost is the error of a statement that was carried out.
var errLost = errors.New("the connection is lost")

func (f *fakeDB) note(statement string) error {
	f.log = append(f.log, statement)
	if f.fail != nil {
		return f.fail(statement)
	}
	return nil
}

type fakeStmt struct {
	conn  *fakeConn
	query string
}

func (s *fakeStmt) Close() error  { return nil }
func (s *fakeStmt) NumInput() int { return strings.Count(s.query, "$") + strings.Count(s.query, "?") }

func (s *fakeStmt) Exec(args []driver.Value) (driver.Result, error) {
	db := s.conn.db
	db.mu.Lock()
	defer db.mu.Unlock()
	verb, _, _ := strings.Cut(s.query, " ")
	if err := db.note(verb); err != nil {
		return nil, err
	}
	switch words := strings.Fields(s.query); {
	case strings.HasPrefix(s.query, "CREATE TABLE IF NOT EXISTS "):
		db.table = words[5]
	case s.conn.tx == nil:
		return nil, fmt.Errorf("%s outside of a transaction", s.query)
	case strings.HasPrefix(s.query, "DELETE FROM "+db.table+" WHERE id = "):
		delete(s.conn.tx, args[0].(string))
	case strings.HasPrefix(s.query, "INSERT INTO "+db.table+" (id, connector, source_partition, source_value) VALUES ("):
		id := args[0].(string)
		if _, there := s.conn.tx[id]; there {
			return nil, errors.New("duplicate key")
		}
		s.conn.tx[id] = args[1:]
	default:
		return nil, fmt.Errorf("syntax error: %s", s.query)
	}
	return driver.ResultNoRows, nil
}

func (s *fakeStmt) Query(args []driver.Value) (driver.Rows, error) {
	db := s.conn.db
	db.mu.Lock()
	defer db.mu.Unlock()
	if err := db.note("SELECT"); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(s.query, "SELECT connector, source_partition, source_value FROM "+db.table+" WHERE connector = ") {
		return nil, fmt.Errorf("syntax error: %s", s.query)
	}
	rows := &fakeRows{}
	for _, r := range db.rows {
		if strings.EqualFold(r[0].(string), args[0].(string)) { // as MySQL compares
			rows.left = append(rows.left, r)
		}
	}
	return rows, nil
}

type fakeRows struct{ left [][]driver.Value }

func (r *fakeRows) Columns() []string {
	return []string{"connector", "source_partition", "source_value"}
}
func (r *fakeRows) Close() error { return nil }
func (r *fakeRows) Next(dest []driver.Value) error {
	if len(r.left) == 0 {
		return io.EOF
	}
	copy(dest, r.left[0])
	r.left = r.left[1:]
	return nil
}
