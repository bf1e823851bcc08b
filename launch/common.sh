# shellcheck shell=bash disable=SC2034
# Shared by the scripts in this folder; to be sourced, not executed.

dry_run=false
verbs='iterate|cpt|sft|rl'
verb=iterate
config=configs/demo.py
run=runs/demo

die() {
  echo "$(basename "$0"): $1" >&2
  exit 2
}

# value OPTION [VALUE]: prints the value of an option. Call it in a plain assignment; only there does its failure end the script.
value() {
  [[ $# -ge 2 && -n $2 ]] || die "$1 needs a value; see --help"
  printf '%s' "$2"
}

# verb_of OPTION [VALUE]: prints the verb after checking it.
verb_of() {
  local given
  given=$(value "$@") || exit 2
  [[ $given =~ ^($verbs)$ ]] || die "unknown verb '$given'; expected one of: ${verbs//|/, }"
  printf '%s' "$given"
}

# Prints the comment block at the top of the calling script.
show_help() {
  sed -n '2,/^set /{/^#/{s/^# \{0,1\}//;p}}' "$0"
  exit 0
}

# Quotes words for use in a shell command.
quoted() {
  local words
  printf -v words '%q ' "$@"
  printf '%s' "${words% }"
}

# Runs a command, or prints it in a dry run.
execute() {
  if [[ $dry_run == true ]]; then
    quoted "$@"
    echo
  else
    exec "$@"
  fi
}
