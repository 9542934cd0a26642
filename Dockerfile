# The image of Trunkline: Python, what requirements.lock names, the hub, its handlers, and git.
#
# The digest is that of the index (all architectures) which Docker Hub serves as python:3.13-slim, in
# full python:3.13.15-slim-trixie: public build logs and Dockerfiles of September and October 2026 have
# it under both names. To move on, change it here: `docker buildx imagetools inspect python:3.13-slim`.

FROM docker.io/library/python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b AS build

# Wheels only, each by its hash: nothing is compiled, so no build backend runs that no lock covers. For
# the same reason the project is copied and not built.
COPY requirements.lock /build/
RUN python -m venv --without-pip /opt/trunkline
RUN python -m pip --no-cache-dir --python /opt/trunkline/bin/python install --require-hashes --only-binary :all: --requirement /build/requirements.lock
COPY hub /opt/trunkline/lib/python3.13/site-packages/hub
COPY handlers /opt/trunkline/lib/python3.13/site-packages/handlers
RUN printf '#!/opt/trunkline/bin/python\nfrom hub.__main__ import main\n\nmain()\n' > /opt/trunkline/bin/trunkline && chmod 0755 /opt/trunkline/bin/trunkline
RUN /opt/trunkline/bin/python -m compileall -q /opt/trunkline/lib

FROM docker.io/library/python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

# git is what bumps images in the gitops repository. pip has nothing left to do.
RUN apt-get update && apt-get install --yes --no-install-recommends git && rm -rf /var/lib/apt/lists/* && python -m pip uninstall --yes pip
COPY --from=build /opt/trunkline /opt/trunkline
COPY LICENSE /opt/trunkline/LICENSE

# Nobody, and a folder that is nobody's: what is written goes to volumes.
USER 65532:65532
WORKDIR /
ENV PATH=/opt/trunkline/bin:/usr/local/bin:/usr/bin:/bin PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
EXPOSE 8080 9090
ENTRYPOINT ["/opt/trunkline/bin/trunkline"]
CMD ["serve", "--config", "/etc/trunkline/trunkline.yaml"]
