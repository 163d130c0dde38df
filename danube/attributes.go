package danube

import "google.golang.org/protobuf/encoding/protowire"

// attributesField is the number of StreamMessage.attributes.
const attributesField = 7

// appendAttribute appends one attribute as the wire has it: a map is a list of entries,
// key 1 and value 2. The generated code does the same with some ten allocations for each
// entry, for reasons of reflection; given to it as fields that it does not know, it sends
// them as they are.
func appendAttribute[V string | []byte](b []byte, k string, v V) []byte {
	size := protowire.SizeTag(1) + protowire.SizeBytes(len(k)) + protowire.SizeTag(2) + protowire.SizeBytes(len(v))
	b = protowire.AppendTag(b, attributesField, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(size))
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	b = protowire.AppendString(b, k)
	b = protowire.AppendTag(b, 2, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(len(v)))
	return append(b, v...)
}
