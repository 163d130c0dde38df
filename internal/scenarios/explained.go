package scenarios

// Explained are the differences between danubetest and the real broker that are left,
// each with its reason. One that matches nothing any more is an error.
var Explained = []Explanation{
	{
		Scenario: "unimplemented", Line: `(danubetest: the admin service, on the port for clients: OK|real: the admin service, on the port for clients: ErrUnsupported Unimplemented)`,
		Reason: "danubetest has all services on one port, so that one address is enough for a test",
	},
	{
		Scenario: "unimplemented-without-a-token", Line: `(danubetest: .*NoSuchMethod: Unimplemented|real: .*NoSuchMethod: Unauthenticated .*)`,
		Reason: "under danubetest is grpc-go, which says that a service has no such method before anybody can ask for a token",
	},
}
