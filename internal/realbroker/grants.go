package realbroker

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
)

// Grant lets a principal do something somewhere.
type Grant struct {
	Principal string
	// Scope is cluster, namespace or topic, Resource the name of it.
	Scope, Resource string
	Permissions     []string
}

// grant gives each grant a role and a binding of its own, and returns when the broker
// goes by all of them: it reads them anew a moment after each change.
func (c *Cluster) grant(ctx context.Context) error {
	if c.security == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := c.dialAdmin(c.Nodes[0])
	if err != nil {
		return err
	}
	defer conn.Close()
	for i, g := range c.security.Grants {
		name := fmt.Sprintf("grant-%d-", i) // none is the beginning of another
		var role, binding []byte
		role = appendText(role, 1, name)
		role = appendText(role, 2, g.Permissions...)
		binding = appendText(binding, 1, name)
		binding = appendText(binding, 2, principalType)
		binding = appendText(binding, 3, g.Principal)
		binding = appendText(binding, 4, name)
		binding = appendText(binding, 5, g.Scope)
		binding = appendText(binding, 6, g.Resource)
		for _, call := range []struct {
			create, list string
			what         []byte
		}{{"CreateRole", "ListRoles", role}, {"CreateBinding", "ListAllBindings", binding}} {
			if _, err := securityAdmin(ctx, conn, call.create, appendText(nil, 1, string(call.what))); err != nil {
				return fmt.Errorf("realbroker: %s for %s: %w", call.create, g.Principal, err)
			}
			for {
				list, err := securityAdmin(ctx, conn, call.list, nil)
				if err != nil {
					return fmt.Errorf("realbroker: %s for %s: %w", call.list, g.Principal, err)
				}
				if bytes.Contains(list, []byte(name)) {
					break
				}
				select {
				case <-time.After(50 * time.Millisecond):
				case <-ctx.Done():
				}
			}
		}
	}
	return nil
}

// securityAdmin makes a call of the service SecurityAdmin. The client has no use for
// it, so its messages are not among the generated ones: the fields go as unknown ones.
func securityAdmin(ctx context.Context, conn *grpc.ClientConn, method string, fields []byte) (reply []byte, err error) {
	var in, out adminpb.Empty
	in.ProtoReflect().SetUnknown(fields)
	err = conn.Invoke(ctx, "/danube_admin.SecurityAdmin/"+method, &in, &out)
	return out.ProtoReflect().GetUnknown(), err
}

func appendText(b []byte, field protowire.Number, list ...string) []byte {
	for _, s := range list {
		b = protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
	}
	return b
}
