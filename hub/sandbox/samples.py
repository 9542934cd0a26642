"""The sample platform's files: a service's source, and its part of the gitops repository. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

OWNER = "company"
GITOPS = f"{OWNER}/platform-gitops"
REGISTRY = "registry.company.example"
ENVIRONMENTS = ("dev", "staging", "production")
_TAG_DIGITS = 12

SOURCE: Mapping[str, str] = {
    "README.md": "# A service of the sample platform\n",
    "Dockerfile": """\
FROM eclipse-temurin:21-jre
COPY target/app.jar /app.jar
CMD ["java", "-jar", "/app.jar"]
""",
    "src/main/java/company/Application.java": """\
package company;

public final class Application {
    public static void main(String[] arguments) {
        System.out.println("ready");
    }
}
""",
}
"""The source that every service begins with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What a service runs at first."""

    service: str
    revision: str
    digest: str

    @property
    def image(self) -> str:
        """The image's repository."""
        return image_of(self.service)


def image_of(service: str) -> str:
    """Return the repository that a service's images are pushed to."""
    return f"{REGISTRY}/{OWNER}/{service}"


def gitops_files(release: Release) -> dict[str, str]:
    """Return a service's part of the gitops repository: a base, and an overlay for each stage."""
    root = f"services/{release.service}"
    overlays = {
        f"{root}/overlays/{environment}/kustomization.yaml": _overlay(release, environment)
        for environment in ENVIRONMENTS
    }
    return {
        f"{root}/base/kustomization.yaml": "resources:\n  - deployment.yaml\n",
        f"{root}/base/deployment.yaml": _deployment(release.service),
        **overlays,
    }


def _overlay(release: Release, environment: str) -> str:
    replicas = 3 if environment == "production" else 1
    return f"""\
# {release.service} in {environment}.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: {environment}
resources:
  - ../../base

replicas:
  - name: {release.service}
    count: {replicas}   # see the capacity plan before you change this

images:
  - name: {release.service}
    newName: {release.image}
    newTag: "{release.revision[:_TAG_DIGITS]}"  # kept by Trunkline
    digest: {release.digest}
"""


def _deployment(service: str) -> str:
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {service}
spec:
  selector:
    matchLabels: {{app.kubernetes.io/name: {service}}}
  template:
    metadata:
      labels: {{app.kubernetes.io/name: {service}}}
    spec:
      containers:
        - name: app
          image: {service}
          ports: [{{name: http, containerPort: 8080}}]
"""
