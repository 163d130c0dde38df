package connect

import "strings"

// TopicPolicy is what a source does with a record for a topic that it did not declare
// with [ProducerConfigurer].
type TopicPolicy string

const (
	// TopicsAuto is refuse for a source that declares its topics, else create. The empty
	// policy is the same.
	TopicsAuto TopicPolicy = "auto"
	// TopicsCreate opens a topic when the first record names it, and creates it where it
	// does not exist. Names that come from data make a topic each, which brokers keep.
	TopicsCreate TopicPolicy = "create"
	// TopicsRefuse makes the record invalid data, for on_error. Without a declaration,
	// destination_topic is the only topic.
	TopicsRefuse TopicPolicy = "refuse"
)

const expectedTopicPolicies = "expected auto, create or refuse"

func parseTopicPolicy(s string) (TopicPolicy, bool) {
	p := TopicPolicy(strings.ToLower(s))
	return p, p == TopicsAuto || p == TopicsCreate || p == TopicsRefuse
}

// refusesTopics resolves TopicsAuto.
func (c Config) refusesTopics(declared bool) bool {
	return c.UndeclaredTopics == TopicsRefuse || declared && c.UndeclaredTopics != TopicsCreate
}
