package main

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/argoproj/argo-cd/v3/applicationset/controllers/template"
	"github.com/argoproj/argo-cd/v3/applicationset/generators"
	"github.com/argoproj/argo-cd/v3/applicationset/utils"
	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	logrus "github.com/sirupsen/logrus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// tree stands for the repo server: the directories of one repository.
type tree []string

func (t tree) GetDirectories(context.Context, string, string, string, bool, *v1alpha1.SourceIntegrity) ([]string, error) {
	return t, nil
}

func (t tree) GetFiles(context.Context, string, string, string, string, bool, *v1alpha1.SourceIntegrity) (map[string][]byte, error) {
	return nil, errors.New("this tree has no files")
}

// generate does what the ApplicationSet controller does before it writes: all generators, then the template.
func generate(asked []byte) (any, error) {
	question, err := strictly[struct {
		ApplicationSet json.RawMessage   `json:"applicationSet"`
		Projects       []json.RawMessage `json:"projects"`
		Directories    tree              `json:"directories"`
	}](asked)
	if err != nil {
		return nil, err
	}
	set, err := strictly[v1alpha1.ApplicationSet](question.ApplicationSet)
	if err != nil {
		return nil, err
	}
	known, err := knownProjects(question.Projects)
	if err != nil {
		return nil, err
	}
	all := generators.GetGenerators(context.Background(), known, nil, namespace, question.Directories, nil, generators.SCMConfig{}, nil)
	entry := logrus.NewEntry(logrus.StandardLogger())
	applications, _, err := template.GenerateApplications(entry, *set, all, &utils.Render{}, known)
	if err != nil {
		return nil, err
	}
	for i := range applications {
		applications[i].TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "Application"}
	}
	return map[string]any{"applications": applications}, nil
}
