"""The options of every command, for completion; `=` marks one with a value. Short flags are left out.

Written by `OFFBRANCH_UPDATE_GOLDEN=1 pytest tests/cli/test_complete.py`, which fails when it is not true any more.
"""

# ruff: noqa: E501

from collections.abc import Mapping

OPTIONS: Mapping[str, str] = {
    "init": "--no-scm --force --subdir --quiet --verbose --help",
    "demo": "--run --quiet --verbose --help",
    "add": "--no-commit --glob -o= --out= --desc= --to-remote -r= --remote= --remote-jobs= --force --no-relink --json --quiet --verbose --help",
    "stage add": "-n= --name= --force -d= --deps= -o= --outs= -O= --outs-no-cache= --outs-persist= --outs-persist-no-cache= -m= --metrics= -M= --metrics-no-cache= --plots= --plots-no-cache= -p= --params= -w= --wdir= --always-changed --desc= --run --quiet --verbose --help",
    "stage list": "--all --fail --recursive --name-only --names-only --json --quiet --verbose --help",
    "repro": "--force --interactive --single-item --pipeline --all-pipelines --recursive --downstream --force-downstream --pull --allow-missing --dry --keep-going --ignore-errors -j= --jobs= --glob --no-commit --no-run-cache --json --quiet --verbose --help",
    "status": "-j= --jobs= --cloud -r= --remote= --all-branches --all-tags --all-commits --with-deps --recursive --json --no-updates --quiet --verbose --help",
    "commit": "--force --with-deps --recursive --no-relink --json --quiet --verbose --help",
    "checkout": "--summary --with-deps --recursive --force --relink --allow-missing --json --quiet --verbose --help",
    "push": "-j= --jobs= -r= --remote= --all-branches --all-tags --all-commits --with-deps --recursive --run-cache --no-run-cache --glob --json --quiet --verbose --help",
    "pull": "-j= --jobs= -r= --remote= --all-branches --all-tags --all-commits --with-deps --recursive --run-cache --no-run-cache --glob --force --allow-missing --json --quiet --verbose --help",
    "fetch": "-j= --jobs= -r= --remote= --all-branches --all-tags --all-commits --with-deps --recursive --run-cache --no-run-cache --glob --max-size= --type= --json --quiet --verbose --help",
    "data status": "--granular --unchanged --untracked-files= --not-in-remote -r= --remote= --no-remote-refresh --json --quiet --verbose --help",
    "diff": "--targets= --json --show-hash --md --hide-missing --quiet --verbose --help",
    "ls": "--recursive --tree -L= --level= --dvc-only --rev= --size --show-hash --json --quiet --verbose --help",
    "du": "--rev= --summarize --json --quiet --verbose --help",
    "dag": "--dot --mermaid --md --collapse-foreach-matrix --full --outs --json --quiet --verbose --help",
    "freeze": "--quiet --verbose --help",
    "unfreeze": "--quiet --verbose --help",
    "exp run": "-n= --name= -S= --set-param= --temp -C= --copy-paths= -m= --message= --force --interactive --single-item --pipeline --all-pipelines --recursive --downstream --force-downstream --pull --allow-missing --dry --keep-going --ignore-errors --stage-jobs= --no-hydra --queue --run-all -j= --jobs= --json --quiet --verbose --help",
    "exp show": "--all-commits --all --rev= -n= --num= --all-branches --all-tags --no-pager --only-changed --drop= --keep= --include-params= --include-metrics= --param-deps --sort-by= --sort-order= --sha --hide-failed --hide-queued --hide-workspace --queued --json --csv --md --precision= --force --quiet --verbose --help",
    "exp list": "--all-commits --all --rev= -n= --num= --name-only --names-only --sha-only --shas-only --json --quiet --verbose --help",
    "exp diff": "--all --param-deps --json --md --no-path --precision= --quiet --verbose --help",
    "exp apply": "--strict-baseline --no-force --json --quiet --verbose --help",
    "exp branch": "--quiet --verbose --help",
    "exp remove": "--all-commits --all --rev= -n= --num= --keep --dry --queue --queued -g= --git-remote= --json --quiet --verbose --help",
    "exp rename": "--force -g= --git-remote= --quiet --verbose --help",
    "exp save": "--recursive --force -n= --name= -I= --include-untracked= -m= --message= --json --quiet --verbose --help",
    "remove": "--outs --force --json --quiet --verbose --help",
    "move": "--json --quiet --verbose --help",
    "unprotect": "--json --quiet --verbose --help",
    "destroy": "--force --json --quiet --verbose --help",
    "check-ignore": "--details --non-matching --stdin --json --quiet --verbose --help",
    "config": "--system --global --project --local --unset --list --show-origin --show-secrets --json --quiet --verbose --help",
    "remote add": "--system --global --project --local --default --force --quiet --verbose --help",
    "remote list": "--system --global --project --local --json --quiet --verbose --help",
    "remote modify": "--system --global --project --local --unset --quiet --verbose --help",
    "remote remove": "--system --global --project --local --quiet --verbose --help",
    "remote rename": "--system --global --project --local --quiet --verbose --help",
    "remote default": "--system --global --project --local --unset --json --quiet --verbose --help",
    "cache dir": "--system --global --project --local --unset --json --quiet --verbose --help",
    "cache migrate": "--dvc-files --dry --json --quiet --verbose --help",
    "doctor": "--json --quiet --verbose --help",
    "root": "--quiet --verbose --help",
    "completion": "-s= --shell= --quiet --verbose --help",
    "version": "--short --json --quiet --verbose --help",
    "help": "--quiet --verbose --help",
}
