# bash completion for sgflow: commands, their options, config files, and keys of --set and --grid with their values.
# The tables that follow are printed by cli/manual.

# Lines of `compgen` become the reply.
_sgflow_reply() {
  mapfile -t COMPREPLY < <(compgen "$@")
}

_sgflow_files() { # what was typed, endings...
  local typed=$1 ending
  shift
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(
    compgen -d -- "$typed"
    for ending in "${@:-}"; do compgen -f -X "!*$ending" -- "$typed"; done | while IFS= read -r file; do
      [[ -d $file ]] || printf '%s\n' "$file"
    done
  )
}

_sgflow_key() { # KEY, or KEY=VALUE, or KEY=VALUE,VALUE
  local key=${1%%=*} value=${1#*=} before="" reply
  if [[ $1 != *=* ]]; then
    _sgflow_keys
    compopt -o nospace 2>/dev/null
    _sgflow_reply -W "$reply" -- "$1"
  elif [[ $key == data.file || $key == network.weights ]]; then
    _sgflow_files "$value" .h5 .hdf5
  else
    [[ $value != *,* ]] || before=${value%,*},
    _sgflow_values "$key"
    _sgflow_reply -P "$before" -W "$reply" -- "${value##*,}"
  fi
}

_sgflow_value() { # what is expected, what was typed of it
  local reply
  case $1 in
    key) _sgflow_key "$2" ;;
    folder) _sgflow_files "$2" / ;;
    method) _sgflow_methods; _sgflow_reply -W "$reply" -- "$2" ;;
    config) _sgflow_files "$2" .yaml .yml ;;
    system) _sgflow_files "$2" .h5 .hdf5 .mtx ;;
    file) _sgflow_files "$2" ;;
  esac
}

_sgflow() {
  local words=() word current option reply k
  # bash may part words at "=": they are put together again
  for ((k = 0; k <= COMP_CWORD; k++)); do
    word=${COMP_WORDS[k]}
    if ((${#words[@]} > 1)) && [[ $word == =* || (${words[-1]} == *= && ${COMP_WORDS[k - 1]} == *=) ]]; then
      words[-1]+=$word
    else
      words+=("$word")
    fi
  done
  current=${words[-1]}
  COMPREPLY=()
  if ((${#words[@]} < 3)); then
    _sgflow_commands
    _sgflow_reply -W "$reply" -- "$current"
    return
  fi
  option=${words[-2]}
  _sgflow_takes "${words[1]}" "$option"
  if [[ $current == --*=* ]]; then
    _sgflow_takes "${words[1]}" "${current%%=*}"
    _sgflow_value "$reply" "${current#*=}"
  elif [[ -n $reply && $option == -* ]]; then
    _sgflow_value "$reply" "$current"
  elif [[ $current == -* ]]; then
    _sgflow_options "${words[1]}"
    _sgflow_reply -W "$reply" -- "$current"
    [[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace 2>/dev/null
  else
    _sgflow_takes "${words[1]}" argument
    _sgflow_value "$reply" "$current"
  fi
  # what is replaced begins behind the last "=" where bash parts words there
  if [[ $current == *=* && $COMP_WORDBREAKS != *=* ]]; then COMPREPLY=("${COMPREPLY[@]/#/${current%=*}=}"); fi
}

complete -F _sgflow sgflow

