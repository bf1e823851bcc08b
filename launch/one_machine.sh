#!/usr/bin/env bash
# Trains a prover on all devices of this machine. Run the same command again to resume.
#
#   launch/one_machine.sh [--verb VERB] [--config FILE] [--run FOLDER] [--dry-run] [-- OPTIONS]
#
#   --verb VERB      iterate, cpt, sft or rl             (default: iterate)
#   --config FILE    configuration file                  (default: configs/demo.py)
#   --run FOLDER     run folder                          (default: runs/demo)
#   --dry-run        print the command without running it
#   OPTIONS          passed to oprover VERB
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
[[ -f $config ]] || die "--config: $config does not exist in $home"
program=.venv/bin/oprover
[[ -x $program ]] || program=oprover
execute "$program" "$verb" --config "$config" --run "$run" "$@"
