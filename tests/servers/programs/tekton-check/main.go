// Command tekton-check runs Tekton's own checks over manifests, and Tekton's own triggers over events.
//
// It reads one JSON object on stdin and writes one on stdout:
//
//	tekton-check validate   {"objects": [...]}                    -> {"findings": [...]}
//	tekton-check trigger    {"objects": [...], "secret": "...",
//	                         "events": [{"header", "body"}]}      -> {"answers": [...]}
//
// What it finds is what the admission webhook and the reconciler would find; it knows no rule itself.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
)

type question struct {
	Objects []json.RawMessage `json:"objects"`
	Secret  string            `json:"secret"`
	Events  []event           `json:"events"`
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: tekton-check validate|trigger")
	}
	var asked question
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(answer(context.Background(), os.Args[1], asked)); err != nil {
		log.Fatal(err)
	}
}

func answer(ctx context.Context, command string, asked question) any {
	switch command {
	case "validate":
		return map[string]any{"findings": validate(ctx, asked.Objects)}
	case "trigger":
		return map[string]any{"answers": trigger(ctx, asked)}
	default:
		log.Fatalf("no such command: %s", command)
		return nil
	}
}
