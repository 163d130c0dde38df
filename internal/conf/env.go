package conf

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/caarlos0/env/v11"
)

// variable is a field that the environment can set.
type variable struct {
	name       string // of the variable
	path       string // of the key, empty when the file cannot set it
	typ        reflect.Type
	value      reflect.Value
	required   bool
	hasDefault bool
}

// variables lists the fields of the struct v that have an env tag, by the rules of
// caarlos0/env: it enters structs, and pointers to structs that are not nil.
func variables(v reflect.Value, envPrefix, path string, inFile bool) ([]variable, error) {
	var vars []variable
	t := v.Type()
	for i := range t.NumField() {
		f, fv := t.Field(i), v.Field(i)
		if !fv.CanSet() {
			continue
		}
		key, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
		here := path
		if !f.Anonymous || key != "" {
			here = join(path, cmp.Or(key, f.Name))
		}
		name, options, _ := strings.Cut(f.Tag.Get("env"), ",")
		if name == "-" {
			continue
		}
		if name != "" {
			x := variable{name: envPrefix + name, typ: f.Type, value: fv}
			if inFile && key != "-" {
				x.path = here
			}
			for o := range strings.SplitSeq(options, ",") {
				switch o {
				case "required", "notEmpty":
					x.required = true
				case "expand":
					return nil, fmt.Errorf("field %s: the option expand of the env tag is not supported", f.Name)
				}
			}
			_, x.hasDefault = f.Tag.Lookup("envDefault")
			vars = append(vars, x)
		}
		if fv.Kind() == reflect.Pointer && !fv.IsNil() {
			fv = fv.Elem()
		}
		if fv.Kind() == reflect.Struct && fv.Type() != timeType && !custom(fv.Type()) {
			sub, err := variables(fv, envPrefix+f.Tag.Get("envPrefix"), here, inFile && key != "-")
			if err != nil {
				return nil, err
			}
			vars = append(vars, sub...)
		}
	}
	return vars, nil
}

// setDefaults applies the envDefault tags to the fields that are still zero.
func setDefaults(dst any) []Problem {
	err := env.ParseWithOptions(dst, env.Options{
		Environment:                  map[string]string{},
		SetDefaultsForZeroValuesOnly: true,
		FuncMap:                      wideInts,
	})
	var problems []Problem
	for _, err := range parts(err) {
		if !isAbsence(err) {
			problems = append(problems, Problem{Source: "struct tag", Problem: err.Error()})
		}
	}
	return problems
}

// setVariable sets the fields of dst that read the variable x.name. One variable
// at a time: the library's errors do not name theirs.
func setVariable(dst any, x variable, value string) []Problem {
	err := env.ParseWithOptions(dst, env.Options{
		Environment:         map[string]string{x.name: value},
		DefaultValueTagName: "-", // they were applied before the file
		FuncMap:             wideInts,
	})
	p := Problem{Key: x.path, Value: shorten(value), Source: EnvSource(x.name)}
	if isSecret(x.typ) {
		p.Value = "***"
	}
	for _, err := range parts(err) {
		if isAbsence(err) {
			continue // of the other variables
		}
		p.Problem = envText(err, x.typ)
		if _, ok := errors.AsType[env.LoadFileContentError](err); ok && isSecret(x.typ) {
			p.Problem = "expected the name of a file that can be read" // the value may be the secret itself
		}
		return []Problem{p}
	}
	return nil
}

// parts returns the errors in err, which may be nil.
func parts(err error) []error {
	if err == nil {
		return nil
	}
	if all, ok := errors.AsType[env.AggregateError](err); ok {
		return all.Errors
	}
	return []error{err}
}

func isAbsence(err error) bool {
	_, unset := errors.AsType[env.VarIsNotSetError](err)
	_, empty := errors.AsType[env.EmptyVarError](err)
	return unset || empty
}

// envText says what is wrong with a variable's value without the library's
// internals.
func envText(err error, t reflect.Type) string {
	pe, ok := err.(env.ParseError) // it does not unwrap
	switch {
	case !ok:
		return err.Error()
	case custom(deref(t)):
		return pe.Err.Error()
	case errors.Is(pe.Err, strconv.ErrRange):
		return "out of range"
	case deref(t).Kind() == reflect.Slice, deref(t).Kind() == reflect.Map:
		return pe.Err.Error()
	default:
		return "expected " + expected(t)
	}
}

// wideInts replaces the library's parsers of int and uint, which stop at 32 bits.
var wideInts = map[reflect.Type]env.ParserFunc{
	reflect.TypeFor[int](): func(s string) (any, error) {
		return strconv.Atoi(s)
	},
	reflect.TypeFor[uint](): func(s string) (any, error) {
		n, err := strconv.ParseUint(s, 10, strconv.IntSize)
		return uint(n), err
	},
}
