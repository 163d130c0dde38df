package danubetest

// queue is a slice that grows at the back and shrinks at the front, and keeps its
// array while it does.
type queue[T any] struct {
	buf  []T
	head int
}

func (q *queue[T]) len() int   { return len(q.buf) - q.head }
func (q *queue[T]) at(i int) T { return q.buf[q.head+i] }
func (q *queue[T]) all() []T   { return q.buf[q.head:] }
func (q *queue[T]) push(v T)   { q.buf = append(q.buf, v) }

// cut keeps n values at the front.
func (q *queue[T]) cut(n int) {
	clear(q.buf[q.head+n:])
	q.buf = q.buf[:q.head+n]
}

// drop removes n values from the front.
func (q *queue[T]) drop(n int) {
	clear(q.buf[q.head : q.head+n])
	q.head += n
	switch {
	case q.head == len(q.buf):
		q.buf, q.head = q.buf[:0], 0
	case q.head >= 1024 && q.head >= q.len():
		m := copy(q.buf, q.buf[q.head:])
		clear(q.buf[m:])
		q.buf, q.head = q.buf[:m], 0
	}
}
