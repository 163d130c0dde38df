package danubetest_test

import (
	adminpb "github.com/danube-messaging/danube-connect-go/internal/pb/adminpb"
	"github.com/danube-messaging/danube-connect-go/internal/pb/schemapb"
)

// schemaScenarios are about the schema registry.
var schemaScenarios = []scenario{
	{name: "registry: versions", run: func(l *lab) {
		s := newSchemaLab(l)
		const a, b = `{"type":"record","name":"A","fields":[{"name":"x","type":"int"}]}`, `{"type":"record","name":"A","fields":[]}`
		name := "versions" + l.run
		s.register("versions", "Avro", a)
		s.register("versions", "avro", " "+a)
		s.register("versions", "avro", b)
		s.register("versions", "avro", `{"type":"record","name":"B","fields":[]}`)
		s.register("versions", "json", `{}`)
		s.register("versions", "avro", `{"type":"nope"}`)
		s.register("versions", "avro", `{"type":"record","name":"a b","fields":[]}`)
		s.register("versions", "json", `{"type":"nope"}`)
		s.register("versions", "xml", "")
		get := func(what string, id uint64, version *uint32) {
			r, err := l.schemas.GetSchema(s.ctx, &schemapb.GetSchemaRequest{SchemaId: id, Version: version})
			s.show(what, r, err)
		}
		latest := func(what, name string) {
			r, err := l.schemas.GetLatestSchema(s.ctx, &schemapb.GetLatestSchemaRequest{Subject: name})
			s.show(what, r, err)
		}
		list := func(name string) {
			r, err := l.schemas.ListVersions(s.ctx, &schemapb.ListVersionsRequest{Subject: name})
			s.exact("list", err)
			for _, v := range r.GetVersions() {
				l.log("listed %d by %s %q, same id %t, %s", v.GetVersion(), v.GetCreatedBy(), v.GetDescription(), v.GetSchemaId() == s.ids["versions"], v.GetFingerprint())
			}
		}
		one, two, three := uint32(1), uint32(2), uint32(3)
		get("no version", s.ids["versions"], nil)
		get("version 1", s.ids["versions"], &one)
		get("version 3", s.ids["versions"], &three)
		get("no such id", 1<<60, nil)
		latest("latest", name)
		latest("no such subject", "none"+l.run)
		list(name)
		list("none" + l.run)
		for _, n := range []uint32{2, 2, 9} {
			r, err := l.schemas.DeleteSchemaVersion(s.ctx, &schemapb.DeleteSchemaVersionRequest{Subject: name, Version: n})
			s.exact(r.GetMessage(), err)
		}
		list(name)
		get("deleted", s.ids["versions"], &two)
		get("deleted, no version", s.ids["versions"], nil)
		latest("deleted, latest", name)
		s.register("versions", "avro", b)
		s.register("versions", "avro", `{"type":"record","name":"A","fields":[],"doc":"another"}`)
		subjects, err := l.schemas.ListSubjects(s.ctx, &schemapb.ListSubjectsRequest{})
		must(l.t, err)
		for _, u := range subjects.GetSubjects() {
			if u.GetSubject() == name {
				l.log("subject %s version %d %s %v", u.GetSchemaType(), u.GetLatestVersion(), u.GetCompatibilityMode(), u.GetTags())
			}
		}
	}, want: []string{
		`register Avro {"type":"record","name":"A","fields":[{"name":"x","type":"int"}]}: version 1, new true, same id true, sha256:f24db19bee072aad005c798abc3d89d9e3d283d40a106bfaed2680fdcaacedef`,
		`register avro  {"type":"record","name":"A","fields":[{"name":"x","type":"int"}]}: version 1, new false, same id true, sha256:f24db19bee072aad005c798abc3d89d9e3d283d40a106bfaed2680fdcaacedef`,
		`register avro {"type":"record","name":"A","fields":[]}: version 2, new true, same id true, sha256:533bf2aeda21069d17fda88bde291dc8f31c47c9d6076aba1e485be61878223a`,
		`register avro {"type":"record","name":"B","fields":[]}: Internal "Failed to register schema: Schema is not compatible with subject 'versionsRUN' (mode: Backward): Reader schema cannot read data written with writer schema"`,
		`register json {}: Internal "Failed to register schema: Schema is not compatible with subject 'versionsRUN' (mode: Backward): Schema types must match (cannot change from Avro to JSON, etc.)"`,
		`register avro {"type":"nope"}: Internal "Failed to register schema: Invalid Avro schema: Unknown primitive type: nope"`,
		`register avro {"type":"record","name":"a b","fields":[]}: Canceled "stream terminated by RST_STREAM with error code: CANCEL"`,
		`register json {"type":"nope"}: Internal "Failed to register schema: Invalid JSON Schema: \"nope\" is not valid under any of the schemas listed in the 'anyOf' keyword"`,
		`register xml : Internal "Failed to register schema: Unknown schema type: xml"`,
		`no version: version 2 avro {"Avro":{"raw_schema":"{\"type\":\"record\",\"name\":\"A\",\"fields\":[]}","fingerprint":"sha256:533bf2aeda21069d17fda88bde291dc8f31c47c9d6076aba1e485be61878223a"}}, me [b a] "d", fresh true, backward`,
		`version 1: version 1 avro {"Avro":{"raw_schema":"{\"type\":\"record\",\"name\":\"A\",\"fields\":[{\"name\":\"x\",\"type\":\"int\"}]}","fingerprint":"sha256:f24db19bee072aad005c798abc3d89d9e3d283d40a106bfaed2680fdcaacedef"}}, me [b a] "d", fresh true, backward`,
		`version 3: NotFound "Schema not found for ID: ID"`,
		`no such id: NotFound "Schema not found for ID: 1152921504606846976"`,
		`latest: version 2 avro {"Avro":{"raw_schema":"{\"type\":\"record\",\"name\":\"A\",\"fields\":[]}","fingerprint":"sha256:533bf2aeda21069d17fda88bde291dc8f31c47c9d6076aba1e485be61878223a"}}, me [b a] "d", fresh true, backward`,
		`no such subject: NotFound "Schema not found for subject: noneRUN"`,
		`list: OK`,
		`listed 1 by me "d", same id true, sha256:f24db19bee072aad005c798abc3d89d9e3d283d40a106bfaed2680fdcaacedef`,
		`listed 2 by me "d", same id true, sha256:533bf2aeda21069d17fda88bde291dc8f31c47c9d6076aba1e485be61878223a`,
		`list: NotFound "Subject not found: noneRUN"`,
		`Deleted version 2 for subject versionsRUN: OK`,
		`Deleted version 2 for subject versionsRUN: OK`,
		`Deleted version 9 for subject versionsRUN: OK`,
		`list: OK`,
		`listed 1 by me "d", same id true, sha256:f24db19bee072aad005c798abc3d89d9e3d283d40a106bfaed2680fdcaacedef`,
		`deleted: NotFound "Schema not found for ID: ID"`,
		`deleted, no version: version 2 avro {"Avro":{"raw_schema":"{\"type\":\"record\",\"name\":\"A\",\"fields\":[]}","fingerprint":"sha256:533bf2aeda21069d17fda88bde291dc8f31c47c9d6076aba1e485be61878223a"}}, me [b a] "d", fresh true, backward`,
		`deleted, latest: version 2 avro {"Avro":{"raw_schema":"{\"type\":\"record\",\"name\":\"A\",\"fields\":[]}","fingerprint":"sha256:533bf2aeda21069d17fda88bde291dc8f31c47c9d6076aba1e485be61878223a"}}, me [b a] "d", fresh true, backward`,
		`register avro {"type":"record","name":"A","fields":[]}: version 2, new false, same id true, sha256:533bf2aeda21069d17fda88bde291dc8f31c47c9d6076aba1e485be61878223a`,
		`register avro {"type":"record","name":"A","fields":[],"doc":"another"}: version 3, new true, same id true, sha256:1e53427e07cdad032e540c9be584aae1be36a8e33837207c9e6fae61fe91140d`,
		`subject avro version 3 backward [b a]`,
	}},

	{name: "registry: compatibility", run: func(l *lab) {
		s := newSchemaLab(l)
		name := "compatible" + l.run
		mode := func(name, mode string) {
			r, err := l.schemas.SetCompatibilityMode(s.ctx, &schemapb.SetCompatibilityModeRequest{Subject: name, CompatibilityMode: mode})
			s.exact("mode "+mode+": "+r.GetMessage(), err)
		}
		check := func(name, kind, def, mode string) {
			req := &schemapb.CheckCompatibilityRequest{Subject: name, SchemaType: kind, NewSchemaDefinition: []byte(def)}
			if mode != "" {
				req.CompatibilityMode = &mode
			}
			r, err := l.schemas.CheckCompatibility(s.ctx, req)
			if err != nil {
				s.exact("check", err)
				return
			}
			l.log("check %s %s under %q: %t %q", kind, def, mode, r.GetIsCompatible(), r.GetErrors())
		}
		mode(name, "full")
		mode(name, "nope")
		check(name, "json", "{}", "")
		s.register("compatible", "json", `{"properties":{"a":{"type":"string"}},"required":["a"]}`)
		for _, def := range []string{"{}", `{"required":["a","b"]}`, `{"properties":{"a":{"type":"integer"}}}`} {
			for _, m := range []string{"", "forward", "FULL", "none", "nope"} {
				check(name, "json", def, m)
			}
		}
		check(name, "json", "[", "none")
		check(name, "avro", `"int"`, "")
		mode(name, "Full")
		s.register("compatible", "json", `{"properties":{"a":{"type":"string"}},"required":["a","b"]}`)
		mode(name, "NONE")
		s.register("compatible", "avro", `"int"`)
		check(name, "avro", `"string"`, "backward")
		check(name, "avro", `["null","string"]`, "full")
	}, want: []string{
		`mode full: : Internal "Failed to set compatibility mode: Schema metadata not found for subject: compatibleRUN"`,
		`mode nope: : InvalidArgument "Invalid compatibility mode: nope"`,
		`check: Internal "Failed to check compatibility: Schema metadata not found for subject: compatibleRUN"`,
		`register json {"properties":{"a":{"type":"string"}},"required":["a"]}: version 1, new true, same id true, sha256:7270d3947f61d6053200a04dff1a2c0983704076a1d1c1a9f4cabe8ce801a118`,
		`check json {} under "": false ["Backward incompatible: removed required field 'a'"]`,
		`check json {} under "forward": true []`,
		`check json {} under "FULL": false ["Backward incompatible: removed required field 'a'"]`,
		`check json {} under "none": true []`,
		`check json {} under "nope": false ["Backward incompatible: removed required field 'a'"]`,
		`check json {"required":["a","b"]} under "": false ["Backward incompatible: removed required field 'a'"]`,
		`check json {"required":["a","b"]} under "forward": false ["Forward incompatible: added new required field 'b'"]`,
		`check json {"required":["a","b"]} under "FULL": false ["Backward incompatible: removed required field 'a'"]`,
		`check json {"required":["a","b"]} under "none": true []`,
		`check json {"required":["a","b"]} under "nope": false ["Backward incompatible: removed required field 'a'"]`,
		`check json {"properties":{"a":{"type":"integer"}}} under "": false ["Backward incompatible: changed type of field 'a'"]`,
		`check json {"properties":{"a":{"type":"integer"}}} under "forward": false ["Forward incompatible: changed type of field 'a'"]`,
		`check json {"properties":{"a":{"type":"integer"}}} under "FULL": false ["Backward incompatible: changed type of field 'a'"]`,
		`check json {"properties":{"a":{"type":"integer"}}} under "none": true []`,
		`check json {"properties":{"a":{"type":"integer"}}} under "nope": false ["Backward incompatible: changed type of field 'a'"]`,
		`check: Internal "Failed to check compatibility: Invalid JSON in schema"`,
		`check avro "int" under "": false ["Schema types must match (cannot change from Avro to JSON, etc.)"]`,
		`mode Full: Set compatibility mode to Full for subject compatibleRUN: OK`,
		`register json {"properties":{"a":{"type":"string"}},"required":["a","b"]}: Internal "Failed to register schema: Schema is not compatible with subject 'compatibleRUN' (mode: Full): Forward incompatible: added new required field 'b'"`,
		`mode NONE: Set compatibility mode to NONE for subject compatibleRUN: OK`,
		`register avro "int": version 2, new true, same id true, sha256:3f2b87a9fe7cc9b13835598c3981cd45e3e355309e5090aa0933d7becb6fba45`,
		`check avro "string" under "backward": false ["Reader schema cannot read data written with writer schema"]`,
		`check avro ["null","string"] under "full": true []`,
	}},

	{name: "registry: producers and topics", run: func(l *lab) {
		s := newSchemaLab(l)
		s.register("str", "string", "")
		s.register("other", "string", "")
		str, other, missing := "str"+l.run, "other"+l.run, "missing"+l.run
		topic := l.topic("schemed")
		s.config(topic)
		s.create("create", topic, missing)
		l.until(func() bool {
			_, err := l.schemas.GetTopicSchemaConfig(s.ctx, &schemapb.GetTopicSchemaConfigRequest{TopicName: topic})
			return err == nil
		})
		s.config(topic)
		s.create("unregistered", topic, missing)
		s.create("no subject", topic, "")
		p := s.create("str", topic, str)
		s.create("str again", topic, str)
		s.create("other", topic, other)
		s.ids["nobody's"] = 1 << 50
		for _, policy := range []string{"", "WARN", "enforce", "none"} {
			if policy != "" {
				s.update(topic, policy, true)
			}
			s.config(topic)
			s.send(p, "", 0, "a")
			s.send(p, "nobody's", 1, "a")
			s.send(p, "other", 1, "a")
			s.send(p, "str", 1, "ok")
			s.send(p, "str", 7, "ok")
			s.send(p, "str", 1, "\xff")
		}
		s.update(topic, "nope", true)

		bare := l.topic("bare")
		q := l.ready(bare)
		s.update(bare, "enforce", false)
		s.config(bare)
		s.send(q, "str", 1, "a")
		s.configure(bare, missing, "warn", true)
		s.configure(bare, str, "nope", true)
		s.configure(bare, str, "Enforce", true)
		s.configure(l.topic("nowhere"), str, "warn", true)
		s.update(l.topic("nowhere"), "warn", true)
		s.send(q, "str", 7, "the first of all")
		s.send(q, "str", 1, "a")
		s.configure(bare, other, "warn", false)
		s.config(bare)
		s.send(q, "other", 1, "\xff")
		if l.topics == nil {
			return
		}
		s.describe(topic)
		s.describe(bare)
		named := l.topic("named")
		_, err := l.topics.CreateTopic(s.ctx, &adminpb.NewTopicRequest{Name: named, SchemaSubject: &str, DispatchStrategy: adminpb.DispatchStrategy_Reliable})
		must(l.t, err)
		l.ready(named)
		s.config(named)
		s.describe(named)
		_, err = l.schemas.DeleteSchemaVersion(s.ctx, &schemapb.DeleteSchemaVersionRequest{Subject: str, Version: 1})
		must(l.t, err)
		s.describe(named)
	}, want: []string{
		`register string : version 1, new true, same id true, string`,
		`register string : version 1, new true, same id true, string`,
		`config: NotFound "Topic '/default/schemed_RUN_z' not found on this broker"`,
		`create: Unavailable "The topic metadata was created, need to redo the lookup to find the correct broker"`,
		`config: "" warn false, id 0`,
		`unregistered: FailedPrecondition "Failed to assign schema 'missingRUN' to topic '/default/schemed_RUN_z': Schema subject 'missingRUN' not found in registry. Please register schema first.. Ensure schema is registered first."`,
		`no subject: FailedPrecondition "Failed to assign schema '' to topic '/default/schemed_RUN_z': Schema subject '' not found in registry. Please register schema first.. Ensure schema is registered first."`,
		`str: OK`,
		`str again: OK`,
		`other: FailedPrecondition "Topic '/default/schemed_RUN_z' uses schema subject 'strRUN', cannot use 'otherRUN'. Only admin can change topic schema."`,
		`config: "strRUN" warn false, id 0`,
		`send "a" with "" 0: OK`,
		`send "a" with "nobody's" 1: PermissionDenied "Unable to publish the message: Schema ID 1125899906842624 not found in registry"`,
		`send "a" with "other" 1: OK`,
		`send "ok" with "str" 1: OK`,
		`send "ok" with "str" 7: OK`,
		`send "\xff" with "str" 1: OK`,
		`update: Validation policy updated to 'Warn', payload validation enabled: OK`,
		`config: "strRUN" warn true, id 0`,
		`send "a" with "" 0: OK`,
		`send "a" with "nobody's" 1: PermissionDenied "Unable to publish the message: Schema ID 1125899906842624 not found in registry"`,
		`send "a" with "other" 1: OK`,
		`send "ok" with "str" 1: OK`,
		`send "ok" with "str" 7: OK`,
		`send "\xff" with "str" 1: PermissionDenied "Unable to publish the message: Payload validation failed: Invalid UTF-8 string"`,
		`update: Validation policy updated to 'Enforce', payload validation enabled: OK`,
		`config: "strRUN" enforce true, id 0`,
		`send "a" with "" 0: PermissionDenied "Unable to publish the message: Message missing schema_id for topic /default/schemed_RUN_z (expected subject: strRUN)"`,
		`send "a" with "nobody's" 1: PermissionDenied "Unable to publish the message: Schema ID 1125899906842624 not found in registry"`,
		`send "a" with "other" 1: PermissionDenied "Unable to publish the message: Schema subject mismatch for topic /default/schemed_RUN_z: message schema_id=ID(other) belongs to subject 'otherRUN', but topic requires 'strRUN'"`,
		`send "ok" with "str" 1: OK`,
		`send "ok" with "str" 7: OK`,
		`send "\xff" with "str" 1: PermissionDenied "Unable to publish the message: Payload validation failed: Invalid UTF-8 string"`,
		`update: Validation policy updated to 'None', payload validation enabled: OK`,
		`config: "strRUN" none true, id 0`,
		`send "a" with "" 0: OK`,
		`send "a" with "nobody's" 1: OK`,
		`send "a" with "other" 1: OK`,
		`send "ok" with "str" 1: OK`,
		`send "ok" with "str" 7: OK`,
		`send "\xff" with "str" 1: OK`,
		`update: : InvalidArgument "Invalid validation policy: 'nope'. Must be 'none', 'warn', or 'enforce'"`,
		`update: : FailedPrecondition "Topic '/default/bare_RUN_z' has no schema subject configured. Use ConfigureTopicSchema first."`,
		`config: "" enforce false, id 0`,
		`send "a" with "str" 1: PermissionDenied "Unable to publish the message: Topic /default/bare_RUN_z requires schema but none is configured"`,
		`configure: : NotFound "Schema subject 'missingRUN' not found in registry: Schema metadata not found for subject: missingRUN"`,
		`configure: : InvalidArgument "Invalid validation policy: 'nope'. Must be 'none', 'warn', or 'enforce'"`,
		`configure: Topic '/default/bare_RUN_z' configured with schema 'strRUN', validation policy 'Enforce', payload validation enabled: OK`,
		`configure: : NotFound "Topic '/default/nowhere_RUN_z' not found on this broker"`,
		`update: : NotFound "Topic '/default/nowhere_RUN_z' not found on this broker"`,
		`send "the first of all" with "str" 7: PermissionDenied "Unable to publish the message: Schema version not found: strRUN/7 - Schema version 7 not found for subject: strRUN"`,
		`send "a" with "str" 1: PermissionDenied "Unable to publish the message: Schema version not found: strRUN/7 - Schema version 7 not found for subject: strRUN"`,
		`configure: Topic '/default/bare_RUN_z' configured with schema 'otherRUN', validation policy 'Warn', payload validation disabled: OK`,
		`config: "otherRUN" warn false, id 0`,
		`send "\xff" with "other" 1: OK`,
		`described "missingRUN", id false, 0 "" ""`,
		`described "", id false, 0 "" ""`,
		`config: "" warn false, id 0`,
		`described "strRUN", id true, 1 "string" "BACKWARD"`,
		`described "strRUN", id false, 0 "" ""`,
	}},

	{name: "registry: payloads", run: func(l *lab) {
		s := newSchemaLab(l)
		for _, tt := range []struct {
			kind, def string
			payloads  []string
		}{
			{"number", "", []string{"abc", "abcd", "12345678"}},
			{"avro", `"int"`, []string{"\x02", "", "Obj\x01\x02\x16avro.schema\x0a\"int\"\x00ssssssssssssssss\x02\x02\x02ssssssssssssssss"}},
			{"json", `{"properties":{"a":{"type":"integer"}},"required":["a"]}`, []string{"{", `{"a":1}`, `{"a":"x"}`, "{}"}},
			{"bytes", "", []string{"\xff"}},
			{"protobuf", "message A {}", []string{"x"}},
		} {
			topic := l.topic("payload_" + tt.kind)
			s.register(tt.kind, tt.kind, tt.def)
			p := l.ready(topic)
			s.configure(topic, tt.kind+l.run, "warn", true)
			for _, payload := range tt.payloads {
				s.send(p, tt.kind, 1, payload)
			}
		}
	}, want: []string{
		`register number : version 1, new true, same id true, number`,
		`configure: Topic '/default/payload_number_RUN_z' configured with schema 'numberRUN', validation policy 'Warn', payload validation enabled: OK`,
		`send "abc" with "number" 1: PermissionDenied "Unable to publish the message: Payload validation failed: Invalid number: expected 4 or 8 bytes, got 3"`,
		`send "abcd" with "number" 1: OK`,
		`send "12345678" with "number" 1: OK`,
		`register avro "int": version 1, new true, same id true, sha256:3f2b87a9fe7cc9b13835598c3981cd45e3e355309e5090aa0933d7becb6fba45`,
		`configure: Topic '/default/payload_avro_RUN_z' configured with schema 'avroRUN', validation policy 'Warn', payload validation enabled: OK`,
		`send "\x02" with "avro" 1: PermissionDenied "Unable to publish the message: Payload validation failed: Avro validation failed"`,
		`send "" with "avro" 1: PermissionDenied "Unable to publish the message: Payload validation failed: Avro validation failed"`,
		`send "Obj\x01\x02\x16avro.schema\n\"int\"\x00ssssssssssssssss\x02\x02\x02ssssssssssssssss" with "avro" 1: OK`,
		`register json {"properties":{"a":{"type":"integer"}},"required":["a"]}: version 1, new true, same id true, sha256:a3bdc8a399d50b3b4c344105dbcebf27cdfbf476c7b291a20744eade822bc516`,
		`configure: Topic '/default/payload_json_RUN_z' configured with schema 'jsonRUN', validation policy 'Warn', payload validation enabled: OK`,
		`send "{" with "json" 1: PermissionDenied "Unable to publish the message: Payload validation failed: Invalid JSON data"`,
		`send "{\"a\":1}" with "json" 1: OK`,
		`send "{\"a\":\"x\"}" with "json" 1: PermissionDenied "Unable to publish the message: Payload validation failed: JSON Schema validation failed"`,
		`send "{}" with "json" 1: PermissionDenied "Unable to publish the message: Payload validation failed: JSON Schema validation failed"`,
		`register bytes : version 1, new true, same id true, bytes`,
		`configure: Topic '/default/payload_bytes_RUN_z' configured with schema 'bytesRUN', validation policy 'Warn', payload validation enabled: OK`,
		`send "\xff" with "bytes" 1: OK`,
		`register protobuf message A {}: version 1, new true, same id true, sha256:01bada784b983e0f09ea158194eeff54ca02865f86574f01e407b663f4198277`,
		`configure: Topic '/default/payload_protobuf_RUN_z' configured with schema 'protobufRUN', validation policy 'Warn', payload validation enabled: OK`,
		`send "x" with "protobuf" 1: Canceled "stream terminated by RST_STREAM with error code: CANCEL"`,
	}},
}
