"""A stateful local world behind the real protocols, all on loopback.

GitHub, a cluster with Tekton and Argo CD, Slack and PagerDuty. The demo and the tests share it; the
hub's own path never imports it.
"""
