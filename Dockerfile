# Two images from one file: `runtime` is the product, `sandbox` the synthetic EHR for the demo.
#   docker build -t smart-bff .
#   docker build -t smart-bff-sandbox --target sandbox .
# Any image with Node 26 and glibc will do: --build-arg NODE_IMAGE=registry.example/node:26
ARG NODE_IMAGE=node:26.10.0-slim

# Everything that builds. Install scripts stay off: the only one would fetch a second Node.
FROM ${NODE_IMAGE} AS build
WORKDIR /smart-bff
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --loglevel=error
COPY tsconfig.json ./
COPY config config
COPY src src
COPY views views
RUN npm run --silent build && npm run --silent sbom > sbom.json

# What runs in production, without development dependencies.
FROM ${NODE_IMAGE} AS packages
WORKDIR /smart-bff
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts --loglevel=error

# The sandbox EHR: never part of the product's image.
FROM build AS sandbox
USER 1000:1000
EXPOSE 9000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9000/fhir/r4/metadata').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "src/sandbox/main.ts", "--host=0.0.0.0"]

FROM ${NODE_IMAGE} AS runtime
LABEL org.opencontainers.image.title="smart-bff" \
  org.opencontainers.image.description="The server half of a SMART on FHIR app" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.version="0.1.0"
ENV NODE_ENV=production
WORKDIR /smart-bff
COPY package.json LICENSE ./
COPY --from=packages /smart-bff/node_modules node_modules
COPY --from=build /smart-bff/dist dist
# What is in the image, CycloneDX.
COPY --from=build /smart-bff/sbom.json ./
COPY views views
# The staff site shows them.
COPY docs docs
# The only folder it writes to; everything else may be read-only. A mounted volume must belong to 1000:1000 as well.
RUN install -d -o 1000 -g 1000 -m 0700 /var/lib/smart-bff/audit
VOLUME /var/lib/smart-bff/audit
USER 1000:1000
EXPOSE 3000 3001
# Liveness alone: a slow store must not restart the container. /readyz is for the load balancer. SMART_BFF_HEALTH_URL names
# another address, as where the listener has TLS: whose certificate it is does not matter to somebody who asks himself.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["node", "-e", "const url = process.env.SMART_BFF_HEALTH_URL ?? 'http://127.0.0.1:3001/healthz'; require(url.startsWith('https:') ? 'node:https' : 'node:http').get(url, { rejectUnauthorized: false }, (r) => process.exit(r.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
# Node is process 1: it takes SIGTERM and SIGHUP from the first moment, and starts no processes that it would have to reap.
STOPSIGNAL SIGTERM
CMD ["node", "dist/main.js", "serve"]
