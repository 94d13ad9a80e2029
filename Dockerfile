# syntax=docker/dockerfile:1
# The image of `paceline serve`: Node, and the bundle of src/ and of the packages that it uses (docs/adr/0014). The base is
# the version that the tests ran on (package-lock.json); pin it by digest, or choose another, with --build-arg
# NODE_IMAGE=…@sha256:….
ARG NODE_IMAGE=node:24.21.0-slim

# The bundle, of packages exactly as the lock file has them. No install script runs: none is needed here. JavaScript is the
# same for every platform, so it is built on the builder's own.
FROM --platform=$BUILDPLATFORM ${NODE_IMAGE} AS bundle
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY dev/bundle ./dev/bundle
COPY src ./src
RUN node dev/bundle/main.ts

# The base without its package managers, which a running service has no use for.
FROM ${NODE_IMAGE} AS runtime
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack \
    /usr/local/bin/yarn /usr/local/bin/yarnpkg /opt/yarn-*

# Copied into an empty image, so that what was removed above is in no layer below.
FROM scratch
COPY --from=runtime / /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    NODE_ENV=production
WORKDIR /app
COPY --from=bundle /app/dist ./dist
COPY LICENSE ./
# A number, so that Kubernetes can check runAsNonRoot; nobody in /etc/passwd, so it owns no file.
USER 65532:65532
# What a list of 150,000 pods leaves behind is garbage at once: a smaller nursery (MiB; V8's default is 16) keeps about 100 MiB
# less of it resident, at no cost in time; with 4 too much of it grows old (docs/budgets.md).
ENTRYPOINT ["node", "--max-semi-space-size=8", "dist/main.mjs"]
CMD ["serve"]
