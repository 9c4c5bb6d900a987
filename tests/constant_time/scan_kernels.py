#!/usr/bin/env python3
"""Scan the machine code of the kernels for what could tell a secret by its time.

usage: scan_kernels.py --list kernels.txt --compiler CC --sources DIR --kernels NAME.c...
                       --objects FILE.c.o...

Of the objects those are scanned that belong to a kernel.

What a function is given (arguments, constants, addresses, and what is computed from those) is taken
as public: lengths, counts and pointers. What it loads, takes out of a vector or a mask, or gets
back from another function is not. Found, function by function, are

  divide    an instruction whose time depends on its operands
  gather    a vector of addresses; scatter likewise
  string    a comparison or search by the string instructions
  compare   a call of a function of the C library that stops at a difference
  branch    a conditional jump on what was not given
  jump      a jump or call to an address that was not given
  index     an address that was computed from what was not given

A pointer has to be loaded before it is followed: 64 bits that were loaded make an address as they
are, and with something given added, but no more once they were shifted, masked or multiplied.

The kernels of AES-GCM are also asked how deep their calls go, which must be no deeper than what is
wiped after them.

What is found must stand in the list with a reason, and be found no more often than the list says.
A tiny object with one of each kind is compiled and scanned first: what is not found there is not
found anywhere.
"""
import argparse
import collections
import fnmatch
import heapq
import pathlib
import re
import subprocess
import sys
import tempfile

GIVEN, POINTER, LOADED = 0, 1, 2  # how public what a register holds is taken to be

KINDS = ("divide", "gather", "string", "compare", "branch", "jump", "index")

CONTROL = """
#include <immintrin.h>
#include <string.h>
int divide(int *a) { return 100 / a[0]; }
double divide_double(double *a) { return 1 / a[0]; }
__m512i gather(__m512i *i, void *t) { return _mm512_i64gather_epi64(*i, t, 8); }
int compare(void *a, void *b, unsigned long n) { return memcmp(a, b, n); }
void g(void);
void branch(unsigned char *a) { if (a[0] & 1) g(); }
void branch_on_limb(unsigned long *a) { if (a[0] == 5) g(); }
void branch_on_vector(__m512i *a) { if (_mm512_test_epi64_mask(*a, *a)) g(); }
void branch_on_answer(unsigned char *a) { extern int f(unsigned char *); if (f(a)) g(); }
void branch_on_spilled(unsigned char *a) {
  unsigned long v = a[0]; __asm__ volatile("mov %0, -8(%%rsp)\\n mov -8(%%rsp), %%rax\\n"
  "test %%rax, %%rax\\n jz 1f\\n nop\\n1:" : : "r"(v) : "rax", "memory"); }
static __attribute__((noinline)) void given_a_secret(unsigned v) { if (v & 1) g(); }
void gives_a_secret(unsigned char *a) { given_a_secret(a[0]); g(); }
int loop_on_secret(unsigned char *a) {
  int n = 0;
  for (unsigned x = a[0]; x; x = x >> 1 ^ (x & 1) * 0xB4) n++;
  return n; }
void jump(unsigned char *a, void (**t)(void)) { t[a[0] & 3](); }
int index_of_byte(unsigned char *a, int *table) { return table[a[0]]; }
int index_of_limb(unsigned long *a, int *table) { return table[a[0] >> 60]; }
long public_only(long *a, long n, long *t) {
  long s = 0; for (long i = 0; i < n; i++) s += a[i] ^ t[i & 3]; return s; }
"""
CONTROL_KINDS = {
    "divide": "divide", "divide_double": "divide", "gather": "gather", "compare": "compare",
    "branch": "branch", "branch_on_vector": "branch", "branch_on_answer": "branch",
    "branch_on_spilled": "branch", "given_a_secret": "branch", "loop_on_secret": "branch",
    "branch_on_limb": "branch", "jump": "jump",
    "index_of_byte": "index", "index_of_limb": "index",
}

# Every name of a general register, and the register it is a part of.
REGISTERS = {}
for wide, names in {
    "rax": "eax ax al ah", "rbx": "ebx bx bl bh", "rcx": "ecx cx cl ch", "rdx": "edx dx dl dh",
    "rsi": "esi si sil", "rdi": "edi di dil", "rbp": "ebp bp bpl", "rsp": "esp sp spl",
}.items():
    REGISTERS.update({name: wide for name in [wide, *names.split()]})
for number in range(8, 16):
    REGISTERS.update({f"r{number}{part}": f"r{number}" for part in ("", "d", "w", "b")})
GENERAL = sorted(set(REGISTERS.values()))
NARROW = {n for n in REGISTERS if re.fullmatch(r"[abcd][lh]|[sd]il|[bs]pl|r\d+b|[abcd]x|[sd]i"
                                               r"|[bs]p|r\d+w", n)}
GENERAL_AND_VECTORS = {*GENERAL, *(f"mm{number}" for number in range(32)),
                       *(f"k{number}" for number in range(8))}
ARGUMENTS = ("rdi", "rsi", "rdx", "rcx", "r8", "r9")
SAVED = ("rbx", "rbp", "rsp", "r12", "r13", "r14", "r15")  # by who is called

# Vectors and masks may keep what was in a general register.
KEPT = re.compile(r"v?mov[dq]|kmov[bwdq]")
KEEPER = re.compile(r"[xyz]mm\d+|k[0-7]")

STOPS_EARLY = {"memcmp", "bcmp", "strcmp", "strncmp", "memchr", "memmem"}
NEVER_RETURNS = {"__stack_chk_fail", "__assert_fail", "abort"}
ALLOCATES = {"malloc", "calloc", "aligned_alloc"}

Instruction = collections.namedtuple("Instruction", "address name operands target")
Finding = collections.namedtuple("Finding", "kind address text")
Code = collections.namedtuple("Code", "section name instructions")

PREFIXES = {"rep", "repz", "repnz", "notrack", "lock", "cs", "ds", "es", "data16", "bnd", "rex.W"}


def disassemble(path):
    """The functions of an object, each a Code."""
    text = subprocess.run(["objdump", "-dr", "--no-show-raw-insn", path], check=True,
                          capture_output=True, text=True).stdout
    functions, section = [], ""
    for row in text.splitlines():
        if code := re.match(r"\s+([0-9a-f]+):\t(.*)", row):
            words = code[2].split("#")[0].split(None, 1)
            while len(words) > 1 and words[0] in PREFIXES:
                words = words[1].split(None, 1)
            operands = split(words[1]) if len(words) > 1 else []
            target = re.match(r"([0-9a-f]+) <", words[1]) if len(words) > 1 else None
            functions[-1].instructions.append(Instruction(
                int(code[1], 16), words[0], operands, target and int(target[1], 16)))
        elif relocation := re.match(r"\s+[0-9a-f]+: R_X86_64_(?:PLT|PC)32\s+([\w.]+)", row):
            last = functions[-1].instructions
            if last[-1].name in ("call", "jmp"):
                last[-1] = last[-1]._replace(target=relocation[1])
        elif head := re.fullmatch(r"[0-9a-f]+ <(.+)>:", row):
            functions.append(Code(section, head[1], []))
        elif head := re.fullmatch(r"Disassembly of section (.+):", row):
            section = head[1]
    return functions


def find_lines(path, section, addresses):
    """Where in the source each address comes from, inlined functions' lines included."""
    text = subprocess.run(["addr2line", "-e", path, "-j", section, *map(hex, addresses)],
                          check=True, capture_output=True, text=True).stdout
    return [row.rsplit("/", 1)[-1].split(" ")[0] for row in text.splitlines()]


def split(operands):
    """At the commas outside of parentheses; masks and rounding belong to what they follow."""
    parts, depth = [""], 0
    for character in operands:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


class Function:
    """One function's registers, followed through all ways it can take."""

    def __init__(self, code, word):
        self.code = code
        self.word = word  # what 64 bits are that were loaded
        self.start = dict.fromkeys([*GENERAL, "flags"], GIVEN)
        self.callees = {}  # by address: those of this section
        self.called = []  # (callee, state) of the last scan
        self.answer = GIVEN  # what it returns
        self.at = {instruction.address: i for i, instruction in enumerate(code)}
        self.findings = {}
        self.slots = self.spill_slots()
        # Where ways meet or part, a block begins.
        self.leaders = {0}
        for i, instruction in enumerate(code):
            if instruction.name[0] == "j":
                self.leaders.add(i + 1)
                self.leaders.add(self.at.get(instruction.target, 0))

    def spill_slots(self):
        """Places of the stack that keep general registers, and whose address nobody takes."""
        moved, taken = set(), set()
        for instruction in self.code:
            for operand in instruction.operands:
                slot = stack_slot(operand)
                if slot is not None and instruction.name == "lea":
                    taken.add(slot)
                elif slot is not None and is_general(instruction.operands):
                    moved.add(slot)
        return moved - taken

    def scan(self):
        states, work = {0: self.start}, [0]
        self.findings, self.called = {}, []
        while work:
            i = heapq.heappop(work)
            state, following = dict(states[i]), [i]
            while following == [i]:
                following = self.step(i, state)
                i += 1
                if i in self.leaders:
                    break
            for successor in following:
                if self.join(states, successor, state) and successor not in work:
                    heapq.heappush(work, successor)

    @staticmethod
    def join(states, at, state):
        """Whether that makes a difference there."""
        known = states.get(at)
        if known is None:
            states[at] = dict(state)
            return True
        # A slot that one way has not written is written again before it is read.
        joined = {key: max(known.get(key, GIVEN), state.get(key, GIVEN))
                  for key in known.keys() | state.keys()}
        states[at] = joined
        return joined != known

    def found(self, i, kind):
        instruction = self.code[i]
        text = f"{instruction.name} {', '.join(instruction.operands)}"
        self.findings[i, kind] = Finding(kind, instruction.address, text)

    def read(self, i, state, operand):
        """What an operand holds; an address is judged on the way."""
        if operand.startswith("$"):
            return GIVEN
        if operand.startswith("%"):
            name = operand[1:].split("{")[0]
            if name in REGISTERS:
                return state[REGISTERS[name]]
            if KEEPER.fullmatch(name):
                return state.get(name.lstrip("xyz"), LOADED)
            return GIVEN if name in ("fs", "gs", "cs", "ds", "es", "ss") else LOADED
        slot = stack_slot(operand)
        if slot in self.slots:
            return state.get(slot, GIVEN if slot[0] == "rbp" and slot[1] > 0 else LOADED)
        self.judge_address(i, state, operand)
        return LOADED

    def judge_address(self, i, state, operand):
        for register in re.findall(r"%(\w+)", operand.split("(", 1)[-1]):
            if register in REGISTERS and state[REGISTERS[register]] == LOADED:
                self.found(i, "index")
            elif re.fullmatch(r"[xyz]mm\d+", register):
                self.found(i, "gather")

    def write(self, i, state, operand, value):
        if operand.startswith("%"):
            name = operand[1:].split("{")[0]
            if name in REGISTERS and REGISTERS[name] != "rsp":
                wide = REGISTERS[name]
                state[wide] = max(value, state[wide]) if name in NARROW else value
            elif KEEPER.fullmatch(name):
                state[name.lstrip("xyz")] = value
        elif "(" in operand:
            slot = stack_slot(operand)
            if slot is None:
                self.judge_address(i, state, operand)
            else:
                self.write_slot(i, state, slot, value)

    def write_slot(self, i, state, slot, value):
        """The compiler keeps one thing after the other in the same place, vectors too."""
        names = " ".join(self.code[i].operands)
        size = 64 if "%zmm" in names else 32 if "%ymm" in names else 16 if "%xmm" in names else 8
        if size > 8 and not KEPT.fullmatch(self.code[i].name):
            for other in self.slots:
                if other[0] == slot[0] and -8 < other[1] - slot[1] < size:
                    state[other] = LOADED
        if slot in self.slots:
            state[slot] = value

    def touched(self, seen=()):
        """Registers that may be another's after a call, its own callees' included."""
        if self in seen:
            return set()
        names = set()
        for instruction in self.code:
            if instruction.name == "call":
                callee = self.callees.get(instruction.target)
                names |= GENERAL_AND_VECTORS if callee is None else callee.touched((*seen, self))
            if re.match(r"i?mul|rep|movs|stos", instruction.name):
                names |= {"rax", "rdx", "rcx", "rsi", "rdi"}
            if re.match(r"cmp|test|bt[bwlq]?$|push", instruction.name):
                continue
            both = instruction.name in ("xchg", "mulx")
            for operand in instruction.operands if both else instruction.operands[-1:]:
                name = operand[1:].split("{")[0]
                if operand[0] == "%":
                    names.add(REGISTERS.get(name, name.lstrip("xyz")))
        return names - set(SAVED)

    def call(self, i, state):
        instruction = self.code[i]
        if instruction.target in STOPS_EARLY:
            self.found(i, "compare")
        callee = self.callees.get(instruction.target)
        if callee:
            self.called.append((callee, dict(state)))
        # Of its own functions the compiler knows which registers they leave alone.
        spared = SAVED if callee is None else GENERAL_AND_VECTORS - callee.touched()
        for register in list(state):
            if register in GENERAL_AND_VECTORS and register not in spared:
                state[register] = LOADED
        state["rax"] = callee.answer if callee else LOADED
        if instruction.target in ALLOCATES:
            state["rax"] = POINTER
        state["flags"] = LOADED

    def step(self, i, state):
        """What instruction i does to the state; returns where it leads."""
        name, operands = self.code[i].name, self.code[i].operands
        following = [i + 1] if i + 1 < len(self.code) else []
        if name in ("ret", "ud2", "hlt"):
            self.answer = max(self.answer, state["rax"])
            return []
        if name in ("jmp", "call") and operands[0].startswith("*"):
            if self.read(i, state, operands[0][1:]) == LOADED:
                self.found(i, "jump")
        if name == "call":
            self.call(i, state)
            return [] if self.code[i].target in NEVER_RETURNS else following
        if name == "jmp":
            if self.code[i].target in STOPS_EARLY:
                self.found(i, "compare")
            inside = self.at.get(self.code[i].target)
            if inside is None:  # what another function returns, is returned
                self.answer = LOADED
            return [] if inside is None else [inside]
        if name.startswith("j"):
            if state["flags"] != GIVEN:
                self.found(i, "branch")
            inside = self.at.get(self.code[i].target)
            return following + ([] if inside is None else [inside])
        self.compute(i, state, name, operands)
        return following

    def compute(self, i, state, name, operands):
        if re.fullmatch(r"i?div[bwlq]?|v?(div|sqrt|rsqrt14|rcp14)[ps][sd]|pext|pdep", name):
            self.found(i, "divide")
        if re.fullmatch(r"(cmps|scas)[bwlq]?", name):
            self.found(i, "string")
            return
        if re.match(r"(movs|stos)[bwlq]$", name):
            for operand in operands:
                if "(" in operand:
                    self.judge_address(i, state, operand)
            return
        if re.match(r"v?(gather|scatter|pgather|pscatter)", name):
            self.found(i, "gather")
        if name.startswith(("nop", "endbr", "vzero", "leave", "prefetch", "cltq", "cqto", "cltd")):
            return
        if name in ("push", "pop"):
            if name == "pop":
                self.write(i, state, operands[0], GIVEN)  # of who called: nothing else is pushed
            return
        if name == "lea":
            self.write(i, state, operands[1], self.sum(state, operands[0]))
            return
        self.calculate(i, state, name, operands)

    def sum(self, state, operand):
        """The address an operand has: what lea computes."""
        inner = operand.split("(", 1)[-1]
        parts = re.findall(r"%(\w+)", inner)
        values = [state[REGISTERS[p]] for p in parts if p in REGISTERS]
        scaled = re.search(r",[248]\)", inner) and len(parts) > 0 and values[-1] != GIVEN
        return LOADED if scaled else add(values)

    def calculate(self, i, state, name, operands):
        if not operands:
            return
        values = [self.read(i, state, operand) for operand in operands]
        if is_word(name, operands):
            values = [self.word if "(" in operand and value == LOADED else value
                      for operand, value in zip(operands, values)]
        target, alone = operands[-1], len(operands) == 1
        if re.fullmatch(r"(cmp|test|bt)[bwlq]?|v?ptest|k(or)?test[bwdq]|v?u?comis[sd]", name):
            if "%fs:0x28" in operands:  # the stack protector's
                values = [GIVEN]
            state["flags"] = max(values)
        elif re.match(r"mov(abs|[bwlq])?$", name) and is_general(operands):
            self.write(i, state, target, values[0])
        elif KEPT.fullmatch(name):
            self.write(i, state, target, values[0])
        elif re.match(r"mov[sz]", name):
            self.write(i, state, target, values[0])
        elif name.startswith("set"):
            self.write(i, state, target, state["flags"])
        elif name.startswith("cmov"):
            self.write(i, state, target, max(*values, state["flags"]))
        elif name == "xor" and operands[0] == target:
            self.write(i, state, target, GIVEN)
            state["flags"] = GIVEN
        elif re.match(r"(add|sub)[bwlq]?$", name):
            value = add(values)
            state["flags"] = GIVEN if "%fs:0x28" in operands else max(values)
            self.write(i, state, target, value)
        elif re.match(r"(inc|dec)[bwlq]?$", name):
            state["flags"] = max(values)
        elif re.match(r"(i?mul|mulx)[bwlq]?$", name) and (alone or name == "mulx"):
            self.write_product(state, operands, values)
        elif name in ("xchg", "bswap", "not", "neg") or is_arithmetic(name):
            value = LOADED if max(values) != GIVEN else GIVEN
            if name in ("adc", "sbb") and state["flags"] != GIVEN:
                value = LOADED
            for operand in operands if name == "xchg" else [target]:
                self.write(i, state, operand, value)
            if name not in ("xchg", "bswap", "not", "mulx", "rorx", "shrx", "shlx", "sarx"):
                state["flags"] = max(value, state["flags"] if name in ("adc", "sbb") else GIVEN)
        else:  # vectors, masks, and whatever else there may be
            if name[0] not in "vkp" and not name.startswith(("mov", "cvt", "aes", "sha")):
                state["flags"] = LOADED
            self.write(i, state, target, LOADED)

    def write_product(self, state, operands, values):
        value = LOADED if max(*values, state["rax"], state["rdx"]) != GIVEN else GIVEN
        state["rax"] = state["rdx"] = state["flags"] = value
        for operand in operands[1:]:
            state[REGISTERS[operand[1:]]] = value


def add(values):
    """A pointer and something given are a pointer; two pointers, or anything loaded, are not."""
    if LOADED in values or values.count(POINTER) > 1:
        return LOADED
    return max(values, default=GIVEN)


def is_word(name, operands):
    """Does it take 64 bits, for general registers or as one of them would?"""
    if name in ("movq", "vmovq"):
        return True
    return is_general(operands) and (re.fullmatch(r"[a-z]+q", name) is not None or any(
        re.fullmatch(r"%r([a-z]{2}|\d+)", operand) for operand in operands))


def is_general(operands):
    registers = [o[1:] for o in operands if o.startswith("%")]
    return all(r in REGISTERS or r in ("fs", "gs") or ":" in r for r in registers)


def is_arithmetic(name):
    return re.fullmatch(r"(and|or|xor|adc|sbb|imul|sh[lr]d?|sa[lr]|ro[lr]|rc[lr]|andn|[tl]zcnt"
                        r"|popcnt|bs[fr]|bt[rsc]|bls[ri]|blsmsk|bextr|bzhi|rorx|sh[lr]x|sarx"
                        r"|mulx)[bwlq]?", name) is not None


def stack_slot(operand):
    """("rsp", 16) for 0x10(%rsp); None for anything else."""
    place = re.fullmatch(r"(-?)(0x[0-9a-f]+)?\(%(rsp|rbp)\)", operand)
    if not place:
        return None
    offset = int(place[2] or "0", 16)
    return place[3], -offset if place[1] else offset


def scan_object(path, word=POINTER):
    """(code, findings) of each function of an object."""
    codes = [code for code in disassemble(path) if code.instructions]
    functions = [Function(code.instructions, word) for code in codes]
    for code, function in zip(codes, functions):
        function.callees = {c.instructions[0].address: f for c, f in zip(codes, functions)
                            if c.section == code.section}
    # What a function is given by its callers in this object may be no more public than theirs.
    work = list(functions)
    while work:
        function = work.pop(0)
        answer = function.answer
        function.scan()
        if function.answer != answer:
            work += [f for f in functions if f not in work]
        for callee, state in function.called:
            start = {r: max(callee.start[r], state[r]) for r in ARGUMENTS} | {"flags": GIVEN}
            if any(start[r] != callee.start[r] for r in ARGUMENTS):
                callee.start.update(start)
                if callee not in work:
                    work.append(callee)
    return [(code, list(function.findings.values())) for code, function in zip(codes, functions)]


# What the sources say is wiped of the stack, after calls of which functions. What those call in turn
# counts, but for who wipes for himself.
WIPED = {"LONG_FRAME_BYTES": ["seal_long_class", "open_long_class"],
         "SHORT_FRAME_BYTES": [f"{way}_short_{room}" for way in ("seal", "open")
                               for room in (8, 16)],
         "SHORT_4_FRAME_BYTES": ["seal_short_4", "open_short_4"],
         "RAW_FRAME_BYTES": ["run_raw_class"],
         "RAW_SHORT_FRAME_BYTES": ["run_raw_short_class"]}
WIPE_FOR_THEMSELVES = {"expand_group", "expand_keys"}
LINE = 64  # what frames are aligned to
RED_ZONE = 128


def taken_bytes(instruction):
    """By which it moves the stack pointer down: subtracts a number, or adds a negative one."""
    if instruction.name not in ("sub", "add"):
        return 0
    number = int(instruction.operands[0][1:], 16)
    number -= 2**64 if number >= 2**63 else 0
    return max(0, number if instruction.name == "sub" else -number)


def frame_bytes(code):
    """What a function takes of the stack: the address to return to, saved registers, its own, and if
    it calls nobody the red zone below (System V ABI, section 3.2.2)."""
    pushed = sum(8 for i in code.instructions if i.name == "push")
    own = [taken_bytes(i) for i in code.instructions if i.operands[1:] == ["%rsp"]]
    aligned = any(i.name == "and" and i.operands[1:] == ["%rsp"] for i in code.instructions)
    below = 0 if any(i.name == "call" for i in code.instructions) else RED_ZONE
    return 8 + pushed + sum(own) + (LINE - 8 if aligned else 0) + below


def depth_bytes(code, codes):
    """The same with what it calls, as far as that is in this object. Nothing here recurs."""
    inside = {i.address for i in code.instructions}
    targets = {i.target for i in code.instructions if i.name in ("call", "jmp")} - inside
    callees = [c for c in codes if c.section == code.section and c.instructions[0].address in targets
               and plain_name(c) not in WIPE_FOR_THEMSELVES]
    return frame_bytes(code) + max((depth_bytes(c, codes) for c in callees), default=0)


def judge_wipes(path, source):
    """Complaints about kernels that leave more on the stack than is wiped."""
    codes = [code for code in disassemble(path) if code.instructions and ".cold" not in code.name]
    named = collections.defaultdict(list)
    for code in codes:
        named[plain_name(code)].append(code)
    for name, kernels in WIPED.items():
        wiped = int(re.search(rf"^#define {name} (\d+)$", source, re.MULTILINE)[1])
        for kernel in kernels:
            deepest = max((depth_bytes(code, codes) for code in named[kernel]), default=None)
            if deepest is None or deepest > wiped:
                yield f"{path.name}: {kernel} takes {deepest} bytes of stack, {name} is {wiped}"
    # Says that it has nothing to wipe.
    for code in named["expand_key"] + named["init_key"]:
        if any(i.operands and stack_slot(i.operands[-1]) and i.name.lstrip("v").startswith("mov")
               and re.match(r"%[xyz]mm", i.operands[0]) for i in code.instructions):
            yield f"{path.name}: {code.name} leaves a part of a key on the stack"


def plain_name(code):
    """The compiler's clones and parts of a function go by its name."""
    return re.sub(r"\.(cold|part|constprop|isra)\b.*", "", code.name)


def scan_control(compiler):
    """Complaints about the scanner itself."""
    with tempfile.TemporaryDirectory() as folder:
        source, made = pathlib.Path(folder, "control.c"), pathlib.Path(folder, "control.o")
        source.write_text(CONTROL)
        subprocess.run([compiler, "-std=gnu17", "-O2", "-g", "-mavx512f", "-mavx512dq",
                        "-fno-omit-frame-pointer", "-c", source, "-o", made], check=True)
        found = {code.name: {f.kind for f in findings} for code, findings in scan_object(made)}
    for name, kind in CONTROL_KINDS.items():
        if kind not in found.get(name, ()):
            yield f"control: {name}: {kind} is not found"
    if found.get("public_only") != set():
        yield f"control: public_only: {found.get('public_only')}, where nothing is secret"


class Listed:
    """An entry of the list: object, function (a pattern), kind, how many at most ("any"), why."""

    def __init__(self, row):
        self.object, self.function, self.kind, most, self.reason = row.split(None, 4)
        self.most = None if most == "any" else int(most)
        self.used = False
        if self.kind != "*" and self.kind not in (*KINDS, "words"):
            raise SystemExit(f"scan_kernels: no such kind: {row}")

    def covers(self, path, code, kind):
        return (fnmatch.fnmatchcase(path.name, self.object + ".o") and
                (self.kind == kind or self.kind == "*" and kind != "words") and
                (code is None or fnmatch.fnmatchcase(plain_name(code), self.function)))


def judge(path, code, findings, entries):
    """Complaints about one function."""
    by_kind = collections.defaultdict(list)
    for finding in findings:
        by_kind[finding.kind].append(finding)
    for kind, group in sorted(by_kind.items()):
        entry = next((e for e in entries if e.covers(path, code, kind)), None)
        if entry:
            entry.used = True
        most = entry.most if entry else 0
        if most is None or len(group) <= most:
            continue
        yield f"{path.name}: {plain_name(code)}: {len(group)} × {kind}, {most} listed:"
        lines = find_lines(path, code.section, [finding.address for finding in group])
        for finding, line in zip(group, lines):
            yield f"    {line}: {finding.text}"


def scan_all(paths, entries):
    """Complaints about all objects, and what is listed for nothing."""
    for path in paths:
        words = next((e for e in entries if e.covers(path, None, "words")), None)
        if words:
            words.used = True
        for code, findings in scan_object(path, GIVEN if words else POINTER):
            yield from judge(path, code, findings, entries)
    for entry in entries:
        if not entry.used:
            yield f"listed, but not found: {entry.object} {entry.function} {entry.kind}"


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--list", required=True, type=pathlib.Path)
    arguments.add_argument("--compiler", required=True)
    arguments.add_argument("--sources", required=True, type=pathlib.Path)
    arguments.add_argument("--kernels", nargs="+", required=True)
    arguments.add_argument("--objects", nargs="+", required=True, type=pathlib.Path)
    options = arguments.parse_args()
    rows = options.list.read_text().splitlines()
    entries = [Listed(row) for row in rows if row and row[0] != "#"]
    paths = [path for path in options.objects if path.name.removesuffix(".o") in options.kernels]
    complaints = [*scan_control(options.compiler), *scan_all(paths, entries)]
    for path in paths:
        if re.fullmatch(r"aead_(aesni|avx2|avx512)\.c\.o", path.name):
            source = options.sources / path.name.removesuffix(".o")
            complaints += judge_wipes(path, source.read_text())
    if len(paths) != len(options.kernels):
        complaints.append("not every kernel has an object")
    for complaint in complaints:
        print(complaint)
    print(f"scanned {len(paths)} objects, {len(entries)} entries listed: "
          f"{'not all is listed' if complaints else 'all that was found is listed'}")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
