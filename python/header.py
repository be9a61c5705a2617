#!/usr/bin/env python3
"""Make sgflow/_header.py, what ctypes must know of include/sgflow.h, out of the header itself.

    python3 header.py ../include/sgflow.h sgflow/_header.py     write it anew, after a change of the header
    python3 header.py --check ../include/sgflow.h program.c     write a C program that checks it against a compiler

The header has few forms: structs (nested, but not unions), enums, opaque types, one function type, prototypes. The C
program does not rely on how this script reads them: it compares sizes, offsets, enumerators and types with the
compiler's own, and exits with 1 where one differs.
"""
import os
import pathlib
import re
import sys
import textwrap

SCALARS = {"double": "c_double", "bool": "c_bool", "int": "c_int", "size_t": "c_size_t", "uint64_t": "c_uint64",
           "int64_t": "c_int64", "char": "c_char"}


class Header:
    """Enumerations, structs (in order), opaque types and functions of a header."""

    def __init__(self, text):
        text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
        self.constants = dict(re.findall(r"^#define (SGF_\w+) ([\d.e+-]+)\s*$", text, flags=re.M))
        text = re.sub(r"^#.*?(?<!\\)$", "", text, flags=re.M)
        self.enums, self.structs, self.functions = {}, {}, {}
        for name, value in re.findall(r"^enum \{ (\w+) = (\d+) \};", text, flags=re.M):
            self.constants[name] = value
        for body, name in re.findall(r"typedef enum(?: \w+)? \{([^}]*)\} (\w+);", text):
            self.enums[name] = [entry.split("=")[0].strip() for entry in body.split(",")]
        for line in re.finditer(r"^(?:typedef )?struct (\w+) \{\n(.*?)^\}[^;]*;", text, flags=re.M | re.S):
            self.add_struct(line.group(1), line.group(2))
        self.opaque = set(re.findall(r"^typedef struct (\w+) \1;", text, flags=re.M)) - set(self.structs)
        prototype = r"^SGF_API ([\w ]+?\s?\**)(\w+)\(([^;]*)\);"
        for result, name, arguments in re.findall(prototype, text, flags=re.M | re.S):
            parts = [part.strip() for part in arguments.split(",")]
            types = [] if parts == ["void"] else [self.declaration(part)[0] for part in parts]
            self.functions[name] = (result.strip(), types)

    @staticmethod
    def declaration(text):
        """Type, name and array length of `const double *X` or `char name[48]`."""
        match = re.fullmatch(r"(.*?)(\w+)(?:\[(\w+)\])?", " ".join(text.split()))
        return match.group(1).strip(), match.group(2), match.group(3)

    def add_struct(self, name, body):
        fields = []
        for nested, statement in re.findall(r"struct \{([^}]*)\} (\w+);", body):
            self.add_struct(f"{name}_{statement}", nested)
        flat = re.sub(r"struct \{[^}]*\} (\w+);", rf"{name}_\1 \1;", body)
        for statement in filter(None, (part.strip() for part in flat.split(";"))):
            first, *others = statement.split(",")
            base, field, length = self.declaration(first)
            fields.append((base, field, length))
            for other in others:  # `double low, high;`, `char *config, *command;`
                stars = "*" * other.count("*")
                fields.append((base.rstrip("* ") + (f" {stars}" if stars else ""), other.strip(" *"), None))
        self.structs[name] = fields

    def python_type(self, text, result=False):
        """The ctypes expression for a C type."""
        stars = text.count("*")
        constant = "const" in text
        base = text.replace("const", "").replace("*", "").strip()
        if base == "void" or base in self.opaque:
            return {0: "None", 1: "c_void_p", 2: "POINTER(c_void_p)"}[stars]
        if base == "sgf_progress":
            return base
        if base == "char" and stars:
            return "c_char_p" if constant or not result else "c_void_p"  # the caller's to free
        inner = SCALARS.get(base) or ("c_int" if base in self.enums else base)
        if inner == base and base not in self.structs:
            raise SystemExit(f"header.py: type {text} is unknown")
        return "POINTER(" * stars + inner + ")" * stars

    def struct_type(self, base, length):
        if length is None:
            return self.python_type(base)
        return f"{self.python_type(base)} * {self.constants.get(length, length)}"


def choice(enumerators):
    """Enumerators by their names in a config: SGF_SAMPLING_WITHOUT_REPLACEMENT is without-replacement."""
    prefix = os.path.commonprefix(enumerators)
    prefix = prefix[:prefix.rindex("_") + 1]
    return [entry[len(prefix):].lower().replace("_", "-") for entry in enumerators]


def entry(start, words, end):
    """One entry of a table, wrapped."""
    tail = "," if len(words) == 1 else ""
    return textwrap.wrap(start + ", ".join(words) + tail + end, 116, subsequent_indent=" " * 8,
                         break_long_words=False, break_on_hyphens=False)


def module(header):
    """The text of sgflow/_header.py."""
    lines = ['"""What ctypes must know of include/sgflow.h. Made by header.py: not to be edited by hand."""',
             "from ctypes import (CFUNCTYPE, POINTER, Structure, c_bool, c_char, c_char_p, c_double, c_int, c_int64, "
             "c_size_t,", "                    c_uint64, c_void_p)", ""]
    for name, value in header.constants.items():
        lines.append(f"{name} = {value}")
    lines += ["", "# Enumerations: names as in a config, in the order of their values.", "ENUMERATIONS = {"]
    for name, enumerators in header.enums.items():
        lines += ["    " + line for line in entry(f'"{name}": (', [f'"{word}"' for word in choice(enumerators)], "),")]
    lines += ["}", "", "sgf_progress = CFUNCTYPE(c_bool, c_void_p, c_double, c_double)"]
    for name, fields in header.structs.items():
        lines += ["", "", f"class {name}(Structure):", "    _fields_ = ["]
        lines += [f'        ("{field}", {header.struct_type(base, length)}),' for base, field, length in fields]
        lines.append("    ]")
    lines += ["", "", "# Fields that are enumerations.", "ENUMERATED = {"]
    for name, fields in header.structs.items():
        lines += [f'    ("{name}", "{field}"): "{base}",' for base, field, _ in fields if base in header.enums]
    lines += ["}", "", "# Functions: type of the result, types of the arguments.", "FUNCTIONS = {"]
    for name, (result, arguments) in header.functions.items():
        types = [header.python_type(argument) for argument in arguments]
        lines += ["    " + line for line in entry(f'"{name}": ({header.python_type(result, True)}, (', types, ")),")]
    return "\n".join(lines + ["}", ""])


def program(header, loaded):
    """A C program that compares the module, as it was loaded, with the compiler's view of the header."""
    lines = ['#include "sgflow.h"', "#include <stdio.h>", "",
             "#define CHECK(what, is, should) \\",
             "  if ((is) != (should)) \\",
             '    wrong |= printf("%s: not %zu but %zu\\n", what, (size_t)(should), (size_t)(is)) > 0',
             "#define TYPE(expression, type) _Generic((expression), type: 1, default: 0)", "",
             "int main(void)", "{", "  int wrong = 0;"]
    for name, fields in header.structs.items():
        made, path = getattr(loaded, name), name
        for section in loaded.sgf_settings._fields_:  # nested structs have no name in C
            if section[1] is made:
                path = f"sgf_settings.{section[0]}"
        outer, _, inner = path.partition(".")
        dot = f"{inner}." if inner else ""
        size = f"sizeof(({outer} *)0)->{inner}" if inner else f"sizeof({name})"
        lines.append(f'  CHECK("size of {path}", {size}, {loaded.ctypes_sizeof(made)}u);')
        for base, field, length in fields:
            if not hasattr(made, field):
                raise SystemExit(f"header.py: _header.py has no {path}.{field}: it must be made anew")
            at = getattr(made, field).offset + (getattr(loaded.sgf_settings, inner).offset if inner else 0)
            lines.append(f'  CHECK("offset of {path}.{field}", offsetof({outer}, {dot}{field}), {at}u);')
            if base in header.structs:
                continue
            lines.append(f'  CHECK("type of {path}.{field}", '
                         f"TYPE((({outer} *)0)->{dot}{field}, {base if length is None else base + ' *'}), 1);")
    for name, enumerators in header.enums.items():
        for value, entry in enumerate(enumerators):
            lines.append(f'  CHECK("{entry}", {entry}, {value});')
    for name, value in header.constants.items():
        lines.append(f'  CHECK("{name}", {name}, {value});')
    for name, (result, arguments) in header.functions.items():
        pointer = f"{result} (*)({', '.join(arguments) or 'void'})"
        lines.append(f'  CHECK("type of {name}", TYPE(&{name}, {pointer}), 1);')
    return "\n".join(lines + ["  return wrong;", "}", ""])


def main():
    check = sys.argv[1:2] == ["--check"]
    arguments = sys.argv[2:] if check else sys.argv[1:]
    if len(arguments) != 2:
        raise SystemExit(__doc__)
    header = Header(pathlib.Path(arguments[0]).read_text())
    if check:
        import ctypes
        import importlib.util
        place = pathlib.Path(__file__).parent / "sgflow" / "_header.py"
        specification = importlib.util.spec_from_file_location("header_of_sgflow", place)
        loaded = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(loaded)
        loaded.ctypes_sizeof = ctypes.sizeof
        pathlib.Path(arguments[1]).write_text(program(header, loaded))
    else:
        pathlib.Path(arguments[1]).write_text(module(header))


if __name__ == "__main__":
    main()
