#!/usr/bin/env bash
# A Kubeflow on this machine, in Docker, and the benchmark on it.
#
#   images/kind/kind.sh up      a kind cluster, Kubeflow Pipelines in it, the images loaded
#   images/kind/kind.sh run     compiles for CPUs, submits, waits, fetches the report; further words go to submit run
#   images/kind/kind.sh down    removes the cluster
#
# Every command can be given again after it failed. DRY_RUN=1 prints the commands instead of running them.
# Settings, by environment: CLUSTER, KFP_VERSION, DOCKER, PYTHON, PORT (of Kubeflow on this machine).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

CLUSTER="${CLUSTER:-pneumonia-benchmark}"
KFP_VERSION="${KFP_VERSION:-2.17.0}"
DOCKER="${DOCKER:-docker}"
PYTHON="${PYTHON:-.venv/bin/python}"
PORT="${PORT:-8080}"
STORE_PORT=$((PORT + 1))
OUTPUT=runs/kind
CONTEXT="kind-$CLUSTER"
MANIFESTS=https://github.com/kubeflow/pipelines/manifests/kustomize
# Service of the object store, since Kubeflow Pipelines 2.16; before, it was minio-service.
STORE=seaweedfs
GIGABYTES=12

say() { printf 'kind: %s\n' "$*"; }

fail() {
  printf 'kind: error: %s\n' "$*" >&2
  exit 2
}

# Prints a command and runs it, unless DRY_RUN is set.
do_() {
  printf '+'
  printf ' %q' "$@"
  printf '\n'
  [ -n "${DRY_RUN:-}" ] || "$@"
}

kubectl_() { do_ kubectl --context "$CONTEXT" "$@"; }

# Names everything that is missing at once, before anything is started.
check() {
  [ -z "${DRY_RUN:-}" ] || return 0
  local missing=()
  for program in "$DOCKER" kind kubectl git; do
    command -v "$program" >/dev/null || missing+=("$program")
  done
  [ "${#missing[@]}" -eq 0 ] || fail "missing: ${missing[*]}. Install them (kind: https://kind.sigs.k8s.io, kubectl: https://kubernetes.io/docs/tasks/tools), then run this again."
  "$DOCKER" info >/dev/null 2>&1 || fail "Docker does not answer: start it, then run this again."
  [ -x "$PYTHON" ] || fail "there is no $PYTHON: run make images first, which sets it up."
  local memory
  memory=$("$DOCKER" info --format '{{.MemTotal}}')
  [ "$memory" -ge $((GIGABYTES * 1000000000)) ] ||
    say "Docker has $((memory / 1000000000)) GB of memory; Kubeflow and a training want $GIGABYTES."
}

exists() { kind get clusters 2>/dev/null | grep -qx "$CLUSTER"; }

need_cluster() {
  [ -n "${DRY_RUN:-}" ] || exists || fail "there is no cluster $CLUSTER: run make kind-up first."
}

up() {
  check
  if [ -z "${DRY_RUN:-}" ] && exists; then
    say "the cluster $CLUSTER is there already"
  else
    do_ kind create cluster --name "$CLUSTER" --wait 180s
  fi
  kubectl_ apply -k "$MANIFESTS/cluster-scoped-resources?ref=$KFP_VERSION"
  kubectl_ wait --for condition=established --timeout 120s crd/applications.app.k8s.io
  kubectl_ apply -k "$MANIFESTS/env/platform-agnostic?ref=$KFP_VERSION"
  do_ make images "DOCKER=$DOCKER" GPU=0
  local image
  "$PYTHON" -m images.build --names | while read -r image; do
    do_ kind load docker-image "$image" --name "$CLUSTER"
  done
  say "waiting for Kubeflow Pipelines, which takes some minutes the first time"
  kubectl_ wait --namespace kubeflow --for condition=available --timeout 20m deployment --all
  say "ready: make kind-run"
}

# Forwards a port of a service in the cluster to this machine until the script ends.
forward() {
  local command=(kubectl --context "$CONTEXT" --namespace kubeflow port-forward "service/$1" "$2")
  printf '+ %s &\n' "${command[*]}"
  [ -z "${DRY_RUN:-}" ] || return 0
  "${command[@]}" >/dev/null &
  for _ in $(seq 60); do
    (exec 3<>"/dev/tcp/127.0.0.1/${2%%:*}") 2>/dev/null && return 0
    # kubectl ends at once where there is no such service.
    kill -0 "$!" 2>/dev/null || break
    sleep 1
  done
  fail "$1 does not answer: see kubectl --context $CONTEXT --namespace kubeflow get pods, or choose another PORT."
}

run() {
  check
  need_cluster
  trap 'jobs -p | xargs -r kill 2>/dev/null || true' EXIT
  forward ml-pipeline-ui "$PORT:80"
  # The images are in the cluster already; four trainings of one processor each fit on a small machine.
  do_ "$PYTHON" compile.py --gpus 0 --pull-policy Never --cpu 500m train=1 --cpu-limit 2 --memory 1G train=2G evaluate=2G \
    --output build/kind
  do_ "$PYTHON" -m pipelines.submit run --host "http://127.0.0.1:$PORT" --yaml build/kind/pneumonia_benchmark.yaml \
    --wait --set weights=bundled --set synthetic_images=400 --set epochs=4 "$@" || {
    code=$?
    say "if its task Compare has succeeded, the report is there, as its output report"
    exit "$code"
  }
  forward "$STORE" "$STORE_PORT:9000"
  do_ "$PYTHON" -m images.kind.fetch_report --store "http://127.0.0.1:$STORE_PORT" --context "$CONTEXT" --output "$OUTPUT"
  say "to look at Kubeflow's pages: kubectl --context $CONTEXT --namespace kubeflow port-forward service/ml-pipeline-ui $PORT:80, then http://127.0.0.1:$PORT"
}

down() {
  check
  if [ -z "${DRY_RUN:-}" ] && ! exists; then
    say "there is no cluster $CLUSTER"
  else
    do_ kind delete cluster --name "$CLUSTER"
  fi
}

case "${1:-}" in
up) up ;;
run)
  shift
  run "$@"
  ;;
down) down ;;
*)
  sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
  exit 2
  ;;
esac
