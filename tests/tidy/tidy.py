#!/usr/bin/env python3
"""Reads the sources and stops what src/README.md and the conventions forbid.

    tidy.py ROOT           check the tree at ROOT; exit status 1 when something is wrong
    tidy.py --self-test    plant faults in a temporary tree and see that each is found

It reads text and knows no C++: comments, strings and preprocessor lines are blanked out, and
braces are counted. exceptions.txt beside it excuses a file from a rule, with a reason.
"""

import os
import re
import sys
import tempfile

FILE_LINES_MAX = 800
FUNCTION_LINES_MAX = 70

# What a layer may include beside itself and the public headers. The order of src/README.md.
LAYERS = {
    "public": set(),
    "base": set(),
    "runtime": {"base"},
    "net": {"base", "runtime"},
    "net/uring": {"base", "runtime", "net"},
    "codec": {"base"},
    "broker": {"base", "runtime", "net", "codec"},
    "load": {"base", "runtime", "net", "codec"},
    "store": {"base", "runtime", "net", "codec", "broker"},
    "cluster": {"base", "runtime", "net", "codec", "broker", "store"},
    "admin": {"base", "runtime", "net", "codec", "broker", "store", "cluster"},
    "server": {"base", "runtime", "net", "net/uring", "codec", "broker", "load", "store",
               "cluster", "admin", "dpdk", "dpdk/port"},
    "dpdk": {"base", "runtime", "net"},
    "dpdk/port": {"base", "runtime", "net", "dpdk"},
}
DPDK_FOLDERS = {"wire", "tcp", "stack"}

SOURCE_FOLDERS = ("include", "src", "dpdk", "tests", "perf")
SOURCE_ENDINGS = (".h", ".cc")
TEXT_FOLDERS = SOURCE_FOLDERS + ("scripts", "docs")
TEXT_ENDINGS = (".h", ".cc", ".py", ".sh", ".build", ".md", ".txt", ".conf", ".toml")
FORBIDDEN_NOTE = "FIX" + "ME"  # split, so that this file may be read too

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
EXCEPTION_WORD = re.compile(r"\b(throw|try|catch)\b")
RAW_STRING = re.compile(r'R"([^()\\ \t\n]*)\(')


class Fault:
    def __init__(self, rule, path, line, text):
        self.rule, self.path, self.line, self.text = rule, path, line, text

    def __str__(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.text}"


def blank(text):
    """The same length and lines, with spaces for comments, strings and characters."""
    out = list(text)

    def wipe(begin, end):
        for index in range(begin, min(end, len(out))):
            if out[index] != "\n":
                out[index] = " "

    at = 0
    while at < len(text):
        raw = RAW_STRING.match(text, at)
        if text.startswith("//", at):
            end = text.find("\n", at)
        elif text.startswith("/*", at):
            end = text.find("*/", at) + 2 if text.find("*/", at) >= 0 else len(text)
        elif raw and not (at > 0 and (text[at - 1].isalnum() or text[at - 1] == "_")):
            closing = ")" + raw.group(1) + '"'
            end = text.find(closing, raw.end())
            end = end + len(closing) if end >= 0 else len(text)
        elif text[at] == '"' or (text[at] == "'" and not is_digit_separator(text, at)):
            end = end_of_quoted(text, at)
        else:
            at += 1
            continue
        end = len(text) if end < 0 else end
        wipe(at, end)
        at = end
    return "".join(out)


def is_digit_separator(text, at):
    """1'000: the quote stands in a number, which starts with a digit."""
    begin = at
    while begin > 0 and (text[begin - 1].isalnum() or text[begin - 1] in "'_"):
        begin -= 1
    return begin < at and text[begin].isdigit()


def end_of_quoted(text, at):
    end = at + 1
    while end < len(text) and text[end] not in (text[at], "\n"):
        end += 2 if text[end] == "\\" else 1
    return end + 1


def blank_preprocessor(code):
    lines, continued = [], False
    for line in code.split("\n"):
        is_directive = continued or line.lstrip().startswith("#")
        continued = is_directive and line.endswith("\\")
        lines.append(" " * len(line) if is_directive else line)
    return "\n".join(lines)


def layer_of_file(path):
    parts = path.split("/")
    if path.startswith("include/"):
        return "public"
    if parts[0] == "dpdk":
        return "dpdk/port" if parts[1] == "port" else "dpdk"
    if parts[0] == "src" and len(parts) > 2:
        return "net/uring" if parts[1:3] == ["net", "uring"] else parts[1]
    return None  # tests and benchmarks look into every layer


def layer_of_include(name):
    parts = name.split("/")
    if parts[0] == "millrace":
        return "public"
    if parts[0] == "dpdk":
        parts = parts[1:]
        return "dpdk/port" if parts[0] == "port" else "dpdk"
    if parts[0] == "port" and len(parts) > 1:
        return "dpdk/port"
    if parts[0] in DPDK_FOLDERS and len(parts) > 1:
        return "dpdk"
    if parts[:2] == ["net", "uring"]:
        return "net/uring"
    return parts[0] if parts[0] in LAYERS else None


def include_faults(path, text):
    own = layer_of_file(path)
    if own is None:
        return
    if own not in LAYERS:
        yield Fault("layer", path, 1, f"there is no layer {own}: src/README.md lists them")
        return
    for number, line in enumerate(text.split("\n"), 1):
        found = INCLUDE.match(line)
        if not found:
            continue
        is_quoted, name = found.group(1) == '"', found.group(2)
        leaf = name.split("/")[-1]
        if (name.startswith("liburing") or leaf == "io_uring.h") and own != "net/uring":
            yield Fault("liburing", path, number, f"{name} belongs to src/net/uring alone")
        if leaf.startswith("rte_") and own != "dpdk/port":
            yield Fault("rte", path, number, f"{name} belongs to dpdk/port alone")
        if own == "public" and not is_quoted and not re.fullmatch(r"[a-z_0-9]+", name):
            yield Fault("public", path, number, f"<{name}> isn't the standard library")
        if not is_quoted:
            continue
        layer = layer_of_include(name)
        if own == "public" and layer != "public":
            yield Fault("public", path, number, f'"{name}" isn\'t a public header')
        elif layer not in (None, "public", own) and layer not in LAYERS[own]:
            yield Fault("layer", path, number, f"{own} may not include {layer} ({name})")


def functions_of(code):
    """(first line, last line, signature) of every function body in blanked code."""
    stack = []  # (kind, first line, signature)
    statement, first_line, line, last_code = "", 1, 1, ""
    for character in code:
        if character == "\n":
            line += 1
        if character == "{":
            kind = kind_of_brace(statement, last_code, stack)
            stack.append((kind, first_line, statement))
            if kind != "value":
                statement = ""
        elif character == "}" and stack:
            kind, begin, signature = stack.pop()
            if kind == "function":
                yield begin, line, " ".join(signature.split())
            if kind != "value":
                statement = ""
            else:
                statement += "}"
        elif character == ";" and not (stack and stack[-1][0] == "value"):
            statement = ""
        else:
            if not statement.strip() and not character.isspace():
                statement, first_line = "", line
            statement += character
            if statement.rstrip() in ("public:", "private:", "protected:"):
                statement = ""
        if not character.isspace():
            last_code = character


def kind_of_brace(statement, last_code, stack):
    """namespace, type, function, block (inside a function) or value (a braced initialiser)."""
    outer = stack[-1][0] if stack else "namespace"
    head = statement.strip()
    if outer in ("function", "block"):
        return "block"
    if outer == "value" or last_code in "=(,<[":
        return "value"
    if re.match(r"(inline\s+)?namespace\b|extern\s*$", head):
        return "namespace"
    if re.search(r"\bconcept\b", head):
        return "type"
    without_template = re.sub(r"^template\s*<.*?>\s*(?=(class|struct|union)\b)", "", head,
                              flags=re.S)
    if re.match(r"(typedef\s+)?(class|struct|union|enum)\b", without_template) and \
            "(" not in re.sub(r"\b(alignas|__attribute__)\s*\(\(?.*?\)\)?", "", without_template):
        return "type"
    if "(" not in head:
        return "value"
    # `Type() : member_{1} {`: a member's brace follows its name, the body's doesn't.
    in_member_list = re.search(r"\)\s*(noexcept(\(.*?\))?)?\s*:(?!:)", head)
    if in_member_list and (last_code.isalnum() or last_code in "_>"):
        return "value"
    return "function"


def length_faults(path, text):
    count = text.count("\n")
    if count > FILE_LINES_MAX:
        yield Fault("file_lines", path, 1, f"{count} lines, at most {FILE_LINES_MAX}")
    if not path.endswith(SOURCE_ENDINGS):
        return
    for first, last, signature in functions_of(blank_preprocessor(blank(text))):
        length = last - first + 1
        if length > FUNCTION_LINES_MAX:
            yield Fault("function_lines", path, first,
                        f"{length} lines, at most {FUNCTION_LINES_MAX}: {signature[:60]}")


def word_faults(path, text):
    for number, line in enumerate(text.split("\n"), 1):
        if FORBIDDEN_NOTE in line:
            yield Fault("note", path, number, f"{FORBIDDEN_NOTE} never lands")
    if not path.startswith(("src/", "dpdk/", "include/")) or not path.endswith(SOURCE_ENDINGS):
        return
    for number, line in enumerate(blank(text).split("\n"), 1):
        found = EXCEPTION_WORD.search(line)
        if found:
            yield Fault("throw", path, number, f"`{found.group(1)}`: there are no exceptions here")


def header_faults(path, text):
    if path.endswith(".h") and not re.search(r"^#pragma once$", text, flags=re.M):
        yield Fault("pragma_once", path, 1, "a header starts with #pragma once")


def faults_of_file(path, text):
    if path.endswith(SOURCE_ENDINGS):
        yield from include_faults(path, text)
        yield from header_faults(path, text)
    yield from length_faults(path, text)
    yield from word_faults(path, text)


def files_of(root):
    for folder in TEXT_FOLDERS:
        for where, folders, names in os.walk(os.path.join(root, folder)):
            folders[:] = sorted(name for name in folders if name != "node_modules" and
                                not name.startswith((".", "build")))
            for name in sorted(names):
                if name.endswith(TEXT_ENDINGS):
                    yield os.path.relpath(os.path.join(where, name), root)


def read_exceptions(path):
    """{(rule, file)} with the line each stands on; a line without a reason is a fault."""
    exceptions, faults = {}, []
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            words = line.split(None, 2)
            if not words or words[0].startswith("#"):
                continue
            if len(words) < 3:
                faults.append(Fault("exceptions", path, number, "rule, file and reason, please"))
            else:
                exceptions[(words[0], words[1])] = number
    return exceptions, faults


def check(root, exceptions_path):
    """All faults of the tree, and how many files were read."""
    exceptions, faults = read_exceptions(exceptions_path)
    used, count = set(), 0
    for path in files_of(root):
        count += 1
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
            text = file.read()
        for fault in faults_of_file(path, text):
            if (fault.rule, path) in exceptions:
                used.add((fault.rule, path))
            else:
                faults.append(fault)
    for key, number in exceptions.items():
        if key not in used:
            faults.append(Fault("exceptions", exceptions_path, number,
                                f"{key[0]} {key[1]} excuses nothing any more: drop the line"))
    return faults, count


# --- The self test: every rule has a file that breaks it and one that only looks like it. ---

def long_function(signature, lines):
    return signature + "\n" + "    work();\n" * (lines - 2) + "}\n"


PLANTED = [
    # path, text, the rules it breaks
    ("src/base/upward.h", '#pragma once\n#include "runtime/clock.h"\n', ["layer"]),
    ("src/codec/sideways.cc", '#include "runtime/clock.h"\n', ["layer"]),
    ("src/net/concept_knows_backend.h", '#pragma once\n#include "net/uring/ring.h"\n', ["layer"]),
    ("src/broker/backend.cc", '#include "net/uring/ring.h"\n', ["layer"]),
    ("src/load/backend.cc", '#include "net/uring/ring.h"\n', ["layer"]),
    ("src/runtime/server.cc", '  #  include "server/cli.h"\n', ["layer"]),
    ("src/cellar/new.cc", "int a;\n", ["layer"]),
    ("dpdk/tcp/port.cc", '#include "dpdk/port/eal.h"\n', ["layer"]),
    ("dpdk/tcp/broker.cc", '#include "broker/session.h"\n', ["layer"]),
    ("src/net/uring.cc", "#include <liburing.h>\n", ["liburing"]),
    ("src/runtime/kernel.cc", "#include <linux/io_uring.h>\n", ["liburing"]),
    ("dpdk/stack/mbuf.cc", "#include <rte_mbuf.h>\n", ["rte"]),
    ("include/millrace/third.h", "#pragma once\n#include <fmt/format.h>\n", ["public"]),
    ("include/millrace/inner.h", '#pragma once\n#include "base/time.h"\n', ["public"]),
    ("src/base/no_guard.h", "// #pragma once is missing\n", ["pragma_once"]),
    ("src/base/throws.cc", "void f() { throw 1; }\n", ["throw"]),
    ("src/base/tries.cc", "void f() {\n    try {\n    } catch (...) {\n    }\n}\n",
     ["throw", "throw"]),
    ("src/base/note.cc", f"// {FORBIDDEN_NOTE}: later\n", ["note"]),
    ("scripts/note.sh", f"# {FORBIDDEN_NOTE}\n", ["note"]),
    ("src/base/long.cc", "int a;\n" * (FILE_LINES_MAX + 1), ["file_lines"]),
    ("src/base/long_function.cc", long_function("void f() {", 71), ["function_lines"]),
    ("src/base/long_method.h", "#pragma once\nnamespace a {\ntemplate <class T>\nclass B {\n"
     "public:\n" + long_function("    B() : c_{1}, d_(2) {", 71) + "};\n}\n", ["function_lines"]),
    ("src/base/long_lambda.cc", long_function("const auto f = [](int a) -> int {", 71),
     ["function_lines"]),
    ("src/base/long_struct_result.cc", long_function("struct A f(B b = {}) {", 71),
     ["function_lines"]),
    ("tests/base/long_test.cc", long_function('TEST_CASE("a { b") {', 71), ["function_lines"]),
    ("src/base/after_noise.cc", "const char* a = \"{\"; char b = '{'; int c = 1'000; // {\n"
     "auto d = R\"x({ )\" )x\";\n" + long_function("void f() {", 71), ["function_lines"]),

    ("src/base/good.h", '#pragma once\n#include <fmt/format.h>\n#include "base/time.h"\n'
     '#include "millrace/error.h"\n', []),
    ("src/net/uring/good.cc", '#include <liburing.h>\n#include "net/transport.h"\n', []),
    ("src/server/good.cc", '#include "net/uring/ring.h"\n#include "load/options.h"\n', []),
    ("dpdk/port/good.cc", '#include <rte_eal.h>\n#include "dpdk/tcp/seq.h"\n', []),
    ("include/millrace/good.h", '#pragma once\n#include <cstdint>\n#include "millrace/error.h"\n',
     []),
    ("tests/net/good.cc", '#include "net/uring/ring.h"\n#include <liburing.h>\nvoid f() {'
     " throw 1; }\n", []),
    ("src/base/words.cc", '// We try to catch.\nint try_take();\nauto a = "throw";\n', []),
    ("src/base/table.cc", "constexpr Row rows[] = {\n" + "    {1, f(2)},\n" * 200 + "};\n", []),
    ("src/base/array.cc", "constexpr std::array rows{\n" + "    row(1),\n" * 200 + "};\n", []),
    ("src/base/just_fits.cc", long_function("void f() {", 70), []),
    ("src/base/type.h", "#pragma once\nstruct alignas(64) A {\n" + "    int a() { return 1; }\n" *
     200 + "};\n", []),
]


def self_test():
    wrong = []
    with tempfile.TemporaryDirectory() as root:
        for path, text, _ in PLANTED:
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        exceptions_path = os.path.join(root, "exceptions.txt")
        with open(exceptions_path, "w", encoding="utf-8") as file:
            file.write("# nothing\n")
        faults, count = check(root, exceptions_path)
        if count != len(PLANTED):
            wrong.append(f"{count} of {len(PLANTED)} files were read")
        for path, _, expected in PLANTED:
            found = [fault.rule for fault in faults if fault.path == path]
            if found != expected:
                wrong.append(f"{path}: expected {expected}, found {found}")
        with open(exceptions_path, "w", encoding="utf-8") as file:
            file.write("throw src/base/throws.cc needed here\nthrow src/base/good.h stale\n"
                       "throw src/base/tries.cc\n")
        excused = [str(fault) for fault in check(root, exceptions_path)[0]]
        if any("throws.cc" in text for text in excused):
            wrong.append("an exception doesn't excuse")
        if sum("exceptions:" in text for text in excused) != 2:
            wrong.append("a stale exception, or one without a reason, wasn't found")
    for text in wrong:
        print(text)
    print(f"self test: {len(PLANTED)} planted files, {len(wrong)} surprises")
    return 1 if wrong else 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    if len(arguments) != 1:
        print(__doc__)
        return 2
    here = os.path.dirname(os.path.abspath(__file__))
    faults, count = check(arguments[0], os.path.join(here, "exceptions.txt"))
    for fault in faults:
        print(fault)
    print(f"{count} files, {len(faults)} faults")
    if count == 0:
        print("nothing was read: is this the root of the tree?")
        return 1
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
