package main

import (
	"encoding/json"

	applister "github.com/argoproj/argo-cd/v3/pkg/client/listers/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/server/rbacpolicy"
	"github.com/argoproj/argo-cd/v3/util/assets"
	"github.com/argoproj/argo-cd/v3/util/rbac"
	"github.com/golang-jwt/jwt/v5"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/yaml"
)

// request is what somebody with these groups would do.
type request struct {
	Subject  string   `json:"subject"`
	Groups   []string `json:"groups"`
	Resource string   `json:"resource"`
	Action   string   `json:"action"`
	Object   string   `json:"object"`
}

func enforce(asked []byte) (any, error) {
	question, err := strictly[struct {
		Projects []json.RawMessage `json:"projects"`
		RBAC     json.RawMessage   `json:"rbac"`
		Asks     []request         `json:"asks"`
	}](asked)
	if err != nil {
		return nil, err
	}
	settings, err := strictly[corev1.ConfigMap](question.RBAC)
	if err != nil {
		return nil, err
	}
	known, err := knownProjects(question.Projects)
	if err != nil {
		return nil, err
	}
	enforcer, err := server(settings.Data, known)
	if err != nil {
		return nil, err
	}
	answers := []bool{}
	for _, ask := range question.Asks {
		claims := jwt.MapClaims{"sub": ask.Subject, "groups": ask.Groups}
		answers = append(answers, enforcer.Enforce(claims, ask.Resource, ask.Action, ask.Object))
	}
	return map[string]any{"answers": answers}, nil
}

// server sets Argo CD's enforcer up as its API server does, with the built-in policy.
func server(data map[string]string, known projects) (*rbac.Enforcer, error) {
	index := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	for _, project := range known.known {
		if err := index.Add(project); err != nil {
			return nil, err
		}
	}
	enforcer := rbac.NewEnforcer(nil, namespace, "argocd-rbac-cm", nil)
	policy := rbacpolicy.NewRBACPolicyEnforcer(enforcer, lister(index))
	scopes := []string{}
	if err := yaml.Unmarshal([]byte(data[rbac.ConfigMapScopesKey]), &scopes); err != nil {
		return nil, err
	}
	if len(scopes) > 0 {
		policy.SetScopes(scopes)
	}
	enforcer.SetClaimsEnforcerFunc(policy.EnforceClaims)
	enforcer.SetDefaultRole(data[rbac.ConfigMapPolicyDefaultKey])
	enforcer.SetMatchMode(data[rbac.ConfigMapMatchModeKey])
	if err := enforcer.SetBuiltinPolicy(assets.BuiltinPolicyCSV); err != nil {
		return nil, err
	}
	return enforcer, enforcer.SetUserPolicy(rbac.PolicyCSV(data))
}

func lister(index cache.Indexer) applister.AppProjectNamespaceLister {
	return applister.NewAppProjectLister(index).AppProjects(namespace)
}
