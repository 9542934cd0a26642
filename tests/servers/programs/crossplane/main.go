// Crossplane's own controllers, and its RBAC manager, in one program as Crossplane ships them. Its
// own main package would do, but for the RBAC manager's metrics: those take a fixed port of the machine.
package main

import (
	"github.com/alecthomas/kong"
	"github.com/crossplane/crossplane-runtime/v2/pkg/logging"
	"github.com/crossplane/crossplane/apis/v2"
	"github.com/crossplane/crossplane/v2/cmd/crossplane/core"
	"github.com/crossplane/crossplane/v2/cmd/crossplane/rbac"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	extensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	extensionsv1beta1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1beta1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

type commands struct {
	Core core.Command `cmd:""`
	Rbac rbac.Command `cmd:""`
}

func main() {
	server.DefaultBindAddress = "0"
	said := zap.New()
	controllerruntime.SetLogger(said)
	asked := kong.Parse(
		&commands{},
		core.KongVars,
		kong.BindTo(logging.NewLogrLogger(said), (*logging.Logger)(nil)),
	)
	known := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		scheme.AddToScheme,
		admissionregistrationv1.AddToScheme,
		extensionsv1.AddToScheme,
		extensionsv1beta1.AddToScheme,
		apis.AddToScheme,
	} {
		asked.FatalIfErrorf(add(known))
	}
	asked.FatalIfErrorf(asked.Run(known))
}
