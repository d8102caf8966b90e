"""`completion`: a shell script that makes `oturum` a command and completes it.

click answers what a word may become (`_OTURUM_COMPLETE=<shell>_complete`); its own scripts want a program on the
PATH, and this one is a module of a virtual environment, so the scripts here call that.
"""

from __future__ import annotations

import shlex
import sys

import click
from click.shell_completion import CompletionItem

from manager.app import App
from manager.cli import COMPLETE_VARIABLE
from manager.clickwords import app_of, command
from manager.exits import Exit
from manager.image import ROOT

_BASH = """\
oturum() {
    %(run)s "$@"
}

_oturum_completion() {
    local IFS=$'\\n' type value line
    COMPREPLY=()
    for line in $(%(variable)s=bash_complete COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD \\
            %(run)s 2>/dev/null); do
        IFS=',' read -r type value <<< "$line"
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done
}

complete -o nosort -F _oturum_completion oturum
"""

_ZSH = """\
oturum() {
    %(run)s "$@"
}

_oturum_completion() {
    local -a plain described response
    local type key help
    response=("${(@f)$(%(variable)s=zsh_complete COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) \\
            %(run)s 2>/dev/null)}")
    for type key help in ${response}; do
        case $type in
            dir) _path_files -/ ;;
            file) _path_files -f ;;
            plain)
                if [[ $help == _ ]]; then plain+=("$key"); else described+=("$key:$help"); fi ;;
        esac
    done
    (( $#described )) && _describe -V unsorted described -U
    (( $#plain )) && compadd -U -V unsorted -a plain
}

(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef _oturum_completion oturum
"""

_FISH = """\
function oturum
    %(run)s $argv
end

function _oturum_completion
    for line in (env %(variable)s=fish_complete COMP_WORDS=(commandline -cp) COMP_CWORD=(commandline -t) \\
            %(run)s 2>/dev/null)
        set -l parts (string split -m 1 , -- $line)
        switch $parts[1]
            case dir
                __fish_complete_directories $parts[2]
            case file
                __fish_complete_path $parts[2]
            case plain
                echo $parts[2]
        end
    end
end

complete --command oturum --no-files --keep-order --arguments '(_oturum_completion)'
"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def _known(ctx: click.Context, _: click.Parameter, value: str) -> str:
    if value not in SCRIPTS:
        raise click.BadParameter(app_of(ctx).say("usage.not_a_shell", text=value, known=", ".join(SCRIPTS)))
    return value


def _shells(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(shell) for shell in SCRIPTS if shell.startswith(incomplete)]


@command("completion")
@click.argument("shell", metavar="SHELL", callback=_known, shell_complete=_shells)
def completion(app: App, shell: str) -> Exit:
    run = shlex.join(["env", f"PYTHONPATH={ROOT}", sys.executable, "-P", "-m", "manager"])
    click.echo(SCRIPTS[shell] % {"run": run, "variable": COMPLETE_VARIABLE}, nl=False)
    return Exit.OK
