# The image of both processes (and of the one-shot migration): Debian bookworm, whose glibc uWebSockets.js needs, with
# Node 22. Dependencies are installed by the same script as everywhere else, so the image runs what the tests ran, without
# the development packages: no compiler and no test tool stands in front of the internet.
FROM node:22-bookworm-slim
ENV NODE_ENV=production
WORKDIR /sluice
COPY package.json package-lock.json .npmrc ./
COPY scripts/with-runtime.sh scripts/check-install.ts scripts/
RUN sh scripts/with-runtime.sh --omit-dev node --version && npm cache clean --force
COPY drizzle drizzle
COPY gateway gateway
COPY control-plane control-plane
COPY scripts scripts
RUN install -d -o node -g node /data
USER node
EXPOSE 8080 3000
CMD ["sh", "scripts/with-runtime.sh", "--omit-dev", "node", "gateway/main.ts"]
