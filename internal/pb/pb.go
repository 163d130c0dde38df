// Package pb holds the generated wire types of a Danube broker: danubepb (topics,
// producers, consumers), schemapb (the schema registry) and adminpb (the admin
// port). The sources are the .proto files under proto/ at the repository's root.
package pb

//go:generate go -C ../../tools run ./genproto ../proto ../internal/pb
