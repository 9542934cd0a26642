"""A stateful local world behind the real protocols: GitHub, a cluster with Tekton and Argo CD, Slack
and PagerDuty, all on loopback. The demo and the tests share it; the hub's own path never imports it.
"""
