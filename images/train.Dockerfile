# The image of train and evaluate: Python with TensorFlow, for CPUs or for GPUs. Build it with `make images`.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS packages
ARG VARIANT=cpu
RUN python3 -m venv /opt/venv
COPY images/train-${VARIANT}.lock /train.lock
# The packages' own tests and TensorFlow's C++ headers are of no use here.
RUN /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --require-hashes -r /train.lock \
    && /opt/venv/bin/pip uninstall -q -y pip \
    && find /opt/venv -type d -name tests -prune -exec rm -r {} + \
    && rm -r /opt/venv/lib/python3.*/site-packages/tensorflow/include
COPY images/weights /opt/weights
COPY images/fetch_weights.py /fetch_weights.py
ARG BACKBONES="MobileNetV2 EfficientNetB0 ResNet50 DenseNet121"
RUN /opt/venv/bin/python /fetch_weights.py /opt/weights ${BACKBONES} && chmod -R a+rX /opt/weights

FROM ${BASE}
COPY --from=packages /opt/venv /opt/venv
COPY --from=packages /opt/weights /opt/weights
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    KERAS_HOME=/tmp/.keras \
    PNEUMONIA_BENCHMARK_WEIGHTS=/opt/weights \
    TF_CPP_MIN_LOG_LEVEL=2
WORKDIR /app
COPY components/__init__.py components/console.py components/images.py components/machine.py components/options.py \
    components/parameters.py components/planning.py components/process.py components/retries.py components/roc_auc.py \
    components/source_checks.py components/step.py components/thresholds.py components/
COPY components/artifacts components/artifacts
COPY components/object_stores components/object_stores
COPY components/inference components/inference
COPY components/train components/train
COPY components/evaluate components/evaluate
RUN chmod -R a+rX . && python3 -m compileall -q .
# A cluster that runs containers as non-root wants a number, not a name.
USER 65532:65532

ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="pneumonia-benchmark-train" \
      org.opencontainers.image.description="Train and evaluate of the pneumonia benchmark" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
