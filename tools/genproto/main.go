// Command genproto writes the Go code of the .proto files under proto/ into
// internal/pb. It needs nothing but Go: the compiler and both plugins are pinned
// in this module. Run it from the repository's root as
//
//	go generate ./internal/pb
//
// The wire fixes the protobuf package names (danube, danube_schema,
// danube_admin), and another Danube client linked into the same program uses the
// same ones. protobuf-go panics at start when two packages register one name, so
// the generated code is changed to register into a registry of its own.
package main

import (
	"bytes"
	"context"
	"fmt"
	"go/format"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/pluginpb"
)

const module = "github.com/danube-messaging/danube-connect-go"

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: genproto PROTO_DIR OUT_DIR")
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		log.Fatalf("genproto: %v", err)
	}
}

func run(protoDir, outDir string) error {
	paths, err := filepath.Glob(filepath.Join(protoDir, "*", "*.proto"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		rel, err := filepath.Rel(protoDir, path)
		if err != nil {
			return err
		}
		req, err := request(protoDir, filepath.ToSlash(rel))
		if err != nil {
			return err
		}
		for _, plugin := range []string{"protoc-gen-go", "protoc-gen-go-grpc"} {
			if err := generate(plugin, req, outDir); err != nil {
				return err
			}
		}
	}
	return nil
}

// request compiles one file, with its comments, into what a protoc plugin reads.
func request(protoDir, name string) ([]byte, error) {
	compiler := protocompile.Compiler{
		Resolver:       &protocompile.SourceResolver{ImportPaths: []string{protoDir}},
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	files, err := compiler.Compile(context.Background(), name)
	if err != nil {
		return nil, err
	}
	req := &pluginpb.CodeGeneratorRequest{
		FileToGenerate: []string{name},
		Parameter:      proto.String("module=" + module + "/internal/pb"),
	}
	for _, f := range files {
		req.ProtoFile = append(req.ProtoFile, protoutil.ProtoFromFileDescriptor(f))
	}
	return proto.Marshal(req)
}

func generate(plugin string, req []byte, outDir string) error {
	cmd := exec.Command("go", "tool", plugin)
	cmd.Stdin = bytes.NewReader(req)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w", plugin, err)
	}
	var resp pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(out, &resp); err != nil {
		return fmt.Errorf("%s: %w", plugin, err)
	}
	if resp.Error != nil {
		return fmt.Errorf("%s: %s", plugin, resp.GetError())
	}
	for _, f := range resp.File {
		text, err := ownRegistry(f.GetContent())
		if err != nil {
			return fmt.Errorf("%s: %w", f.GetName(), err)
		}
		formatted, err := format.Source([]byte(text))
		if err != nil {
			return fmt.Errorf("%s: %w", f.GetName(), err)
		}
		path := filepath.Join(outDir, f.GetName())
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, formatted, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// ownRegistry makes the messages of one generated file register privately.
func ownRegistry(text string) (string, error) {
	const anchor = "\tout := protoimpl.TypeBuilder{\n\t\tFile: protoimpl.DescBuilder{\n"
	if !strings.Contains(text, "protoimpl.TypeBuilder") {
		return text, nil // the gRPC half registers nothing
	}
	if strings.Count(text, anchor) != 1 {
		return "", fmt.Errorf("the generator's output has changed: %q not found once", anchor)
	}
	text = strings.Replace(text, anchor, "\tout := protoimpl.TypeBuilder{\n"+
		"\t\tTypeRegistry: new(protoregistry.Types),\n"+
		"\t\tFile: protoimpl.DescBuilder{\n"+
		"\t\t\tFileRegistry: new(protoregistry.Files),\n", 1)
	return strings.Replace(text, "\tprotoreflect \"google.golang.org/protobuf/reflect/protoreflect\"\n",
		"\tprotoreflect \"google.golang.org/protobuf/reflect/protoreflect\"\n"+
			"\tprotoregistry \"google.golang.org/protobuf/reflect/protoregistry\"\n", 1), nil
}
