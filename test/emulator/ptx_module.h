// A PTX module as data: variables, and kernels as lists of instructions with resolved registers and
// labels.

#ifndef MEMFORMER_TEST_EMULATOR_PTX_MODULE_H
#define MEMFORMER_TEST_EMULATOR_PTX_MODULE_H

#include <cstdint>
#include <string>
#include <vector>

namespace memformer::emulator {

enum class Space { Generic, Global, Shared, Local, Constant, Parameter };

struct PtxRegister {
  std::string name;
  unsigned bits; // 1 for a predicate
};

struct Operand {
  enum class Kind {
    Register, // reg; other: the second of `a|b`, or -1
    Integer,  // value
    Single,   // value: bits of an f32
    Double,   // value: bits of an f64
    Special,  // name: a special register, as "%tid.x"
    Symbol,   // name of a variable, value: bytes beyond its beginning
    Address,  // [reg + value], [name + value] or [value]
    Vector,   // elements
    Label,    // value: index of the instruction that the label stands before
    Sink      // `_`: a result that nobody wants
  };
  Kind kind;
  int reg = -1, other = -1;
  bool negated = false;
  uint64_t value = 0;
  std::string name = {};
  std::vector<Operand> elements = {};
};

struct Instruction {
  unsigned line;
  int guard = -1; // register of `@%p`
  bool guardNegated = false;
  std::string opcode;                 // "mma"
  std::vector<std::string> modifiers; // "sync", "aligned", "m16n8k16", …
  std::vector<Operand> operands;
  std::vector<size_t> targets; // of brx.idx: instructions
};

struct Variable {
  std::string name;
  Space space;
  unsigned align = 1;
  uint64_t bytes = 0;
  bool dynamic = false;              // `.extern .shared`: as long as the launch says
  std::vector<uint8_t> initial = {}; // empty: none
};

struct Parameter {
  std::string name;
  unsigned bytes, offset;
};

struct Kernel {
  std::string name;
  unsigned line;
  std::vector<Parameter> parameters;
  unsigned parameterBytes = 0;
  unsigned maximumThreads = 1024; // of `.maxntid` or `.reqntid`
  std::vector<PtxRegister> registers;
  std::vector<Variable> variables; // declared in the body
  std::vector<Instruction> instructions;
};

struct PtxModule {
  unsigned version = 0; // 70 for 7.0
  unsigned architecture = 0;
  bool architectureSpecific = false; // sm_90a runs on 90 alone
  std::vector<Variable> variables;
  std::vector<Kernel> kernels;
  std::vector<std::string> lines; // of the text, for messages
};

} // namespace memformer::emulator

#endif
