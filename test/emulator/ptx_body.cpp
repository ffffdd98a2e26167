// Bodies of kernels: declarations, labels, instructions and their operands.

#include "test/emulator/ptx_body.h"

#include <algorithm>
#include <cctype>

namespace memformer::emulator {

bool PtxReader::body(Kernel &kernel) {
  if (!expect("{"))
    return false;
  blocks.assign(1, {-1, {}, {}, {}, {}});
  references.clear();
  return statements(kernel, 0) && resolveLabels(kernel);
}

bool PtxReader::statements(Kernel &kernel, int block) {
  while (!accept("}")) {
    if (token().kind == Token::Kind::End)
      return fail("expected '}'");
    if (accept(";"))
      continue;
    if (accept("{")) {
      blocks.push_back({block, {}, {}, {}, {}});
      if (!statements(kernel, int(blocks.size()) - 1))
        return false;
    } else if (token().kind == Token::Kind::Dotted) {
      if (!declaration(kernel, block))
        return false;
    } else if (token().kind == Token::Kind::Word && tokens[at + 1].text == ":") {
      std::string name(token().text);
      at += 2;
      if (acceptDotted("branchtargets")) {
        std::vector<std::string> &table = blocks[block].tables[name];
        do {
          if (!word(table.emplace_back()))
            return false;
        } while (accept(","));
        if (!expect(";"))
          return false;
      } else if (!blocks[block].labels.emplace(name, kernel.instructions.size()).second) {
        return fail("label '" + name + "' stands twice");
      }
    } else if (!instruction(kernel, block)) {
      return false;
    }
  }
  return true;
}

bool PtxReader::declaration(Kernel &kernel, int block) {
  if (acceptDotted("reg"))
    return registerDeclaration(kernel, block);
  if (acceptDotted("loc")) { // file line column [, function_name …]
    uint64_t ignored;
    return integer(ignored) && integer(ignored) && integer(ignored);
  }
  if (acceptDotted("pragma")) {
    ++at;
    return expect(";");
  }
  std::optional<Space> space = spaceOfName(token().text);
  if (!space || *space == Space::Parameter)
    return fail("unknown directive " + found());
  ++at;
  return variable(kernel.variables, *space, false);
}

bool PtxReader::registerDeclaration(Kernel &kernel, int block) {
  unsigned bits;
  if (!typeBits(bits))
    return false;
  do {
    std::string name;
    if (!word(name))
      return false;
    if (accept("<")) {
      uint64_t count;
      if (!integer(count) || !expect(">"))
        return false;
      blocks[block].families[name] = {bits, unsigned(count)};
      continue;
    }
    if (!blocks[block].registers.emplace(name, int(kernel.registers.size())).second)
      return fail("register '" + name + "' is declared twice");
    kernel.registers.push_back({name, bits});
  } while (accept(","));
  return expect(";");
}

int PtxReader::findRegister(Kernel &kernel, int block, std::string_view name) {
  size_t digits = name.find_last_not_of("0123456789") + 1;
  for (; block >= 0; block = blocks[block].parent) {
    Block &scope = blocks[block];
    if (auto found = scope.registers.find(name); found != scope.registers.end())
      return found->second;
    if (digits == name.size())
      continue;
    auto family = scope.families.find(name.substr(0, digits));
    if (family == scope.families.end() ||
        std::stoull(std::string(name.substr(digits))) >= family->second.second)
      continue;
    int result = int(kernel.registers.size());
    kernel.registers.push_back({std::string(name), family->second.first});
    scope.registers.emplace(name, result);
    return result;
  }
  return -1;
}

bool PtxReader::instruction(Kernel &kernel, int block) {
  Instruction result;
  if (accept("@")) {
    result.guardNegated = accept("!");
    std::string name;
    if (!word(name))
      return false;
    result.guard = findRegister(kernel, block, name);
    if (result.guard < 0 || kernel.registers[result.guard].bits != 1)
      return fail("expected a predicate, but found '" + name + "'");
  }
  result.line = token().line;
  if (!word(result.opcode))
    return false;
  for (; token().kind == Token::Kind::Dotted; ++at)
    result.modifiers.emplace_back(token().text);
  while (token().text != ";") {
    if (!operand(kernel, block, result.operands.emplace_back()))
      return false;
    if (!accept(",") && token().text != ";")
      return fail("expected ',' or ';', but found " + found());
  }
  ++at;
  for (size_t i = 0; i < result.operands.size(); ++i)
    if (result.operands[i].kind == Operand::Kind::Label)
      references.push_back({kernel.instructions.size(), i, block});
  kernel.instructions.push_back(std::move(result));
  return true;
}

bool PtxReader::operand(Kernel &kernel, int block, Operand &result) {
  if (accept("[")) {
    if (!address(kernel, block, result))
      return false;
    return expect("]");
  }
  if (accept("{")) {
    result = {Operand::Kind::Vector};
    do {
      if (!operand(kernel, block, result.elements.emplace_back()))
        return false;
    } while (accept(","));
    return expect("}");
  }
  bool negated = accept("!");
  if (token().kind == Token::Kind::Number || token().text == "-")
    return number(result);
  std::string name;
  if (!word(name))
    return false;
  if (name == "_") {
    result = {Operand::Kind::Sink};
  } else if (int reg = findRegister(kernel, block, name); reg >= 0) {
    result = {Operand::Kind::Register, reg};
    result.negated = negated;
  } else if (name[0] == '%') {
    if (token().kind == Token::Kind::Dotted) {
      name += "." + std::string(token().text);
      ++at;
    }
    result = {Operand::Kind::Special};
    result.name = name;
  } else {
    // A label of this kernel or a variable: which of them shows when all labels are known.
    result = {Operand::Kind::Label};
    result.name = name;
    if (accept("+"))
      return integer(result.value);
  }
  if (accept("|")) {
    Operand second;
    if (!operand(kernel, block, second))
      return false;
    if (second.kind != Operand::Kind::Register && second.kind != Operand::Kind::Sink)
      return fail("expected a register after '|'");
    result.other = second.reg;
  }
  return true;
}

bool PtxReader::address(Kernel &kernel, int block, Operand &result) {
  Operand base;
  if (!operand(kernel, block, base))
    return false;
  result = base;
  result.kind = Operand::Kind::Address;
  if (base.kind == Operand::Kind::Integer)
    result.reg = -1;
  else if (base.kind != Operand::Kind::Register && base.kind != Operand::Kind::Label)
    return fail("expected an address");
  if (!accept("+"))
    return true;
  uint64_t offset;
  if (!integer(offset))
    return false;
  result.value += offset;
  return true;
}

const size_t *PtxReader::findLabel(int block, const std::string &name) const {
  for (; block >= 0; block = blocks[block].parent) {
    auto found = blocks[block].labels.find(name);
    if (found != blocks[block].labels.end())
      return &found->second;
  }
  return nullptr;
}

bool PtxReader::resolveLabels(Kernel &kernel) {
  for (const Reference &reference : references) {
    Instruction &instruction = kernel.instructions[reference.instruction];
    Operand &operand = instruction.operands[reference.operand];
    auto unknown = [&](const std::string &name) {
      return failAt(instruction.line, "unknown label '" + name + "'");
    };
    if (instruction.opcode == "brx") {
      const std::vector<std::string> *table = nullptr;
      for (int block = reference.block; block >= 0 && !table; block = blocks[block].parent)
        if (auto found = blocks[block].tables.find(operand.name);
            found != blocks[block].tables.end())
          table = &found->second;
      if (!table)
        return unknown(operand.name);
      for (const std::string &name : *table) {
        const size_t *label = findLabel(reference.block, name);
        if (!label)
          return unknown(name);
        instruction.targets.push_back(*label);
      }
    } else if (instruction.opcode == "bra") {
      const size_t *label = findLabel(reference.block, operand.name);
      if (!label)
        return unknown(operand.name);
      operand.value = *label;
    } else {
      operand.kind = Operand::Kind::Symbol;
    }
  }
  return true;
}

} // namespace memformer::emulator
