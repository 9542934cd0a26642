package main

import (
	"context"
	"encoding/json"

	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/argo-cd/v3/util/settings"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/fake"
)

// judge says how healthy objects are, by the scripts in argocd-cm and those that Argo CD has itself.
func judge(asked []byte) (any, error) {
	question, err := strictly[struct {
		ConfigMap json.RawMessage  `json:"configMap"`
		Objects   []map[string]any `json:"objects"`
	}](asked)
	if err != nil {
		return nil, err
	}
	configMap, err := strictly[corev1.ConfigMap](question.ConfigMap)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	manager := settings.NewSettingsManager(ctx, fake.NewClientset(configMap), namespace)
	overrides, err := manager.GetResourceOverrides()
	if err != nil {
		return nil, err
	}
	answers := []any{}
	for _, object := range question.Objects {
		health, err := lua.ResourceHealthOverrides(overrides).GetResourceHealth(&unstructured.Unstructured{Object: object})
		if err != nil {
			return nil, err
		}
		answers = append(answers, health)
	}
	return map[string]any{"answers": answers}, nil
}
