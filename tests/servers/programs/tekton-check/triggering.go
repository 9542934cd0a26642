package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"

	triggers "github.com/tektoncd/triggers/pkg/apis/triggers/v1beta1"
	"github.com/tektoncd/triggers/pkg/interceptors/cel"
	"github.com/tektoncd/triggers/pkg/interceptors/github"
	"github.com/tektoncd/triggers/pkg/template"
)

type event struct {
	Header map[string][]string `json:"header"`
	Body   string              `json:"body"`
}

// outcome is what one trigger of a listener does about an event: objects, or why there are none.
type outcome struct {
	Trigger string            `json:"trigger"`
	Refused string            `json:"refused,omitempty"`
	Objects []json.RawMessage `json:"objects,omitempty"`
}

// oneSecret stands for the API server: every reference to a secret leads to this.
type oneSecret string

func (s oneSecret) Get(context.Context, string, *triggers.SecretRef) ([]byte, error) {
	return []byte(s), nil
}

// sink is an EventListener with what it refers to.
type sink struct {
	secret    oneSecret
	listeners []*triggers.EventListener
	bindings  map[string]*triggers.TriggerBinding
	templates map[string]*triggers.TriggerTemplate
}

func trigger(ctx context.Context, asked question) [][]outcome {
	there := gather(ctx, asked)
	answers := [][]outcome{}
	for _, one := range asked.Events {
		outcomes := []outcome{}
		for _, listener := range there.listeners {
			for _, each := range listener.Spec.Triggers {
				outcomes = append(outcomes, there.run(ctx, listener.Namespace, each, one))
			}
		}
		answers = append(answers, outcomes)
	}
	return answers
}

func gather(ctx context.Context, asked question) sink {
	there := sink{
		secret:    oneSecret(asked.Secret),
		bindings:  map[string]*triggers.TriggerBinding{},
		templates: map[string]*triggers.TriggerTemplate{},
	}
	for _, raw := range asked.Objects {
		object, label, err := read(raw)
		if err != nil {
			log.Fatalf("%s: %v", label, err)
		}
		object.SetDefaults(ctx)
		switch one := object.(type) {
		case *triggers.EventListener:
			there.listeners = append(there.listeners, one)
		case *triggers.TriggerBinding:
			there.bindings[one.Name] = one
		case *triggers.TriggerTemplate:
			there.templates[one.Name] = one
		}
	}
	return there
}

func (s sink) run(ctx context.Context, namespace string, one triggers.EventListenerTrigger, sent event) outcome {
	extensions := map[string]any{}
	for _, each := range one.Interceptors {
		answer := s.ask(ctx, namespace, one.Name, each, sent, extensions)
		if !answer.Continue {
			return outcome{Trigger: one.Name, Refused: answer.Status.Message}
		}
		for key, value := range answer.Extensions {
			extensions[key] = value
		}
	}
	objects, err := s.render(one, sent, extensions)
	if err != nil {
		return outcome{Trigger: one.Name, Refused: err.Error()}
	}
	return outcome{Trigger: one.Name, Objects: objects}
}

func (s sink) ask(ctx context.Context, namespace, name string, one *triggers.EventInterceptor, sent event, extensions map[string]any) *triggers.InterceptorResponse {
	params := map[string]any{}
	for _, param := range one.Params {
		params[param.Name] = param.Value
	}
	request := &triggers.InterceptorRequest{
		Body: sent.Body, Header: sent.Header, Extensions: extensions, InterceptorParams: params,
		Context: &triggers.TriggerContext{
			TriggerID: fmt.Sprintf("namespaces/%s/triggers/%s", namespace, name),
		},
	}
	switch one.Ref.Name {
	case "github":
		return github.NewInterceptor(s.secret).Process(ctx, request)
	case "cel":
		return cel.NewInterceptor(s.secret).Process(ctx, request)
	default:
		log.Fatalf("no such interceptor: %s", one.Ref.Name)
		return nil
	}
}

func (s sink) render(one triggers.EventListenerTrigger, sent event, extensions map[string]any) ([]json.RawMessage, error) {
	spec := triggers.Trigger{Spec: triggers.TriggerSpec{Bindings: one.Bindings, Template: *one.Template}}
	resolved, err := template.ResolveTrigger(spec, s.binding, noClusterBinding, s.template)
	if err != nil {
		return nil, err
	}
	header := http.Header(sent.Header)
	params, err := template.ResolveParams(resolved, []byte(sent.Body), header, extensions, template.NewTriggerContext("1"))
	if err != nil {
		return nil, err
	}
	return template.ResolveResources(resolved.TriggerTemplate, params), nil
}

func (s sink) binding(name string) (*triggers.TriggerBinding, error) {
	return found(s.bindings, name)
}

func (s sink) template(name string) (*triggers.TriggerTemplate, error) {
	return found(s.templates, name)
}

func noClusterBinding(name string) (*triggers.ClusterTriggerBinding, error) {
	return nil, fmt.Errorf("there is no ClusterTriggerBinding %s", name)
}

func found[T any](there map[string]*T, name string) (*T, error) {
	one := there[name]
	if one == nil {
		return nil, fmt.Errorf("there is no %s", name)
	}
	return one, nil
}
