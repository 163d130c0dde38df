package danubetest_test

import (
	"slices"

	adminpb "github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
	pb "github.com/danube-messaging/danube-connect-go/internal/pb/danubepb"
)

// adminScenarios are about the services of administration.
var adminScenarios = []soundScenario{
	{"admin", func(l *lab) {
		if l.topics == nil {
			return
		}
		ctx, base := l.t.Context(), l.topic("parts")
		_, err := l.topics.CreatePartitionedTopic(ctx, &adminpb.PartitionedTopicRequest{BaseName: base, Partitions: 12, DispatchStrategy: adminpb.DispatchStrategy_Reliable})
		l.status("create", err)
		_, err = l.topics.CreatePartitionedTopic(ctx, &adminpb.PartitionedTopicRequest{BaseName: base, Partitions: 2, DispatchStrategy: adminpb.DispatchStrategy_Reliable})
		l.status("create again", err)
		var parts *pb.TopicPartitionsResponse
		l.until(func() bool { // a cluster takes its time
			parts, err = l.discovery.TopicPartitions(ctx, &pb.TopicLookupRequest{Topic: base})
			return err != nil || len(parts.GetPartitions()) == 12
		})
		must(l.t, err)
		l.log("%v", parts.GetPartitions())
		_, err = l.tryProducer(base, "p")
		l.status("producer on the base name", err)
		_, err = l.trySubscribe(base, "s", "c", exclusive)
		l.status("subscribe to the base name", err)
		plain := l.topic("plain")
		_, err = l.topics.CreateTopic(ctx, &adminpb.NewTopicRequest{Name: plain, DispatchStrategy: adminpb.DispatchStrategy_Reliable})
		l.status("create plain", err)
		_, err = l.topics.CreateTopic(ctx, &adminpb.NewTopicRequest{Name: plain, DispatchStrategy: adminpb.DispatchStrategy_Reliable})
		l.status("create plain again", err)
		_, err = l.topics.CreateTopic(ctx, &adminpb.NewTopicRequest{Name: "bad"})
		l.status("create bad", err)
		l.ready(plain)
		l.subscribe(plain, "s", "c", exclusive)
		d, err := l.topics.DescribeTopic(ctx, &adminpb.DescribeTopicRequest{Name: plain})
		must(l.t, err)
		l.log("%s %s", d.GetName(), d.GetDelivery())
		d, err = l.topics.DescribeTopic(ctx, &adminpb.DescribeTopicRequest{Name: l.topic("undescribed")})
		l.status("describe absent", err)
		l.log("%q %q %v", d.GetName(), d.GetDelivery(), d.GetSubscriptions())
		p, err := l.tryProducer(base+"-part-3", "p")
		l.status("producer on a partition", err)
		q, err := l.tryProducer(plain, "q")
		l.status("producer", err)
		x := l.open(plain, "s", "c", exclusive)
		_, err = l.tryProducer(plain+"-part-0", "q")
		l.status("partition of a plain topic", err)
		list, err := l.topics.ListNamespaceTopics(ctx, &adminpb.NamespaceRequest{Name: "default"})
		must(l.t, err)
		l.log("listed: %t", slices.ContainsFunc(list.GetTopics(), func(t *adminpb.TopicInfo) bool { return t.GetName() == plain && t.GetDelivery() == "Reliable" }))
		_, err = l.spaces.CreateNamespace(ctx, &adminpb.NamespaceRequest{Name: "ns" + l.run})
		l.status("create namespace", err)
		_, err = l.spaces.CreateNamespace(ctx, &adminpb.NamespaceRequest{Name: "ns" + l.run})
		l.status("create namespace again", err)
		l.until(func() bool { // what is deleted before it is loaded holds up the broker
			r, err := l.discovery.TopicLookup(ctx, &pb.TopicLookupRequest{Topic: base + "-part-11"})
			return err == nil && r.GetResponseType() == pb.TopicLookupResponse_Connect
		})
		_, err = l.topics.DeleteTopic(ctx, &adminpb.TopicRequest{Name: base + "-part-1"})
		l.status("delete a partition", err)
		_, err = l.topics.DeleteTopic(ctx, &adminpb.TopicRequest{Name: l.topic("undeleted")})
		l.status("delete absent", err)
		_, err = l.topics.DeleteTopic(ctx, &adminpb.TopicRequest{Name: base})
		l.status("delete", err)
		_, err = l.topics.DeleteTopic(ctx, &adminpb.TopicRequest{Name: plain})
		l.status("delete plain", err)
		l.until(func() bool { return l.check(asProd, q.id) == closed && l.check(asProd, p.id) == closed })
		l.log("stream: %s", l.within(x))
		l.status("send", q.trySend("x"))
		l.status("send to partition", p.trySend("x"))
		l.log("%s %s", l.check(asProd, q.id), l.check(asCons, x.id))
		_, err = l.discovery.TopicLookup(ctx, &pb.TopicLookupRequest{Topic: plain})
		l.status("lookup", err)
	}, []string{
		"create: OK",
		`create again: NotFound "already exist"`,
		"[/default/parts_RUN_z-part-0 /default/parts_RUN_z-part-1 /default/parts_RUN_z-part-10 /default/parts_RUN_z-part-11 /default/parts_RUN_z-part-2 /default/parts_RUN_z-part-3 /default/parts_RUN_z-part-4 /default/parts_RUN_z-part-5 /default/parts_RUN_z-part-6 /default/parts_RUN_z-part-7 /default/parts_RUN_z-part-8 /default/parts_RUN_z-part-9]",
		`producer on the base name: AlreadyExists "already exist"`,
		`subscribe to the base name: NotFound "Unable to find the topic"`,
		"create plain: OK",
		`create plain again: NotFound "already exist"`,
		`create bad: NotFound "invalid format"`,
		"/default/plain_RUN_z Reliable",
		"describe absent: OK",
		`"/default/undescribed_RUN_z" "NonReliable" []`,
		"producer on a partition: OK",
		"producer: OK",
		`partition of a plain topic: AlreadyExists "already exist" "non-partitioned topic"`,
		"listed: true",
		"create namespace: OK",
		`create namespace again: NotFound "already exist"`,
		"delete a partition: NotFound",
		"delete absent: NotFound",
		"delete: OK",
		"delete plain: OK",
		"stream: EOF",
		`send: NotFound "The producer with id"`,
		`send to partition: NotFound "The producer with id"`,
		"CLOSE CLOSE",
		`lookup: NotFound "Unable to find the requested topic"`,
	}},

	{"segments", func(l *lab) {
		p := l.ready(l.topic("segments"))
		p.send("0")
		for _, name := range []string{p.topic, l.topic("none"), "bad"} {
			r, err := l.storage.ListSegmentDescriptors(l.t.Context(), &pb.ListSegmentDescriptorsRequest{Topic: name})
			l.status("list", err)
			l.log("%d", len(r.GetSegments()))
		}
	}, []string{"list: OK", "0", "list: OK", "0", "list: OK", "0"}},
}
