# The shop of examples/shop, as a service of one's own would be built. compose.yaml starts it with PostgreSQL or Redis.
FROM node:22-bookworm-slim AS build
WORKDIR /app
COPY . .
RUN npm ci && npm run build && npm prune --omit=dev

FROM node:22-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
# Root's, so that the process cannot change its own code.
COPY --from=build /app ./
USER node
EXPOSE 8443
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
  CMD ["node", "tools/healthcheck.mjs", "https://127.0.0.1:8443/readyz"]
ENTRYPOINT ["node", "examples/shop/dist/shop.js"]
CMD ["--host", "0.0.0.0", "--port", "8443"]
