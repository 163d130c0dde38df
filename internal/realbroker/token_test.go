package realbroker_test

import (
	"testing"
	"time"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	"github.com/danube-messaging/danube-connect-go/internal/realbroker"
)

func TestToken(t *testing.T) {
	now := time.Now()
	token := realbroker.Token("s3cret", "writer", now.Add(time.Hour))
	if principal, err := danubetest.VerifyJWT("s3cret")(token, now); err != nil || principal != "writer" {
		t.Errorf("got %q, %v", principal, err)
	}
	for name, token := range map[string]string{
		"another secret":    realbroker.Token("other", "writer", now.Add(time.Hour)),
		"expired":           realbroker.Token("s3cret", "writer", now.Add(-time.Hour)),
		"another algorithm": realbroker.Sign("s3cret", "none", realbroker.Claims("writer", now.Add(time.Hour))),
	} {
		if principal, err := danubetest.VerifyJWT("s3cret")(token, now); err == nil {
			t.Errorf("%s: taken, as %q", name, principal)
		}
	}
}
