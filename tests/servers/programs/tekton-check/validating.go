package main

import (
	"context"
	"encoding/json"
	"fmt"

	v1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	triggers "github.com/tektoncd/triggers/pkg/apis/triggers/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"knative.dev/pkg/apis"
	"sigs.k8s.io/yaml"
)

type finding struct {
	Object  string `json:"object"`
	Message string `json:"message"`
}

// checked is what admission does with an object: fill in the defaults, then judge it.
type checked interface {
	apis.Defaultable
	apis.Validatable
}

func empty(kind string) checked {
	switch kind {
	case "tekton.dev/v1/Task":
		return &v1.Task{}
	case "tekton.dev/v1/Pipeline":
		return &v1.Pipeline{}
	case "tekton.dev/v1/PipelineRun":
		return &v1.PipelineRun{}
	case "tekton.dev/v1/TaskRun":
		return &v1.TaskRun{}
	case "triggers.tekton.dev/v1beta1/EventListener":
		return &triggers.EventListener{}
	case "triggers.tekton.dev/v1beta1/Trigger":
		return &triggers.Trigger{}
	case "triggers.tekton.dev/v1beta1/TriggerBinding":
		return &triggers.TriggerBinding{}
	case "triggers.tekton.dev/v1beta1/TriggerTemplate":
		return &triggers.TriggerTemplate{}
	default:
		return nil
	}
}

// read takes an object apart strictly: a field that the type does not have is an error.
func read(raw json.RawMessage) (checked, string, error) {
	var header struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
	}
	if err := json.Unmarshal(raw, &header); err != nil {
		return nil, "?", err
	}
	label := header.Kind + "/" + header.Name
	object := empty(header.APIVersion + "/" + header.Kind)
	if object == nil {
		return nil, label, fmt.Errorf("no such kind: %s %s", header.APIVersion, header.Kind)
	}
	return object, label, yaml.UnmarshalStrict(raw, object)
}

func validate(ctx context.Context, objects []json.RawMessage) []finding {
	findings := []finding{}
	add := func(object string, err error) {
		if err != nil {
			findings = append(findings, finding{Object: object, Message: err.Error()})
		}
	}
	known := newCluster()
	for _, raw := range objects {
		object, label, err := read(raw)
		if err != nil {
			add(label, err)
			continue
		}
		object.SetDefaults(ctx)
		if problems := object.Validate(apis.WithinCreate(ctx)); problems != nil {
			add(label, problems)
		}
		add(label, known.put(object))
	}
	known.check(ctx, add)
	return findings
}
