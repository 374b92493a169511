"""Reads one section of params.yaml; plain `key: number or word` lines are all this project needs."""

import ast


def load(section):
    values, inside = {}, False
    with open("params.yaml", encoding="utf-8") as file:
        for line in file:
            text = line.split("#")[0].rstrip()
            if text and not text.startswith(" "):
                inside = text == f"{section}:"
            elif text and inside:
                key, _, value = text.strip().partition(":")
                values[key] = _value(value.strip())
    return values


def _value(text):
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
