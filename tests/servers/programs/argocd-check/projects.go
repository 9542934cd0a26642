package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/rbac"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// projects stands for the API server, of which Argo CD's code asks nothing but AppProjects here.
type projects struct {
	client.Client
	known map[string]*v1alpha1.AppProject
}

func knownProjects(raws []json.RawMessage) (projects, error) {
	known := projects{known: map[string]*v1alpha1.AppProject{}}
	for _, raw := range raws {
		one, err := strictly[v1alpha1.AppProject](raw)
		if err != nil {
			return known, err
		}
		known.known[one.Namespace+"/"+one.Name] = one
	}
	return known, nil
}

func (p projects) named(name string) (*v1alpha1.AppProject, error) {
	found := p.known[namespace+"/"+name]
	if found == nil {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "appprojects"}, name)
	}
	return found, nil
}

func (p projects) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	project, wanted := into.(*v1alpha1.AppProject)
	if !wanted || key.Namespace != namespace {
		return fmt.Errorf("there is no %T %s here", into, key)
	}
	found, err := p.named(key.Name)
	if err != nil {
		return err
	}
	found.DeepCopyInto(project)
	return nil
}

type finding struct {
	Object  string `json:"object"`
	Message string `json:"message"`
}

// validate judges AppProjects and the policy in argocd-rbac-cm, as the server does before it takes them.
func validate(asked []byte) (any, error) {
	question, err := strictly[struct {
		Objects []json.RawMessage `json:"objects"`
	}](asked)
	if err != nil {
		return nil, err
	}
	findings := []finding{}
	for _, raw := range question.Objects {
		var header metav1.PartialObjectMetadata
		if err := json.Unmarshal(raw, &header); err != nil {
			return nil, err
		}
		if err := fault(header.Kind, raw); err != nil {
			findings = append(findings, finding{header.Kind + "/" + header.Name, err.Error()})
		}
	}
	return map[string]any{"findings": findings}, nil
}

func fault(kind string, raw json.RawMessage) error {
	switch kind {
	case "AppProject":
		project, err := strictly[v1alpha1.AppProject](raw)
		if err != nil {
			return err
		}
		return project.ValidateProject()
	case "ApplicationSet":
		_, err := strictly[v1alpha1.ApplicationSet](raw)
		return err
	case "ConfigMap":
		policy, err := strictly[corev1.ConfigMap](raw)
		if err != nil {
			return err
		}
		return rbac.ValidatePolicy(rbac.PolicyCSV(policy.Data))
	default:
		return fmt.Errorf("no such kind here: %s", kind)
	}
}

// permission asks whether a project takes a source, a destination, or a kind; what is left out is not asked.
type permission struct {
	Project     string                      `json:"project"`
	Source      *v1alpha1.ApplicationSource `json:"source,omitempty"`
	Destination *struct {
		Name      string `json:"name,omitempty"`
		Server    string `json:"server,omitempty"`
		Namespace string `json:"namespace"`
	} `json:"destination,omitempty"`
	Kind *struct {
		Group      string `json:"group"`
		Kind       string `json:"kind"`
		Name       string `json:"name,omitempty"`
		Namespaced bool   `json:"namespaced"`
	} `json:"kind,omitempty"`
}

func permit(asked []byte) (any, error) {
	question, err := strictly[struct {
		Projects []json.RawMessage `json:"projects"`
		Asks     []permission      `json:"asks"`
	}](asked)
	if err != nil {
		return nil, err
	}
	known, err := knownProjects(question.Projects)
	if err != nil {
		return nil, err
	}
	answers := []bool{}
	for _, ask := range question.Asks {
		project, err := known.named(ask.Project)
		if err != nil {
			return nil, err
		}
		permitted, err := permits(project, ask)
		if err != nil {
			return nil, err
		}
		answers = append(answers, permitted)
	}
	return map[string]any{"answers": answers}, nil
}

func permits(project *v1alpha1.AppProject, ask permission) (bool, error) {
	if ask.Source != nil && !project.IsSourcePermitted(*ask.Source) {
		return false, nil
	}
	if one := ask.Kind; one != nil {
		kind := schema.GroupKind{Group: one.Group, Kind: one.Kind}
		if !project.IsGroupKindNamePermitted(kind, one.Name, one.Namespaced) {
			return false, nil
		}
	}
	if one := ask.Destination; one != nil {
		cluster := &v1alpha1.Cluster{Name: one.Name, Server: one.Server}
		return project.IsDestinationPermitted(cluster, one.Namespace, nil)
	}
	return true, nil
}
