package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"

	service "github.com/argoproj/argo-cd/v3/util/notification/argocd"
	"github.com/argoproj/argo-cd/v3/util/notification/settings"
	"github.com/argoproj/notifications-engine/pkg/api"
	"github.com/argoproj/notifications-engine/pkg/services"
	"github.com/argoproj/notifications-engine/pkg/templates"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// nobody stands for what templates could ask of repositories and projects.
type nobody struct{ service.Service }

func (nobody) GetAppProject(context.Context, string) (*unstructured.Unstructured, error) {
	return nil, errors.New("no project is known here")
}

type fired struct {
	Trigger   string   `json:"trigger"`
	OncePer   string   `json:"oncePer"`
	Templates []string `json:"templates"`
	To        []string `json:"to"`
}

// told is what would be said of an Application: what has fired, and every template rendered.
type told struct {
	Fired    []fired                                            `json:"fired"`
	Rendered map[string]map[string]services.WebhookNotification `json:"rendered"`
}

// engine is Argo CD's notification engine, with the variables that Argo CD gives it.
type engine struct {
	api       api.API
	config    api.Config
	vars      api.GetVars
	templates templates.Service
}

type about struct {
	ConfigMap    json.RawMessage   `json:"configMap"`
	Secret       map[string]string `json:"secret"`
	Applications []map[string]any  `json:"applications"`
}

func notify(asked []byte) (any, error) {
	question, engine, err := load(asked)
	if err != nil {
		return nil, err
	}
	answers := []told{}
	for _, application := range question.Applications {
		one, err := engine.tell(application)
		if err != nil {
			return nil, err
		}
		answers = append(answers, one)
	}
	return map[string]any{"answers": answers}, nil
}

func load(asked []byte) (*about, *engine, error) {
	question, err := strictly[about](asked)
	if err != nil {
		return nil, nil, err
	}
	configMap, err := strictly[corev1.ConfigMap](question.ConfigMap)
	if err != nil {
		return nil, nil, err
	}
	secret := &corev1.Secret{Data: map[string][]byte{}}
	for name, value := range question.Secret {
		secret.Data[name] = []byte(value)
	}
	config, err := api.ParseConfig(configMap, secret)
	if err != nil {
		return nil, nil, err
	}
	factory := settings.GetFactorySettings(nobody{}, "argocd-notifications-secret", "argocd-notifications-cm", false)
	vars, err := factory.InitGetVars(config, configMap, secret)
	if err != nil {
		return nil, nil, err
	}
	made, err := api.NewAPI(*config, vars)
	if err != nil {
		return nil, nil, err
	}
	formats, err := templates.NewService(config.Templates)
	return question, &engine{api: made, config: *config, vars: vars, templates: formats}, err
}

func (e *engine) run(application map[string]any) ([]fired, error) {
	happened := []fired{}
	one := unstructured.Unstructured{Object: application}
	destinations := e.config.GetGlobalDestinations(one.GetLabels())
	for name := range e.config.Triggers {
		results, err := e.api.RunTrigger(name, application)
		if err != nil {
			return nil, err
		}
		for _, result := range results {
			if result.Triggered {
				happened = append(happened, fired{name, result.OncePer, result.Templates, names(destinations[name])})
			}
		}
	}
	sort.Slice(happened, func(i, j int) bool { return happened[i].Trigger < happened[j].Trigger })
	return happened, nil
}

func names(destinations []services.Destination) []string {
	said := []string{}
	for _, one := range destinations {
		said = append(said, one.Service)
	}
	return said
}

func (e *engine) tell(application map[string]any) (told, error) {
	happened, err := e.run(application)
	if err != nil {
		return told{}, err
	}
	rendered := map[string]map[string]services.WebhookNotification{}
	for name := range e.config.Templates {
		notification, err := e.templates.FormatNotification(e.vars(application, services.Destination{}), name)
		if err != nil {
			return told{}, fmt.Errorf("%s: %w", name, err)
		}
		rendered[name] = notification.Webhook
	}
	return told{Fired: happened, Rendered: rendered}, nil
}
