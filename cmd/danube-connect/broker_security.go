package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
)

// tlsFlags are the flags for TLS.
func tlsFlags(fs *flag.FlagSet) group {
	cert := fs.String("tls-cert", "", "speak TLS, with the certificates in this PEM `file`; needs -tls-key")
	key := fs.String("tls-key", "", "PEM `file` of the key of -tls-cert")
	ca := fs.String("tls-client-ca", "", "ask clients for a certificate of an authority in this PEM `file`; needs -tls-cert")
	own := fs.String("tls-self-signed", "", "speak TLS with a certificate for 127.0.0.1, ::1 and localhost that is made up, and write it to this `file`, for clients to trust")
	return func(out *flags) ([]danubetest.Option, error) {
		switch {
		case *own != "" && (*cert != "" || *key != "" || *ca != ""):
			return nil, errors.New("-tls-self-signed excludes -tls-cert, -tls-key and -tls-client-ca")
		case *own != "":
			out.certOut = *own
			return []danubetest.Option{danubetest.WithTLS(nil)}, nil
		case *cert == "" && *key == "" && *ca == "":
			return nil, nil
		case *cert == "" || *key == "":
			return nil, errors.New("-tls-cert and -tls-key need each other, and -tls-client-ca needs both")
		}
		pair, err := tls.LoadX509KeyPair(*cert, *key)
		if err != nil {
			return nil, fmt.Errorf("-tls-cert %s, -tls-key %s: %w", *cert, *key, err)
		}
		cfg := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
		if *ca != "" {
			text, err := os.ReadFile(*ca)
			if err != nil {
				return nil, fmt.Errorf("-tls-client-ca: %w", err)
			}
			cfg.ClientCAs, cfg.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
			if !cfg.ClientCAs.AppendCertsFromPEM(text) {
				return nil, fmt.Errorf("-tls-client-ca %s: there is no certificate in it: want a PEM file", *ca)
			}
		}
		return []danubetest.Option{danubetest.WithTLS(cfg)}, nil
	}
}

// tokenFlags are the flags for who may do what.
func tokenFlags(fs *flag.FlagSet) group {
	var tokens []danubetest.Token
	fs.Func("token", "ask clients for a token, and take this one as a principal's: `principal=token`, or principal=@file (repeatable)", func(s string) error {
		principal, text, ok := strings.Cut(s, "=")
		if !ok || principal == "" {
			return errors.New("want principal=token, or principal=@file")
		}
		text, err := secret(text)
		if err != nil {
			return fmt.Errorf("token of %q: %w", principal, err)
		}
		tokens = append(tokens, danubetest.Token{Value: text, Principal: principal})
		return nil
	})
	lasts := durationFlag(fs, "token-lasts", 0, "how long the tokens of -token are good for, a `duration` from the start; 0s is for ever")
	var jwt string
	fs.Func("jwt-secret", "ask clients for a JSON web token, as a real broker does, signed with this `secret`, or with the one in @file", func(s string) (err error) {
		jwt, err = secret(s)
		return err
	})
	var grants []danubetest.Option
	fs.Func("grant", "refuse what nobody was granted, and grant this: `principal=permission,...`, with @/namespace/topic or @namespace behind it there alone (repeatable)",
		func(s string) error {
			o, err := parseGrant(s)
			grants = append(grants, o)
			return err
		})
	fs.Func("admin", "let these `principals`, with commas between, do everything; others need -grant then (repeatable)", func(s string) error {
		for name := range strings.SplitSeq(s, ",") {
			if name == "" {
				return errors.New("want the name of a principal")
			}
			grants = append(grants, danubetest.WithAdmins(name))
		}
		return nil
	})
	return func(out *flags) (opts []danubetest.Option, err error) {
		asks := tokens != nil || jwt != ""
		switch {
		case grants != nil && !asks:
			return nil, errors.New("-grant and -admin need principals: give -token or -jwt-secret")
		case *lasts > 0 && tokens == nil:
			return nil, errors.New("-token-lasts needs -token")
		case out.traps[danubetest.TrapGrants] && grants == nil:
			return nil, errors.New("-trap Grants needs -grant or -admin")
		}
		if tokens != nil {
			opts = append(opts, danubetest.WithTokens(lasting(tokens, *lasts)...))
		}
		if jwt != "" {
			opts = append(opts, danubetest.WithTokenVerifier(danubetest.VerifyJWT(jwt)))
		}
		return append(opts, grants...), nil
	}
}

func lasting(tokens []danubetest.Token, d time.Duration) []danubetest.Token {
	for i := range tokens {
		tokens[i].Lasts = d
	}
	return tokens
}

// parseGrant reads a value of the flag grant.
func parseGrant(s string) (danubetest.Option, error) {
	principal, rest, ok := strings.Cut(s, "=")
	if !ok || principal == "" {
		return nil, errors.New("want principal=permission, or several with commas between")
	}
	names, where, placed := strings.Cut(rest, "@")
	var g danubetest.Grant
	switch {
	case placed && where == "":
		return nil, errors.New("want @/namespace/topic or @namespace, or neither for the whole cluster")
	case strings.Contains(where, "/"):
		if _, err := topicName(where); err != nil {
			return nil, err
		}
		g.Topic = where
	default:
		g.Namespace = where
	}
	for name := range strings.SplitSeq(names, ",") {
		p, err := danubetest.ParsePermission(name)
		if err != nil {
			return nil, err
		}
		g.Permissions = append(g.Permissions, p)
	}
	return danubetest.WithGrants(principal, g), nil
}
