# One image; the command picks the program (python -m services.auth, python -m gateway, ...).
FROM python:3.11-slim-bookworm AS build
COPY requirements/prod.txt /tmp/prod.txt
RUN python -m venv /opt/bulkhead \
 && /opt/bulkhead/bin/pip install --no-cache-dir --require-hashes -r /tmp/prod.txt

FROM python:3.11-slim-bookworm
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
