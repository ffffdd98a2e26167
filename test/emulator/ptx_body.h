// The parser's state, shared by what reads modules and what reads the bodies of kernels.

#ifndef MEMFORMER_TEST_EMULATOR_PTX_BODY_H
#define MEMFORMER_TEST_EMULATOR_PTX_BODY_H

#include "test/emulator/ptx_lexer.h"
#include "test/emulator/ptx_module.h"

#include <map>
#include <optional>

namespace memformer::emulator {

/// Bits of a type's name ("b32", "pred"), if it is one that a register or variable can have.
std::optional<unsigned> bitsOfType(std::string_view type);
/// The space of a name without its dot ("global").
std::optional<Space> spaceOfName(std::string_view name);

/// Functions return false after they have set `error`.
class PtxReader {
public:
  explicit PtxReader(std::vector<Token> tokens) : tokens(std::move(tokens)) {}

  const Token &token() const { return tokens[at]; }
  bool directive();

  PtxModule module;
  std::string error;
  unsigned errorLine = 0;

private:
  /// What `{` opens: registers and labels of inline assembly are its own.
  struct Block {
    int parent;
    std::map<std::string, int, std::less<>> registers;
    std::map<std::string, std::pair<unsigned, unsigned>, std::less<>> families; // bits, count
    std::map<std::string, size_t, std::less<>> labels;                          // instruction
    std::map<std::string, std::vector<std::string>, std::less<>> tables;        // of .branchtargets
  };
  struct Reference { // to a label, resolved at the end of the kernel
    size_t instruction, operand;
    int block;
  };

  bool fail(const std::string &message);
  bool failAt(unsigned line, const std::string &message);
  bool accept(std::string_view text);
  bool acceptDotted(std::string_view text);
  bool expect(std::string_view text);
  bool word(std::string &text);
  bool number(Operand &operand);
  bool integer(uint64_t &value);
  bool typeBits(unsigned &bits);
  std::string found() const;
  bool target();
  bool skipBraces();
  bool initializer(Variable &variable, unsigned bits);
  bool variable(std::vector<Variable> &variables, Space space, bool isExternal);
  bool parameter(Kernel &kernel);
  bool entry();

  bool body(Kernel &kernel);
  bool statements(Kernel &kernel, int block);
  bool declaration(Kernel &kernel, int block);
  bool registerDeclaration(Kernel &kernel, int block);
  bool instruction(Kernel &kernel, int block);
  bool operand(Kernel &kernel, int block, Operand &result);
  bool address(Kernel &kernel, int block, Operand &result);
  bool resolveLabels(Kernel &kernel);
  int findRegister(Kernel &kernel, int block, std::string_view name);
  const size_t *findLabel(int block, const std::string &name) const;

  std::vector<Token> tokens;
  size_t at = 0;
  std::vector<Block> blocks;
  std::vector<Reference> references;
};

} // namespace memformer::emulator

#endif
