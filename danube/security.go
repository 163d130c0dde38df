package danube

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// secure reports whether an address asks for TLS. One without a scheme does not.
func secure(address string) bool {
	const scheme = "https://"
	return len(address) >= len(scheme) && strings.EqualFold(address[:len(scheme)], scheme)
}

func schemeName(secure bool) string {
	if secure {
		return "https"
	}
	return "http"
}

// security is what all connections of a client share: TLS or not, and the token.
type security struct {
	secure bool
	opts   []grpc.DialOption
}

// newSecurity checks how the seeds are written against TLS and token, and reads
// their files. what is how the addresses are called in the configuration.
func newSecurity(c Config, what string) (security, error) {
	tlsSeed, plainSeed := "", ""
	for _, s := range c.Seeds {
		e, err := parseEndpoint(s)
		switch {
		case err != nil: // said elsewhere, and the seed may hold a password
		case secure(s) && tlsSeed == "":
			tlsSeed = "https://" + string(e)
		case !secure(s) && plainSeed == "":
			plainSeed = "http://" + string(e)
		}
	}
	s := security{secure: tlsSeed != ""}
	var errs []error
	if tlsSeed != "" && plainSeed != "" {
		errs = append(errs, invalid("%s %s and %s mix TLS and plain text, and a cluster has one of them: write all with https:// or all with http://", what, tlsSeed, plainSeed))
	}
	if s.secure {
		files, err := newTLSFiles(c.TLS, c.Logger)
		if err != nil {
			errs = append(errs, err)
		} else {
			s.opts = append(s.opts, grpc.WithTransportCredentials(files.credentials()))
		}
	} else {
		if plainSeed != "" && !c.TLS.isZero() {
			errs = append(errs, invalid("TLS is configured, but %s means plain text: write https://, or leave TLS empty", plainSeed))
		}
		s.opts = append(s.opts, grpc.WithTransportCredentials(insecure.NewCredentials()))
	}
	if c.Token.IsZero() {
		return s, errors.Join(errs...)
	}
	if plainSeed != "" && !c.AllowInsecureToken {
		errs = append(errs, invalid("the token would go to %s unencrypted, for anybody on the way to read: write https://, or set AllowInsecureToken where that is acceptable", plainSeed))
	}
	tokens, err := newTokens(c.Token, c.Logger, c.AllowInsecureToken)
	if err != nil {
		errs = append(errs, err)
	} else {
		s.opts = append(s.opts, tokens.dialOptions()...)
	}
	return s, errors.Join(errs...)
}

// admits checks the scheme of an address that a broker gave for itself or another.
func (s security) admits(address string) error {
	if !strings.Contains(address, "://") || secure(address) == s.secure {
		return nil
	}
	return invalid("the broker gives %q as address, and this client was opened with %s:// addresses: all brokers of a cluster need the same auth.mode and an address that fits it (advertised_listeners), and the client's addresses the same scheme",
		shown(address), schemeName(s.secure))
}

// hint adds to a connection that failed what its error may mean here.
func (s security) hint(err error) error {
	if err == nil {
		return nil
	}
	text := status.Convert(err).Message()
	for _, h := range []struct {
		secure    bool
		text, say string
	}{
		{true, "first record does not look like a TLS handshake", "the broker speaks plain text there: write its address with http://"},
		{true, "certificate signed by unknown authority", "give the certificate of its authority in TLS.CAFile"},
		{true, "certificate is valid for", "TLS.ServerName may name one of these"},
		{true, "any IP SANs", "give a host name in the address, or the certificate's name in TLS.ServerName"},
		{false, "error reading server preface", "if the broker wants TLS, write its address with https://"},
	} {
		if h.secure == s.secure && strings.Contains(text, h.text) {
			return fmt.Errorf("%w (%s)", err, h.say)
		}
	}
	return err
}
