#!/usr/bin/env bash
# Starts a training job on every worker of a Google Cloud TPU pod; JAX connects the workers.
# Every worker needs a clone of this repository at the same path with its environment installed; the run folder must be
# on storage shared by all workers. The script runs until training ends; use tmux. Run the same command again to resume.
#
#   launch/tpu_pod.sh --name TPU --zone ZONE [--project ID] [--folder CLONE] --verb VERB --config FILE --run FOLDER [--dry-run] [-- OPTIONS]
#
#   --name TPU       name of the TPU VM
#   --zone ZONE      zone of the TPU VM, such as us-east5-b
#   --project ID     Google Cloud project                (default: gcloud's)
#   --folder CLONE   path of the clone on the workers    (default: oprover_jax, in the home folder)
#   --verb VERB      cpt, sft or rl
#   --config FILE    configuration file in the clone
#   --run FOLDER     run folder on shared storage
#   --dry-run        print the command without running it
#   OPTIONS          passed to oprover VERB
set -euo pipefail
home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=launch/common.sh
source "$home/launch/common.sh"
# shellcheck disable=SC2034 # verb_of reads verbs; iterate runs on one host only
verbs='cpt|sft|rl' verb='' config='' run=''

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
[[ -n $name ]] || die "--name is required; give the name of the TPU VM"
[[ -n $zone ]] || die "--zone is required; give the zone of the TPU VM"

for option in verb config run; do
  [[ -n ${!option} ]] || die "--$option is required; see --help"
done

on_worker="cd $(quoted "$folder") && OPROVER_DISTRIBUTED=tpu .venv/bin/oprover $verb $(quoted --config "$config" --run "$run" "$@")"
where=(--zone "$zone")
[[ -z $project ]] || where+=(--project "$project")
execute gcloud compute tpus tpu-vm ssh "$name" "${where[@]}" --worker=all --command "$on_worker"
