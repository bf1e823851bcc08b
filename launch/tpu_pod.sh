#!/usr/bin/env bash
# Starts the same training on every worker of a Google Cloud TPU pod; JAX joins the workers into one program.
# Every worker needs a clone of this repository at the same place, its environment installed, and the run folder on
# storage that all workers share. Ends with the training; run it inside tmux. Started again, the run goes on.
#
#   launch/tpu_pod.sh --name TPU --zone ZONE [--project ID] [--folder CLONE] [--verb VERB] [--config FILE] [--run FOLDER] [--dry-run] [-- OPTIONS]
#
#   --name TPU       name of the TPU VM
#   --zone ZONE      its zone, such as us-east5-b
#   --project ID     its project                         (gcloud's own default)
#   --folder CLONE   the clone on the workers            (oprover_jax, under the home folder)
#   --verb VERB      iterate, cpt, sft or rl             (iterate)
#   --config FILE    the experiment, in the clone        (configs/demo.py)
#   --run FOLDER     where the run is kept, shared       (runs/demo)
#   --dry-run        print the command and do not run it
#   OPTIONS          passed on to oprover
set -euo pipefail
home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=launch/common.sh
source "$home/launch/common.sh"

name='' zone='' project='' folder=oprover_jax
while [[ $# -gt 0 ]]; do
  case $1 in
    --name) name=$(value "$@"); shift 2 ;;
    --zone) zone=$(value "$@"); shift 2 ;;
    --project) project=$(value "$@"); shift 2 ;;
    --folder) folder=$(value "$@"); shift 2 ;;
    --verb) verb=$(verb_of "$@"); shift 2 ;;
    --config) config=$(value "$@"); shift 2 ;;
    --run) run=$(value "$@"); shift 2 ;;
    --dry-run) dry_run=true; shift ;;
    --help | -h) show_help ;;
    --) shift; break ;;
    *) die "unknown option $1; see --help" ;;
  esac
done
[[ -n $name ]] || die "say which TPU with --name"
[[ -n $zone ]] || die "say in which zone it is with --zone"

on_worker="cd $(quoted "$folder") && OPROVER_DISTRIBUTED=tpu .venv/bin/oprover $verb $(quoted --config "$config" --run "$run" "$@")"
where=(--zone "$zone")
[[ -z $project ]] || where+=(--project "$project")
execute gcloud compute tpus tpu-vm ssh "$name" "${where[@]}" --worker=all --command "$on_worker"
