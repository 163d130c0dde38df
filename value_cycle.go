package connect

import "reflect"

// holdsItself reports whether a value holds itself where fmt would follow: through maps,
// slices, arrays, structs and interfaces, and a pointer at the top. Values that are nested
// deeper than anybody prints count as well.
func holdsItself(v any) bool {
	top := reflect.ValueOf(v)
	if top.Kind() == reflect.Pointer {
		top = top.Elem()
	}
	return nests(top, map[uintptr]int{}, 0)
}

const maxNesting = 1000

// nests walks a value; on is what it is inside of, by address and length.
func nests(v reflect.Value, on map[uintptr]int, depth int) bool {
	if depth > maxNesting {
		return true
	}
	inside := func(n int, child func(int) reflect.Value) bool {
		for i := range n {
			if nests(child(i), on, depth+1) {
				return true
			}
		}
		return false
	}
	switch v.Kind() {
	case reflect.Interface:
		return nests(v.Elem(), on, depth+1)
	case reflect.Struct:
		return inside(v.NumField(), v.Field)
	case reflect.Array:
		return inside(v.Len(), v.Index)
	case reflect.Slice, reflect.Map:
		if v.Len() == 0 || v.Kind() == reflect.Slice && v.Type().Elem().Kind() <= reflect.Complex128 {
			return false // numbers hold nothing
		}
		at := v.Pointer()
		if n, already := on[at]; already && n == v.Len() {
			return true
		}
		before, had := on[at]
		on[at] = v.Len()
		defer func() {
			delete(on, at)
			if had {
				on[at] = before
			}
		}()
		if v.Kind() == reflect.Slice {
			return inside(v.Len(), v.Index)
		}
		for it := v.MapRange(); it.Next(); {
			if nests(it.Key(), on, depth+1) || nests(it.Value(), on, depth+1) {
				return true
			}
		}
	}
	return false
}
