package danube

import (
	"context"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/grpc"

	"github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
)

var namespacePattern = regexp.MustCompile(`^[\pL\pN_-]+$`)

// BrokerInfo is one broker of the cluster as it registered itself.
type BrokerInfo struct {
	ID             string
	Address        string // of the clients' port
	AdminAddress   string // as the broker is bound: it may not be what others must dial
	MetricsAddress string // empty when the broker has none
	Role           string // "Cluster_Leader", "Cluster_Follower" or "None"
	Status         string // "active", "draining" or "drained"
}

// Brokers lists the brokers that are registered. One that died stays listed for about
// half a minute.
func (a *Admin) Brokers(ctx context.Context) ([]BrokerInfo, error) {
	var resp *adminpb.BrokerListResponse
	err := a.call(ctx, "list brokers", "", func(ctx context.Context, conn *grpc.ClientConn) (err error) {
		resp, err = adminpb.NewBrokerAdminClient(conn).ListBrokers(ctx, &adminpb.Empty{})
		return err
	})
	if err != nil {
		return nil, err
	}
	var brokers []BrokerInfo
	for _, b := range resp.GetBrokers() {
		brokers = append(brokers, BrokerInfo{
			ID: b.GetBrokerId(), Address: b.GetBrokerAddr(), AdminAddress: b.GetAdminAddr(),
			MetricsAddress: b.GetMetricsAddr(), Role: b.GetBrokerRole(), Status: b.GetBrokerStatus(),
		})
	}
	slices.SortFunc(brokers, func(a, b BrokerInfo) int { return strings.Compare(a.ID, b.ID) })
	return brokers, nil
}

// MetricsAddresses lists where the brokers serve their metrics, by their own word, for
// Config.Metrics. A broker knows the address that it is bound to; where that is every
// address, the host is the one of its clients' port.
func (a *Admin) MetricsAddresses(ctx context.Context) ([]string, error) {
	brokers, err := a.Brokers(ctx)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, b := range brokers {
		at, err := parseEndpoint(b.MetricsAddress)
		if err != nil {
			continue // it serves none
		}
		if via, err := parseEndpoint(b.Address); err == nil {
			at = at.reachable(via)
		}
		u := url.URL{Scheme: "http", Host: string(at), Path: "/metrics"} // which knows what to do with a zone
		list = append(list, u.String())
	}
	return unique(list), nil
}

// Namespaces lists the namespaces by name.
func (a *Admin) Namespaces(ctx context.Context) ([]string, error) {
	var resp *adminpb.NamespaceListResponse
	err := a.call(ctx, "list namespaces", "", func(ctx context.Context, conn *grpc.ClientConn) (err error) {
		resp, err = adminpb.NewBrokerAdminClient(conn).ListNamespaces(ctx, &adminpb.Empty{})
		return err
	})
	// The broker names one for each of its keys.
	return unique(resp.GetNamespaces()), err
}

// CreateNamespace creates a namespace, without limits: those of the brokers'
// configuration are for the namespaces that they start with. ErrExists: it is there.
func (a *Admin) CreateNamespace(ctx context.Context, name string) error {
	if err := checkNamespace(name); err != nil {
		return err
	}
	return a.call(ctx, "create namespace "+name, "", func(ctx context.Context, conn *grpc.ClientConn) error {
		resp, err := adminpb.NewNamespaceAdminClient(conn).CreateNamespace(ctx, &adminpb.NamespaceRequest{Name: name})
		return succeeded(resp.GetSuccess(), err)
	})
}

// DeleteNamespace deletes a namespace. ErrConflict: it has topics, or another
// namespace has whose name begins with this one; ErrNotFound: there is none.
func (a *Admin) DeleteNamespace(ctx context.Context, name string) error {
	if err := checkNamespace(name); err != nil {
		return err
	}
	return a.call(ctx, "delete namespace "+name, "", func(ctx context.Context, conn *grpc.ClientConn) error {
		resp, err := adminpb.NewNamespaceAdminClient(conn).DeleteNamespace(ctx, &adminpb.NamespaceRequest{Name: name})
		return succeeded(resp.GetSuccess(), err)
	})
}

// unique sorts names and drops those that come again.
func unique(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}
