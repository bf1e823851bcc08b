# shellcheck shell=bash disable=SC2034
# Shared by the scripts of this folder: sourced, not run.

dry_run=false
verb=iterate
config=configs/demo.py
run=runs/demo

die() {
  echo "$(basename "$0"): $1" >&2
  exit 2
}

# value OPTION [VALUE]: the value of an option. Call it in a plain assignment: only there does its failure end the script.
value() {
  [[ $# -ge 2 && -n $2 ]] || die "$1 needs a value; see --help"
  printf '%s' "$2"
}

# verb_of [VALUE]: what oprover is to do, checked.
verb_of() {
  local given
  given=$(value "$@") || exit 2
  [[ $given =~ ^(iterate|cpt|sft|rl)$ ]] || die "$given is nothing to launch; choose iterate, cpt, sft or rl"
  printf '%s' "$given"
}

# The comment block at the top of the calling script is its help.
show_help() {
  sed -n '2,/^set /{/^#/{s/^# \{0,1\}//;p}}' "$0"
  exit 0
}

# Words quoted so that a shell reads them back as they are.
quoted() {
  local words
  printf -v words '%q ' "$@"
  printf '%s' "${words% }"
}

# Runs a command, or prints it if this is a dry run.
execute() {
  if [[ $dry_run == true ]]; then
    quoted "$@"
    echo
  else
    exec "$@"
  fi
}
