"""A stateful local world behind the real protocols, all on loopback.

GitHub, a cluster with Tekton and Argo CD, Slack and PagerDuty. The demo and the tests share it; the
hub's own path never imports it.

- `world`       owns and starts everything, with a sample platform (`samples`) in it; writes the
                settings of a hub that lives there (`installation`, `credentials`)
- `faults`      how any part is told to fail
- `github`      REST, webhooks, pull requests, over real repositories (`repository`, `history`,
                `fast_import`, `git`) that `git_http` serves
- `kubernetes`  the store and the API server for PipelineRuns and Applications
- `tekton`      takes PipelineRuns to their end, and sends CloudEvents
- `argocd`      follows the gitops repository, and sends notifications
- `slack`, `pagerduty`

`loopback`, `background`, `clock` and `pace` are what these have in common.
"""
