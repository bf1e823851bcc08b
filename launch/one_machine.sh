#!/usr/bin/env bash
# Trains a prover on this machine, with all its devices. Started again, it goes on where it was.
#
#   launch/one_machine.sh [--verb VERB] [--config FILE] [--run FOLDER] [--dry-run] [-- OPTIONS OF oprover VERB]
#
#   --verb VERB      iterate, cpt, sft or rl             (iterate)
#   --config FILE    the experiment                      (configs/demo.py)
#   --run FOLDER     where the run is kept               (runs/demo)
#   --dry-run        print the command and do not run it
set -euo pipefail
home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=launch/common.sh
source "$home/launch/common.sh"

while [[ $# -gt 0 ]]; do
  case $1 in
    --verb) verb=$(verb_of "$@"); shift 2 ;;
    --config) config=$(value "$@"); shift 2 ;;
    --run) run=$(value "$@"); shift 2 ;;
    --dry-run) dry_run=true; shift ;;
    --help | -h) show_help ;;
    --) shift; break ;;
    *) die "unknown option $1; see --help" ;;
  esac
done

cd "$home"
[[ -f $config ]] || die "there is no configuration $config in $home"
program=.venv/bin/oprover
[[ -x $program ]] || program=oprover
execute "$program" "$verb" --config "$config" --run "$run" "$@"
