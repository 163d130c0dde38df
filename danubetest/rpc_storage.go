package danubetest

import (
	"context"

	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

type storageService struct {
	pb.UnimplementedStorageServiceServer
	*network
}

// ListSegmentDescriptors lists nothing, whatever the topic: there are no segments, as on
// a real broker with local storage.
func (s *storageService) ListSegmentDescriptors(ctx context.Context, req *pb.ListSegmentDescriptorsRequest) (*pb.ListSegmentDescriptorsResponse, error) {
	in := Call{Method: MethodListSegmentDescriptors, Topic: req.GetTopic()}
	if err := s.call(ctx, &in, req, func(*core) error { return nil }); err != nil {
		return nil, err
	}
	return new(pb.ListSegmentDescriptorsResponse), nil
}
