"""Files that want to cost more than they weigh: each must be refused at once, with a clear error."""

from __future__ import annotations


def _bomb(merge: bool) -> str:
    first = (
        "a0: &a0 {" + ", ".join(f"k{n}: x" for n in range(9)) + "}\n"
        if merge
        else "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
    )
    item = "[{{<<: [{0}]}},{1}]" if merge else "[{1}]"
    lines = []
    for level in range(9):
        names = ",".join([f"*a{level}"] * 9)
        merged = f"a{level + 1}: &a{level + 1} {{<<: [{names}], n{level}: [{names}]}}\n"
        lines.append(merged if merge else f"a{level + 1}: &a{level + 1} " + item.format(names, names) + "\n")
    return first + "".join(lines) + "bots: []\n"


HOSTILE = {
    "alias bomb": _bomb(merge=False),
    "merge bomb": _bomb(merge=True),
    "deep flow": "[" * 500_000,
    "deep flow mappings": "{a: " * 200_000,
    "deep block": "- " * 400_000,
    "deep keys": "? " * 400_000,
    "deep mapping": "\n".join(" " * n + "a:" for n in range(1_200)),
    "ten megabytes": "bots: []\n#" + "x" * 10_000_000,
    "one long word": "bots: " + "x" * 1_000_000,
    "one long unknown key": "x" * 900_000 + ": 1",
    "long time zone": "bots: [{clientId: a, timezone: " + "x" * 900_000 + "}]",
    "long quoted clientId": 'bots: [{clientId: "' + "x" * 900_000 + '"}]',
    "many digits": "bots: [{clientId: " + "9" * 900_000 + "}]",
    "many digits and a letter": "bots: [{clientId: " + "9" * 900_000 + "x}]",
    "many colons": "bots: [{clientId: " + "1:1" * 300_000 + "}]",
    "many anchors": "bots: [" + ",".join(f"&a{n} x" for n in range(90_000)) + "]",
    "many keys": "\n".join(f"k{n}: 1" for n in range(90_000)),
    "many unknown keys": "\n".join(f"memor{n}: 1" for n in range(19_000)),
    "many wrong bots": "bots:\n" + "".join(f"- clientId: {n}\n  memroy: x\n" for n in range(7_000)),
    "many duplicates": "bots:\n" + "- clientId: a\n" * 12_000,
    "many duplicate keys": "bots: []\n" * 100_000,
    "many placeholders": "bots: [{clientId: '" + "${A}" * 200_000 + "'}]",
    "open placeholders": "bots: [{clientId: '" + "${" * 400_000 + "'}]",
    "only tabs": "\t\n" * 500_000 + "\ta",
    "tabbed lines": "bots:\n" + "\t- a: b\n" * 100_000,
    "long proxy": "bots: [{clientId: a, proxy: 'http://" + "@" * 900_000 + "'}]",
    "long locale": "bots: [{clientId: a, locale: " + "a-" * 400_000 + "}]",
    "long env name": "bots: [{clientId: a, env: {'" + "- " * 400_000 + "': x}}]",
}
