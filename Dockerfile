# syntax=docker/dockerfile:1
# Two stages: build the executable with what package.json pins, then ship it alone on a base that has glibc and
# libgcc and nothing else: no shell, no package manager. Run it with a read-only root; /data is the only place it
# keeps anything, and TMPDIR is where the database engine's native part is unpacked at start.
#
#   docker run --read-only --tmpfs /tmp:exec,mode=1777 -v bsopt:/data -p 127.0.0.1:8080:8080 bsopt

FROM node:22-bookworm-slim AS build
WORKDIR /source
COPY . .
RUN npm run build && mkdir -p /empty

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /source/dist/bsopt /usr/local/bin/bsopt
COPY --from=build --chown=nonroot:nonroot /empty /data
ENV BSOPT_HOST=0.0.0.0 \
    BSOPT_PORT=8080 \
    BSOPT_DATA_DIR=/data \
    TMPDIR=/tmp
USER nonroot
VOLUME ["/data"]
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD ["/usr/local/bin/bsopt", "health"]
ENTRYPOINT ["/usr/local/bin/bsopt"]
CMD ["serve"]
