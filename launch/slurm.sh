#!/usr/bin/env bash
# Submits a training to Slurm, one task per GPU; JAX joins the tasks into one program.
# The clone, with its environment installed, and the run folder must lie on storage that all nodes share. A job that is
# killed at its time limit or preempted is put back into the queue and goes on where it was.
#
#   launch/slurm.sh [--nodes N] [--gpus N] [--cpus N] [--time LIMIT] [--partition NAME] [--account NAME]
#                   [--verb VERB] [--config FILE] [--run FOLDER] [--dry-run] [-- OPTIONS]
#
#   --nodes N         nodes                               (1)
#   --gpus N          GPUs of each node                   (8)
#   --cpus N          cores for each GPU, Lean included   (8)
#   --time LIMIT      time limit of one job               (24:00:00)
#   --partition NAME  partition                           (the cluster's default)
#   --account NAME    account                             (the cluster's default)
#   --verb VERB       iterate, cpt, sft or rl             (iterate)
#   --config FILE     the experiment                      (configs/demo.py)
#   --run FOLDER      where the run is kept               (runs/demo)
#   --dry-run         print the command and do not run it
#   OPTIONS           passed on to oprover
set -euo pipefail
home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=launch/common.sh
source "$home/launch/common.sh"

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
for number in "$nodes" "$gpus" "$cpus"; do
  [[ $number =~ ^[1-9][0-9]*$ ]] || die "$number is no number of nodes, GPUs or cores"
done

cd "$home"
[[ -f $config ]] || die "there is no configuration $config in $home"
execute sbatch --job-name=oprover --nodes="$nodes" --ntasks-per-node="$gpus" --gpus-per-node="$gpus" --cpus-per-task="$cpus" \
  --time="$limit" --requeue --open-mode=append --output="slurm-%j.log" "${where[@]}" --chdir="$home" \
  --wrap "OPROVER_DISTRIBUTED=slurm srun --kill-on-bad-exit .venv/bin/oprover $verb $(quoted --config "$config" --run "$run" "$@")"
