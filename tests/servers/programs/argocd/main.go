// Command argocd is Argo CD's own controllers, and the Redis that they share, in one binary:
//
//	argocd repo-server|application-controller|applicationset-controller|notifications-controller FLAGS
//	argocd redis HOST:PORT
//
// It has nothing of its own but the choice.
package main

import (
	"log"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/alicebob/miniredis/v2"
	controller "github.com/argoproj/argo-cd/v3/cmd/argocd-application-controller/commands"
	sets "github.com/argoproj/argo-cd/v3/cmd/argocd-applicationset-controller/commands"
	notifications "github.com/argoproj/argo-cd/v3/cmd/argocd-notification/commands"
	repositories "github.com/argoproj/argo-cd/v3/cmd/argocd-repo-server/commands"
	"github.com/spf13/cobra"
)

var commands = map[string]func() *cobra.Command{
	"repo-server":               repositories.NewCommand,
	"application-controller":    controller.NewCommand,
	"applicationset-controller": sets.NewCommand,
	"notifications-controller":  notifications.NewCommand,
	"redis":                     redis,
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		log.Fatalf("usage: argocd %s ...", strings.Join(slices.Sorted(maps.Keys(commands)), "|"))
	}
	command := commands[os.Args[1]]()
	command.SetArgs(os.Args[2:])
	if err := command.Execute(); err != nil {
		log.Fatal(err)
	}
}

func redis() *cobra.Command {
	return &cobra.Command{
		Use:  "redis HOST:PORT",
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			server := miniredis.NewMiniRedis()
			if err := server.StartAddr(args[0]); err != nil {
				return err
			}
			defer server.Close()
			ended := make(chan os.Signal, 1)
			signal.Notify(ended, syscall.SIGTERM, os.Interrupt)
			log.Printf("redis listens on %s", server.Addr())
			<-ended
			return nil
		},
	}
}
