# The image of ingest, preprocess, compare, check and record: Python without TensorFlow. Build it with `make images`.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS packages
RUN python3 -m venv /opt/venv
COPY images/data.lock /data.lock
# The packages' own tests are a fifth of their size, and all but two codecs nine tenths of imagecodecs. Of AWS only S3 and
# what its credentials come from is used, and no step imports Kubernetes' client, which kfp's own client needs.
RUN /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --require-hashes -r /data.lock \
    && /opt/venv/bin/pip uninstall -q -y pip setuptools \
    && find /opt/venv -type d -name tests -prune -exec rm -r {} + \
    && find /opt/venv -type f \( -name '*.c' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.pyi' \) -delete \
    && find /opt/venv -type d -path '*/kubernetes/*' -name __pycache__ -prune -exec rm -r {} + \
    && find /opt/venv/lib/python3.*/site-packages/botocore/data -mindepth 1 -maxdepth 1 -type d ! -name s3 ! -name sts \
      ! -name 'sso*' ! -name signin -exec rm -r {} + \
    && find /opt/venv/lib/python3.*/site-packages/imagecodecs* -name '*.so*' ! -name '_ljpeg.*' ! -name '_jpegls.*' \
      ! -name '_shared*' ! -name 'libcharls*' -delete

FROM ${BASE}
COPY --from=packages /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib
WORKDIR /app
COPY components/__init__.py components/console.py components/images.py components/machine.py components/options.py \
    components/parameters.py components/planning.py components/process.py components/retries.py components/roc_auc.py \
    components/source_checks.py components/step.py components/thresholds.py components/
COPY components/artifacts components/artifacts
COPY components/object_stores components/object_stores
COPY components/imaging components/imaging
COPY components/ingest components/ingest
COPY components/preprocess components/preprocess
COPY components/compare components/compare
COPY components/check components/check
COPY components/record components/record
COPY components/look components/look
COPY components/tracking components/tracking
COPY components/gate components/gate
COPY components/trend components/trend
RUN chmod -R a+rX . && python3 -m compileall -q .
# A cluster that runs containers as non-root wants a number, not a name.
USER 65532:65532

ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="pneumonia-benchmark-data" \
      org.opencontainers.image.description="Ingest, preprocess, compare, check and record of the pneumonia benchmark" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
