package danubetest_test

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/danube-messaging/danube-connect-go/danubetest"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

func TestWithGRPC(t *testing.T) {
	servers := 0
	register := func(s *grpc.Server) {
		servers++
		healthpb.RegisterHealthServer(s, health.NewServer())
	}
	var asked []string
	look := func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		method := info.FullMethod[strings.LastIndex(info.FullMethod, "/")+1:]
		asked = append(asked, method)
		switch method {
		case "TopicPartitions":
			return &pb.TopicPartitionsResponse{Partitions: []string{"made up"}}, nil
		case "TopicLookup":
			return nil, status.Error(codes.DataLoss, "made up")
		}
		return next(ctx, req)
	}
	bubble(t, func(t *testing.T, b *danubetest.Broker, _ *stubs) {
		for range 2 {
			r, err := healthpb.NewHealthClient(b.Conn(t)).Check(t.Context(), &healthpb.HealthCheckRequest{})
			must(t, err)
			want(t, "status", r.GetStatus(), healthpb.HealthCheckResponse_SERVING)
			must(t, b.Restart())
		}
		s := dial(t, b)
		asked = nil
		parts, err := s.discovery.TopicPartitions(t.Context(), &pb.TopicLookupRequest{Topic: topic})
		must(t, err)
		want(t, "partitions", parts.GetPartitions(), []string{"made up"})
		_, err = s.discovery.TopicLookup(t.Context(), &pb.TopicLookupRequest{Topic: topic})
		wantStatus(t, err, codes.DataLoss, "made up")
		s.producer(topic, "p").send("x")
		want(t, "asked", asked, []string{"TopicPartitions", "TopicLookup", "CreateProducer", "SendMessage"})
		want(t, "calls", len(b.Calls(nil)), 2)
		want(t, "servers", servers, 3)
	}, danubetest.WithGRPC(register), danubetest.WithGRPC(nil, grpc.ChainUnaryInterceptor(look)))

	if _, err := danubetest.New(danubetest.WithGRPC(nil)); err == nil || !strings.Contains(err.Error(), "gRPC: want a function") {
		t.Errorf("nothing: %v", err)
	}
}
