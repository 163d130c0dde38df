package danubetest

import (
	"context"
	"math"
	"time"

	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// Nack asks for a message to be delivered again, after delay_ms at least. The errors
// are those of Ack.
func (s *consumerService) Nack(ctx context.Context, req *pb.NackRequest) (*pb.NackResponse, error) {
	id := req.GetMsgId()
	in := settleCall(MethodNack, id, req.GetSubscriptionName(), req.GetRequestId())
	err := s.call(ctx, &in, req, func(c *core) error {
		sub, what := c.settling(&in, id, req.GetSubscriptionName())
		switch {
		case id == nil:
			return c.errNoMsgID()
		case sub == nil:
			return errNack(what)
		case sub.topic.dispatch == Reliable:
			ms := min(req.GetDelayMs(), uint64(math.MaxInt64/time.Millisecond))
			nack := func() {
				c.nack(sub, id.GetTopicOffset(), time.Duration(ms)*time.Millisecond, req.GetReason())
			}
			if sub.suspended() {
				c.command(sub, &in, nack)
				return nil
			}
			nack()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &pb.NackResponse{RequestId: req.GetRequestId()}, nil
}
