"""The scripts that `ob completion` prints. Each hands the words to `ob __complete` and offers the lines it answers.

No answer means: complete file names. An answer that ends with `=`, `:` or `/` is continued, so no space comes after it.
"""

from collections.abc import Mapping

_BASH = r"""# bash completion for ob; bash 3.2 and later
_ob_complete() {
    local line="${COMP_LINE:0:COMP_POINT}" current cut="" answer
    local -a words
    read -ra words <<< "$line"
    case "$line" in *[[:space:]]) words+=("") ;; esac
    current="${words[${#words[@]}-1]}"
    # bash replaces only what follows the last of its word breaks
    case "$current" in
        *:*) case "$COMP_WORDBREAKS" in *:*) cut="${current%"${current##*:}"}" ;; esac ;;
    esac
    case "$current" in
        *=*) case "$COMP_WORDBREAKS" in *=*) cut="${current%"${current##*=}"}" ;; esac ;;
    esac
    case "$current" in
        *@*) case "$COMP_WORDBREAKS" in *@*) cut="${current%"${current##*@}"}" ;; esac ;;
    esac
    COMPREPLY=()
    while IFS= read -r answer; do
        COMPREPLY+=("${answer#"$cut"}")
    done < <("$1" __complete $((${#words[@]} - 2)) "${words[@]:1}" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=:/] ]] && type compopt &>/dev/null; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -o default -F _ob_complete ob
"""
_ZSH = r"""#compdef ob
# zsh completion for ob
_ob() {
    local -a answers whole open
    answers=("${(@f)$("${words[1]}" __complete $((CURRENT - 2)) "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -z "${answers[1]}" ]]; then
        _files
        return
    fi
    whole=("${(@)answers:#*[=:\/]}")
    open=("${(@M)answers:#*[=:\/]}")
    (( ${#whole} )) && compadd -- "${whole[@]}"
    (( ${#open} )) && compadd -S '' -- "${open[@]}"
}
if [[ "${funcstack[1]}" == "_ob" ]]; then
    _ob "$@"
else
    compdef _ob ob
fi
"""
_FISH = r"""# fish completion for ob
function __ob_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l answers ($words[1] __complete (math (count $words) - 2) $words[2..-1] 2>/dev/null)
    if test (count $answers) -eq 0
        __fish_complete_path (commandline -ct)
    else
        printf '%s\n' $answers
    end
end
complete -c ob -f -a '(__ob_complete)'
"""
SCRIPTS: Mapping[str, str] = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
