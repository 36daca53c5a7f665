"""Read a shell script: its commands, each with its folder, its variables, and the paths that have to be missing for it.

This is no shell. It follows what set-up scripts are made of: lists, `&&` and `||`, groups, `if`, loops, functions,
`cd`, variables, tests for a path, `bash -c`. What it does not understand it passes over, and how much it reads is
bounded, since a repository is a stranger.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Generator, Iterator, Mapping, Sequence

from paude_venv_hook.records import NamedTuple

HOME = "/~"  # a container path that is certainly not in the workspace
_DEEPEST = 20
_LONGEST = 20_000  # characters of a word, once its variables are replaced
_LONGEST_VALUE = 500

_WORD = (
    r"""(?:\\.|"(?:\\.|[^"\\])*"|'[^']*'|`[^`\n]*`|\$\((?:[^()]|\([^()]*\))*\)|\$\{[^}\n]{0,200}\}"""
    r"""|[^\s;&|()<>"'\\`])+"""
)
_TOKEN = rf"""(?xs)
    (?P<comment>\#[^\n]*)
    | (?P<redirection>\d*(?:&>>?|[<>]{{1,3}})[&|-]?[ \t]*(?:{_WORD})?)
    | (?P<operator>&&|\|\||;;|\|&|[;&|\n()])
    | (?P<word>{_WORD})
"""
_OPERATORS = frozenset(("&&", "||", ";;", "|&", ";", "&", "|", "\n", "(", ")"))
_SEPARATORS = frozenset((";", "&", "\n", ";;"))
_HEREDOC = r"<<-?[ \t]*[\"']?(\w+)[\"']?"
_SEGMENT = r"""(?s)'([^']*)'|"((?:\\.|[^"\\])*)"|\\(.)|([^'"\\]+)|."""
_ASSIGNMENT = r"([A-Za-z_]\w*)\+?="
_VARIABLE = r"\$(?:(\w+)|\{(\w+)(?:\[[^]]*\])?(?::?[-=]([^}]*))?\})"
_OWN_PATH = r"\$(?:0|\{0\}|BASH_SOURCE|\{BASH_SOURCE(?:\[0\])?(?::-\$0)?\})"
_REAL_PATH = rf"\$\((?:realpath|readlink -f)(?: --)? ({_OWN_PATH})\)"
_OWN_FOLDER = rf"\$\(dirname(?: --)? {_OWN_PATH}\)|\$\{{(?:0|BASH_SOURCE(?:\[0\])?)%/\*\}}"
_FOLDER_BY_CD = r"\$\(cd(?: -P)?(?: --)? ([^()$;&|]*?) ?(?:&&|;) ?pwd(?: -P)?\)"
_LISTED = r"\$\(ls (?:-\w+ )?([^\s()]+)[^()]*\)"
_PATH_TESTS = frozenset(("-d", "-e", "-f", "-x", "-r", "-s", "-w", "-L", "-h"))
_SHELLS = frozenset(("ash", "bash", "dash", "ksh", "sh", "su", "zsh"))
_DECLARATIONS = frozenset(("declare", "export", "local", "readonly", "typeset"))
# What runs the command after it: its options that take a value, and how many words stand before the command.
_PREFIXES = {
    ("sudo",): ("-u -g -h -p -C -U --user --group", 0),
    ("env",): ("-u -C --unset --chdir", 0),
    ("exec",): ("-a", 0),
    ("command",): ("", 0),
    ("time",): ("-f -o", 0),
    ("nice",): ("-n", 0),
    ("nohup",): ("", 0),
    ("timeout",): ("-k -s", 1),
    ("uvx",): ("--from --with -p --python --index-url", 0),
    ("uv", "tool", "run"): ("--from --with -p --python --index-url", 0),
    ("pipx", "run"): ("--spec --python --index-url --pip-args", 0),
    ("mise", "exec"): ("", 0),
    ("mise", "x"): ("", 0),
    ("conda", "run"): ("-n -p --name --prefix", 0),
    ("micromamba", "run"): ("-n -p --name --prefix", 0),
}


class Command(NamedTuple):
    """One command: its words without quotes, variables replaced as far as they are known.

    `folder` is the container path in which it runs, `variables` are those that it sees. It only runs if each of the
    container paths in `missing` is missing.
    """

    words: tuple[str, ...]
    folder: str
    variables: Mapping[str, str]
    missing: tuple[str, ...] = ()


class Budget:
    """A limit on how much text is read, for one launch: no repository can keep it waiting."""

    def __init__(self) -> None:
        """Begin with enough for any set-up of people."""
        self._left = 20_000

    def spend(self, characters: int = 0) -> bool:
        """Tell whether one more command, or a text of so many characters, is to be read."""
        self._left -= 1 + characters // 50
        return self._left >= 0


class _Known(NamedTuple):
    """Container paths that are missing, and those that are there, at one point of a text."""

    missing: tuple[str, ...] = ()
    there: tuple[str, ...] = ()

    def plus(self, other: _Known) -> _Known:
        """Return what both know."""
        return _Known((*self.missing, *other.missing), (*self.there, *other.there))


class _Outcome(NamedTuple):
    """What is known if a command succeeded, and if it failed."""

    success: _Known = _Known()
    failure: _Known = _Known()


class _Tokens:
    """The tokens of a text, to be taken one by one."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = tokens
        self._index = 0

    def peek(self, ahead: int = 0) -> str | None:
        """Return the next token, or one that follows it, None at the end."""
        index = self._index + ahead
        return self._tokens[index] if index < len(self._tokens) else None

    def take(self) -> str | None:
        """Return the next token and go past it."""
        token = self.peek()
        self._index += 1
        return token

    def take_group(self) -> list[str]:
        """Return the tokens of `{ … }`, which begins here, and go past it."""
        depth = 0
        taken: list[str] = []
        while (part := self.take()) is not None:
            depth += (part == "{") - (part == "}")
            taken.append(part)
            if depth == 0:
                break
        return taken

    def end(self) -> None:
        """Go past all that is left."""
        self._index = len(self._tokens)


class Shell:
    """Reads texts one after the other, as one shell would: folder, variables and functions stay."""

    def __init__(
        self, root: str, folder: str, variables: Mapping[str, str], *, budget: Budget, script: str = ""
    ) -> None:
        """Begin in a folder; `root` is the workspace's, `script` is what is read. All are container paths."""
        self.root = root
        self.folder = folder
        self.variables = {**variables, "HOME": HOME}
        self._script = script
        self._functions: dict[str, list[str]] = {}
        self._exited = _Known()  # what an early exit leaves to be known
        self._budget = budget
        self._depth = 0

    def read(self, text: str, missing: Sequence[str] = ()) -> Iterator[Command]:
        """Yield the commands of a text, which is only run if the container paths in `missing` are missing."""
        yield from self._list(self._tokens(text), _Known(tuple(missing)))

    def _tokens(self, text: str) -> _Tokens:
        return _Tokens(_tokens(text) if self._budget.spend(len(text)) else ())

    def path(self, word: str) -> str:
        """Return the container path that a word means, "" if a variable hides it.

        A path below one variable, `$ROOT/.venv`, is taken for one below the workspace folder.
        """
        if word == "~" or word.startswith("~/"):
            word = HOME + word[1:]
        if word.startswith("$"):
            _, slash, below = word.rpartition(")/") if word.startswith("$(") else word.partition("/")
            word = posixpath.join(self.root, below) if slash else word
        if not word or re.search(r"[$`]", word):
            return ""
        return posixpath.normpath(posixpath.join(self.folder, word))

    # ---- What a text is made of

    def _list(self, tokens: _Tokens, known: _Known, ends: tuple[str, ...] = ()) -> Generator[Command, None, _Outcome]:
        outcome = _Outcome()
        while (part := tokens.peek()) is not None and part not in ends:
            if part in _SEPARATORS:
                tokens.take()
            else:
                outcome = yield from self._and_or(tokens, known)
        return outcome

    def _and_or(self, tokens: _Tokens, known: _Known) -> Generator[Command, None, _Outcome]:
        outcome = yield from self._pipeline(tokens, known)
        while (operator := tokens.peek()) in ("&&", "||"):
            tokens.take()
            while tokens.peek() == "\n":
                tokens.take()
            known_before = outcome.success if operator == "&&" else outcome.failure
            following = yield from self._pipeline(tokens, known.plus(known_before))
            failure = outcome.failure.plus(following.failure)
            success = outcome.success.plus(following.success) if operator == "&&" else _Known()
            outcome = _Outcome(success, failure)
        return outcome

    def _pipeline(self, tokens: _Tokens, known: _Known) -> Generator[Command, None, _Outcome]:
        is_negated = False
        while tokens.peek() == "!":
            tokens.take()
            is_negated = not is_negated
        outcome = yield from self._command(tokens, known)
        while tokens.peek() in ("|", "|&"):
            tokens.take()
            yield from self._command(tokens, known)
            outcome = _Outcome()
        return _Outcome(outcome.failure, outcome.success) if is_negated else outcome

    def _command(self, tokens: _Tokens, known: _Known) -> Generator[Command, None, _Outcome]:
        self._depth += 1
        try:
            if self._depth > _DEEPEST:
                tokens.end()
                return _Outcome()
            return (yield from self._compound(tokens, known))
        finally:
            self._depth -= 1

    def _compound(self, tokens: _Tokens, known: _Known) -> Generator[Command, None, _Outcome]:
        word = tokens.peek()
        if word == "(":  # a subshell
            tokens.take()
            folder, variables = self.folder, dict(self.variables)
            outcome = yield from self._list(tokens, known, (")",))
            tokens.take()
            self.folder, self.variables = folder, variables
            return outcome
        if word == "{":
            tokens.take()
            outcome = yield from self._list(tokens, known, ("}",))
            tokens.take()
            return outcome
        if word == "if":
            tokens.take()
            yield from self._if(tokens, known)
        elif word in ("while", "until", "for", "select"):
            yield from self._loop(tokens, known)
        elif word == "case":
            while tokens.take() not in ("in", None):
                pass
            yield from self._list(tokens, known, ("esac",))
            tokens.take()
        elif word == "function" or (tokens.peek(1), tokens.peek(2)) == ("(", ")"):
            self._define(tokens)
        else:
            return (yield from self._simple(tokens, known))
        return _Outcome()

    def _if(self, tokens: _Tokens, known: _Known) -> Iterator[Command]:
        test = yield from self._list(tokens, known, ("then",))
        tokens.take()
        yield from self._list(tokens, known.plus(test.success), ("elif", "else", "fi"))
        end = tokens.take()
        otherwise = known.plus(test.failure)
        if end == "elif":
            yield from self._if(tokens, otherwise)
        elif end == "else":
            yield from self._list(tokens, otherwise, ("fi",))
            tokens.take()

    def _loop(self, tokens: _Tokens, known: _Known) -> Iterator[Command]:
        if tokens.take() in ("while", "until"):
            yield from self._list(tokens, known, ("do",))
            tokens.take()
        else:
            while tokens.take() not in ("do", None):
                pass
        yield from self._list(tokens, known, ("done",))
        tokens.take()

    def _define(self, tokens: _Tokens) -> None:
        if tokens.peek() == "function":
            tokens.take()
        name = tokens.take() or ""
        while tokens.peek() in ("(", ")", "\n"):
            tokens.take()
        if tokens.peek() == "{":
            self._functions[name] = tokens.take_group()

    def _simple(self, tokens: _Tokens, known: _Known) -> Generator[Command, None, _Outcome]:
        if not self._budget.spend():
            tokens.end()
            return _Outcome()
        raw: list[str] = []
        while (part := tokens.peek()) is not None and part not in _OPERATORS:
            raw.append(part)
            tokens.take()
        if not raw:
            tokens.take()  # an operator out of place
            return _Outcome()
        first, rest = _split_assignments(raw)
        second, rest = _split_assignments(_without_prefixes(rest))
        variables = dict(self.variables)
        for assignment in (*first, *second):
            name, _, value = assignment.partition("=")
            variables[name.rstrip("+")] = self._expand(value)
        if not rest:
            self.variables = variables
            return _Outcome()
        words = [self._expand(word) for word in rest]
        return (yield from self._run(words, variables, known.plus(self._exited)))

    def _run(self, words: list[str], variables: dict[str, str], known: _Known) -> Generator[Command, None, _Outcome]:
        program = posixpath.basename(words[0])
        if program in ("test", "[", "[["):
            return self._test(words[1:])
        if program in ("exit", "return"):
            self._exited = _Known(missing=(*self._exited.missing, *known.there))
        elif program in ("cd", "pushd"):
            self.folder = self.path(words[-1]) or self.root
        elif program in _DECLARATIONS:
            self._declare(words[1:])
        elif program in self._functions:
            yield from self._call(program, known)
        elif text := _nested_text(program, words):
            yield from self._nested(text, variables, known)
        else:
            yield Command(tuple(words), self.folder, variables, known.missing)
            return self._outcome_of(words)
        return _Outcome()

    def _declare(self, words: Sequence[str]) -> None:
        for word in words:
            if re.match(_ASSIGNMENT, word):
                name, _, value = word.partition("=")
                self.variables[name] = value

    def _call(self, name: str, known: _Known) -> Iterator[Command]:
        exited = self._exited
        yield from self._list(_Tokens(self._functions[name]), known)
        self._exited = exited  # a `return` ends the function alone

    def _nested(self, text: str, variables: Mapping[str, str], known: _Known) -> Iterator[Command]:
        folder, own = self.folder, self.variables
        self.variables = dict(variables)
        yield from self._list(self._tokens(text), known)
        self.folder, self.variables = folder, own

    def _test(self, words: list[str]) -> _Outcome:
        words = [word for word in words if word not in ("]", "]]")]
        is_negated = words[:1] == ["!"]
        flag, path = [*words[is_negated:], "", ""][:2]
        listed = re.search(_LISTED, path)
        if flag in ("-z", "-n") and listed:  # whether a directory is empty
            path = self.path(listed[1])
            inside = (f"{path}/*",) if path else ()
            is_there = flag == "-n"
        else:
            path = self.path(path) if flag in _PATH_TESTS else ""
            inside = (path,) if path else ()
            is_there = True
        there, missing = _Known(there=inside), _Known(missing=inside)
        return _Outcome(there, missing) if is_there != is_negated else _Outcome(missing, there)

    def _outcome_of(self, words: Sequence[str]) -> _Outcome:
        """Return what is known after a program of a venv, or one that reads its bin/activate."""
        paths = [self.path(word) for word in words[:2] if "/bin/" in word]
        inside = tuple(path for path in paths if path)
        return _Outcome(_Known(there=inside), _Known(missing=inside))

    # ---- Words

    def _expand(self, raw: str) -> str:
        """Return a word without its quotes, and with its variables replaced."""
        text = "".join(_unquoted(match) for match in re.finditer(_SEGMENT, raw))
        if "$" in text or "`" in text:
            text = self._replaced(text[:_LONGEST])[:_LONGEST]
        return text.replace("\0", "$")

    def _replaced(self, text: str) -> str:
        own_folder = posixpath.dirname(self._script) or self.root
        text = re.sub(_REAL_PATH, lambda match: match[1], text)
        text = re.sub(_OWN_FOLDER, lambda _: own_folder, text)
        text = re.sub(r"\$\(pwd(?: -P)?\)|`pwd`|\$\{?PWD\b\}?", lambda _: self.folder, text)
        text = re.sub(r"\$\(git rev-parse --show-toplevel\)", lambda _: self.root, text)
        for _ in range(2):  # the default of a variable may name another one
            text = re.sub(_VARIABLE, self._value, text)
        return re.sub(_FOLDER_BY_CD, lambda match: match[1], text)

    def _value(self, match: re.Match[str]) -> str:
        known = self.variables.get(match[1] or match[2])
        if known is not None:
            return known[:_LONGEST_VALUE]
        return match[0] if match[3] is None else match[3]


def _tokens(text: str) -> list[str]:
    text = _without_heredocs(text.replace("\r", "").replace("\\\n", " "))
    kinds = ((match.lastgroup, match[0]) for match in re.finditer(_TOKEN, text))
    return [token for kind, token in kinds if kind in ("operator", "word")]


def _without_heredocs(text: str) -> str:
    if "<<" not in text:
        return text
    lines = []
    end = ""
    for line in text.split("\n"):
        if end:
            end = "" if line.strip() == end else end
            continue
        lines.append(line)
        begin = re.search(_HEREDOC, line)
        end = begin[1] if begin and "<<<" not in line else ""
    return "\n".join(lines)


def _unquoted(match: re.Match[str]) -> str:
    """Return a part of a word without its quotes; what `$` is in single quotes becomes a null character."""
    single, double, escaped, bare = match.groups()
    if single is not None:
        return single.replace("$", "\0")
    if double is not None:
        return re.sub(r"""\\(["\\$`])""", r"\1", double)
    return bare or escaped or ""


def _split_assignments(raw: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Return the assignments with which a command begins, and the rest."""
    count = 0
    while count < len(raw) and re.match(_ASSIGNMENT, raw[count]):
        count += 1
    return raw[:count], raw[count:]


def _without_prefixes(words: Sequence[str]) -> Sequence[str]:
    """Return a command without what runs it: `sudo -u vscode`, `env`, `uvx`."""
    while words:
        prefix = next((prefix for prefix in _PREFIXES if _begins_with(words, prefix)), None)
        if prefix is None:
            break
        options, positionals = _PREFIXES[prefix]
        rest = words[len(prefix) :]
        while rest and rest[0].startswith("-"):
            takes_value = rest[0] in options.split()
            rest = rest[2:] if takes_value else rest[1:]
        words = rest[positionals:]
    return words


def _begins_with(words: Sequence[str], prefix: tuple[str, ...]) -> bool:
    return (posixpath.basename(words[0]), *words[1 : len(prefix)]) == prefix


def _nested_text(program: str, words: Sequence[str]) -> str:
    """Return the text that `bash -c` or `eval` reads, "" for another command."""
    if program == "eval":
        return " ".join(words[1:])
    if program in _SHELLS:
        flag = next((index for index, word in enumerate(words) if re.fullmatch(r"-\w*c|--command", word)), None)
        return words[flag + 1] if flag is not None and flag + 1 < len(words) else ""
    return ""
