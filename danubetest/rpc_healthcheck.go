package danubetest

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// HealthCheck says whether a client may go on with its id: OK for a producer that is
// known, and for a consumer that is known and active, which it is from Subscribe until
// its stream ends. CLOSE otherwise. INVALID_ARGUMENT for another kind of client.
func (s *healthService) HealthCheck(ctx context.Context, req *pb.HealthCheckRequest) (*pb.HealthCheckResponse, error) {
	resp := &pb.HealthCheckResponse{Status: pb.HealthCheckResponse_CLOSE}
	in := Call{Method: MethodHealthCheck, RequestID: req.GetRequestId(), id: req.GetId(), kind: req.GetClient()}
	err := s.call(ctx, &in, req, func(c *core) error {
		ok := false
		switch req.GetClient() {
		case pb.HealthCheckRequest_Producer:
			p := c.producers[req.GetId()]
			if ok = p != nil && p.topic.on(in.node); ok {
				p.seen = c.now
			}
		case pb.HealthCheckRequest_Consumer:
			co := c.consumers[req.GetId()]
			ok = co != nil && co.active && co.sub.topic.on(in.node)
		default:
			return status.Error(codes.InvalidArgument, "Invalid client type")
		}
		if ok {
			resp.Status = pb.HealthCheckResponse_OK
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if in.close {
		resp.Status = pb.HealthCheckResponse_CLOSE
	}
	return resp, nil
}
