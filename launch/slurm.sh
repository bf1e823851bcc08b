#!/usr/bin/env bash
# Submits a training job to Slurm, one task per GPU; JAX connects the tasks.
# The repository, with its environment installed, and the run folder must be on storage shared by all nodes. A job that
# is preempted or reaches its time limit is requeued and resumes.
#
#   launch/slurm.sh [--nodes N] [--gpus N] [--cpus N] [--time LIMIT] [--partition NAME] [--account NAME]
#                   --verb VERB --config FILE --run FOLDER [--dry-run] [-- OPTIONS]
#
#   --nodes N         number of nodes                     (default: 1)
#   --gpus N          GPUs per node                       (default: 8)
#   --cpus N          CPU cores per GPU, including Lean   (default: 8)
#   --time LIMIT      time limit of the job               (default: 24:00:00)
#   --partition NAME  partition                           (default: the cluster's)
#   --account NAME    account                             (default: the cluster's)
#   --verb VERB       cpt, sft or rl
#   --config FILE     configuration file
#   --run FOLDER      run folder
#   --dry-run         print the command without running it
#   OPTIONS           passed to oprover VERB
set -euo pipefail
home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=launch/common.sh
source "$home/launch/common.sh"
# shellcheck disable=SC2034 # verb_of reads verbs; iterate runs on one host only
verbs='cpt|sft|rl' verb='' config='' run=''

nodes=1 gpus=8 cpus=8 limit=24:00:00 where=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --nodes) nodes=$(value "$@"); shift 2 ;;
    --gpus) gpus=$(value "$@"); shift 2 ;;
    --cpus) cpus=$(value "$@"); shift 2 ;;
    --time) limit=$(value "$@"); shift 2 ;;
    --partition | --account) given=$(value "$@"); where+=("$1=$given"); shift 2 ;;
    --verb) verb=$(verb_of "$@"); shift 2 ;;
    --config) config=$(value "$@"); shift 2 ;;
    --run) run=$(value "$@"); shift 2 ;;
    --dry-run) dry_run=true; shift ;;
    --help | -h) show_help ;;
    --) shift; break ;;
    *) die "unknown option $1; see --help" ;;
  esac
done
for option in verb config run; do
  [[ -n ${!option} ]] || die "--$option is required; see --help"
done
for option in nodes gpus cpus; do
  [[ ${!option} =~ ^[1-9][0-9]*$ ]] || die "--$option is '${!option}'; it must be a positive integer"
done

cd "$home"
[[ -f $config ]] || die "--config: $config does not exist in $home"
execute sbatch --job-name=oprover --nodes="$nodes" --ntasks-per-node="$gpus" --gpus-per-node="$gpus" --cpus-per-task="$cpus" \
  --time="$limit" --requeue --open-mode=append --output="slurm-%j.log" "${where[@]}" --chdir="$home" \
  --wrap "OPROVER_DISTRIBUTED=slurm srun --kill-on-bad-exit --cpus-per-task=$cpus .venv/bin/oprover $verb $(quoted --config "$config" --run "$run" "$@")"
