package main

import (
	"encoding/json"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// kustomize builds a folder as `kubectl apply -k` does.
func kustomize(folder string) ([]json.RawMessage, error) {
	kustomizer := krusty.MakeKustomizer(krusty.MakeDefaultOptions())
	built, err := kustomizer.Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return nil, err
	}
	objects := []json.RawMessage{}
	for _, one := range built.Resources() {
		raw, err := one.MarshalJSON()
		if err != nil {
			return nil, err
		}
		objects = append(objects, raw)
	}
	return objects, nil
}
