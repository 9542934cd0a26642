// Command check runs Argo CD's own notification engine over our configuration.
//
// For every Application in a folder it evaluates each trigger and renders the templates of those
// that fire, and all templates, into <out>/<application file>/<template>.json; fired.json says which
// triggers fired and what they are remembered by. Trunkline's tests read what it wrote.
//
//	go run . ../argocd-notifications-cm.yaml <folder of Applications> <out>
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/argoproj/notifications-engine/pkg/api"
	"github.com/argoproj/notifications-engine/pkg/templates"
	"github.com/argoproj/notifications-engine/pkg/triggers"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

const service = "trunkline"

type fired struct {
	Trigger  string   `json:"trigger"`
	OncePer  string   `json:"oncePer"`
	Template []string `json:"templates"`
}

type engine struct {
	config    *api.Config
	templates templates.Service
	triggers  triggers.Service
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: check CONFIGMAP APPLICATIONS OUT")
	}
	engine := load(os.Args[1])
	files, err := filepath.Glob(filepath.Join(os.Args[2], "*"))
	must(err)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
		folder := filepath.Join(os.Args[3], name)
		must(os.MkdirAll(folder, 0o755))
		engine.check(read(file), folder)
	}
}

func load(path string) engine {
	var configMap corev1.ConfigMap
	content, err := os.ReadFile(path)
	must(err)
	must(yaml.UnmarshalStrict(content, &configMap))
	secret := &corev1.Secret{Data: map[string][]byte{"trunkline-token": []byte("checked")}}
	config, err := api.ParseConfig(&configMap, secret)
	must(err)
	byTemplate, err := templates.NewService(config.Templates)
	must(err)
	byTrigger, err := triggers.NewService(config.Triggers)
	must(err)
	subscribed := config.GetGlobalDestinations(nil)
	for trigger := range config.Triggers {
		if len(subscribed[trigger]) != 1 || subscribed[trigger][0].Service != service {
			log.Fatalf("nobody is subscribed to %s", trigger)
		}
	}
	if _, err := config.Services[service](); err != nil {
		log.Fatal(err)
	}
	return engine{config: config, templates: byTemplate, triggers: byTrigger}
}

func (e engine) check(app map[string]any, folder string) {
	vars := map[string]any{"app": app, "context": map[string]string{}, "serviceType": "webhook"}
	for name := range e.config.Templates {
		notification, err := e.templates.FormatNotification(vars, name)
		must(err)
		webhook := notification.Webhook[service]
		if webhook.Method != "POST" || !json.Valid([]byte(webhook.Body)) {
			log.Fatalf("%s: %s is not JSON by POST", folder, name)
		}
		write(filepath.Join(folder, name+".json"), []byte(webhook.Body))
	}
	happened := []fired{}
	for name := range e.config.Triggers {
		results, err := e.triggers.Run(name, vars)
		must(err)
		for _, result := range results {
			if result.Triggered {
				happened = append(happened, fired{name, result.OncePer, result.Templates})
			}
		}
	}
	sort.Slice(happened, func(i, j int) bool { return happened[i].Trigger < happened[j].Trigger })
	var summary bytes.Buffer
	encoder := json.NewEncoder(&summary)
	encoder.SetIndent("", "  ")
	must(encoder.Encode(happened))
	write(filepath.Join(folder, "fired.json"), summary.Bytes())
}

func read(file string) map[string]any {
	content, err := os.ReadFile(file)
	must(err)
	app := map[string]any{}
	must(yaml.Unmarshal(content, &app))
	return app
}

func write(file string, content []byte) {
	must(os.WriteFile(file, content, 0o644))
}

func must(err error) {
	if err != nil {
		log.Fatal(fmt.Errorf("check: %w", err))
	}
}
