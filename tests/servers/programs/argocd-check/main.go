// Command argocd-check asks Argo CD's own code about our files: it has Argo CD's packages in it.
//
// It reads one JSON object on stdin and writes one on stdout:
//
//	argocd-check validate  {"objects": [...]}                          -> {"findings": [...]}
//	argocd-check generate  {"applicationSet", "projects": [...],
//	                        "directories": [...]}                      -> {"applications": [...]}
//	argocd-check permit    {"projects": [...], "asks": [...]}          -> {"answers": [...]}
//	argocd-check enforce   {"projects": [...], "rbac", "asks": [...]}  -> {"answers": [...]}
//	argocd-check notify    {"configMap", "secret", "applications"}     -> {"answers": [...]}
//	argocd-check health    {"configMap", "objects": [...]}             -> {"answers": [...]}
//
// It knows no rule itself. What it is asked about is read strictly: an unknown field is an error.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	logrus "github.com/sirupsen/logrus"
	kubernetes "sigs.k8s.io/json"
)

const namespace = "argocd"

var commands = map[string]func([]byte) (any, error){
	"validate": validate,
	"generate": generate,
	"permit":   permit,
	"enforce":  enforce,
	"notify":   notify,
	"health":   judge,
}

func main() {
	log.SetFlags(0)
	logrus.SetLevel(logrus.ErrorLevel)
	if len(os.Args) != 2 || commands[os.Args[1]] == nil {
		log.Fatal("usage: argocd-check validate|generate|permit|enforce|notify|health")
	}
	asked, err := io.ReadAll(os.Stdin)
	must(err)
	answer, err := commands[os.Args[1]](asked)
	must(err)
	must(json.NewEncoder(os.Stdout).Encode(answer))
}

// strictly reads one object of Argo CD's or Kubernetes' own type.
func strictly[T any](raw json.RawMessage) (*T, error) {
	one := new(T)
	unknown, err := kubernetes.UnmarshalStrict(raw, one)
	if err = errors.Join(append(unknown, err)...); err != nil {
		return nil, fmt.Errorf("%T: %w", *one, err)
	}
	return one, nil
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
