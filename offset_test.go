package connect

import (
	"bytes"
	"math"
	"testing"
)

func TestOffsetInt(t *testing.T) {
	for _, n := range []int64{0, -1, math.MaxInt64, math.MinInt64} {
		o := OffsetInt("p", n)
		if got, err := o.Int(); got != n || err != nil {
			t.Errorf("%v: got %d, %v", o, got, err)
		}
	}
	for _, v := range []string{"", "x", "1.5", "9223372036854775808"} {
		if n, err := (Offset{"p", v}).Int(); n != 0 || err == nil {
			t.Errorf("%q: got %d, %v", v, n, err)
		}
	}
}

func TestOffsetBytes(t *testing.T) {
	for _, b := range [][]byte{{}, {0}, {0xff, 0xfe, 0}, []byte("text")} {
		o := OffsetBytes("p", b)
		if got, err := o.Bytes(); !bytes.Equal(got, b) || err != nil {
			t.Errorf("%v: got %v, %v", o, got, err)
		}
	}
	if _, err := (Offset{"p", "?"}).Bytes(); err == nil {
		t.Error("no error for what is no base64")
	}
}

func TestOffsetIsZero(t *testing.T) {
	for o, want := range map[Offset]bool{
		{}:                   true,
		OffsetBytes("", nil): true,
		OffsetInt("", 0):     false,
		{Partition: "p"}:     false,
		{Value: "v"}:         false,
	} {
		if o.IsZero() != want {
			t.Errorf("%v: IsZero is %v", o, o.IsZero())
		}
	}
	if (Offset{}).String() != "none" || OffsetInt("p", 1).String() != "p@1" {
		t.Error("String")
	}
}
