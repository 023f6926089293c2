FROM node:24-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Postgres comes by DATABASE_URL and ffmpeg from Debian: the packages that bring them along stay out.
RUN npm ci --omit=dev --omit=optional

FROM node:24-slim
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ffmpeg \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY package.json ./
COPY migrations ./migrations
COPY src ./src
# LiveKit's egress writes as uid 1001, gid 0, into directories that only their owner may
# change (0755). So whoever deletes segments is that same user.
RUN mkdir -p /buffer /replays node_modules/.cache && chown 1001:0 /buffer /replays node_modules/.cache
USER 1001:0
# So that the first start finds in the compile cache what later ones do (src/compile-cache.js): by the same user, with
# the same options. main.ts has no settings here, says so, and ends.
RUN node --import ./src/compile-cache.js --max-semi-space-size=2 --heap-growing-percent=150 --eval "\
  const { globSync } = await import('node:fs'); \
  const threads = ['src/segment/lander-thread.ts', 'src/capture/clip-writer-thread.ts']; \
  for (const path of [...globSync('migrations/*.ts'), ...threads, 'src/main.ts']) await import('./' + path); \
  process.exitCode = 0"
ENV NODE_ENV=production \
  MALLOC_ARENA_MAX=1 \
  MALLOC_MMAP_THRESHOLD_=262144 \
  HOST=0.0.0.0 \
  PORT=8080 \
  FFMPEG_PATH=/usr/bin/ffmpeg \
  REPLAY_BUFFER_PATH=/buffer \
  REPLAY_EGRESS_PATH=/buffer \
  REPLAY_STORAGE_PATH=/replays
EXPOSE 8080
VOLUME ["/buffer", "/replays"]
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:'+process.env.PORT+'/healthz').then((r)=>process.exit(r.ok?0:1),()=>process.exit(1))"]
# The service handles SIGTERM itself; a second one ends it at once.
# As `npm start`, which docs/sizing.md explains.
CMD ["node", "--import", "./src/compile-cache.js", "--max-semi-space-size=2", "--heap-growing-percent=150", "src/main.ts"]
