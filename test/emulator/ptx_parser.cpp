// A recursive-descent parser of PTX modules: directives, variables and kernels. ptx_body.cpp reads
// what stands inside a kernel.

#include "test/emulator/ptx_parser.h"

#include "test/emulator/ptx_body.h"

#include <algorithm>
#include <cstring>

namespace memformer::emulator {

bool PtxReader::fail(const std::string &message) { return failAt(token().line, message); }

bool PtxReader::failAt(unsigned line, const std::string &message) {
  if (error.empty()) {
    error = "line " + std::to_string(line) + ": " + message;
    errorLine = line;
  }
  return false;
}

bool PtxReader::accept(std::string_view text) {
  if (token().text != text || token().kind == Token::Kind::Dotted ||
      token().kind == Token::Kind::End)
    return false;
  ++at;
  return true;
}

bool PtxReader::acceptDotted(std::string_view text) {
  if (token().kind != Token::Kind::Dotted || token().text != text)
    return false;
  ++at;
  return true;
}

std::string PtxReader::found() const {
  if (token().kind == Token::Kind::End)
    return "the end of the text";
  return "'" + std::string(token().kind == Token::Kind::Dotted ? "." : "") +
         std::string(token().text) + "'";
}

bool PtxReader::expect(std::string_view text) {
  return accept(text) || fail("expected '" + std::string(text) + "', but found " + found());
}

bool PtxReader::word(std::string &text) {
  if (token().kind != Token::Kind::Word)
    return fail("expected a name, but found " + found());
  text = token().text;
  ++at;
  return true;
}

bool PtxReader::number(Operand &operand) {
  bool negative = accept("-");
  if (token().kind != Token::Kind::Number)
    return fail("expected a number, but found " + found());
  std::string text(token().text);
  operand = {Operand::Kind::Integer};
  char *end = nullptr;
  std::string_view prefix = std::string_view(text).substr(0, 2);
  if (prefix == "0f" || prefix == "0F" || prefix == "0d" || prefix == "0D") {
    bool single = prefix == "0f" || prefix == "0F";
    operand.kind = single ? Operand::Kind::Single : Operand::Kind::Double;
    operand.value = std::strtoull(text.c_str() + 2, &end, 16);
    if (negative)
      operand.value ^= single ? uint64_t(1) << 31 : uint64_t(1) << 63;
  } else if (text.find('.') != std::string::npos) {
    operand.kind = Operand::Kind::Double;
    double value = std::strtod(text.c_str(), &end);
    value = negative ? -value : value;
    std::memcpy(&operand.value, &value, 8);
  } else {
    bool binary = prefix == "0b" || prefix == "0B";
    operand.value = std::strtoull(text.c_str() + (binary ? 2 : 0), &end, binary ? 2 : 0);
    if (*end == 'U')
      ++end;
    if (negative)
      operand.value = 0 - operand.value;
  }
  if (*end)
    return fail("expected a number, but found " + found());
  ++at;
  return true;
}

bool PtxReader::integer(uint64_t &value) {
  Operand operand;
  if (!number(operand))
    return false;
  if (operand.kind != Operand::Kind::Integer)
    return fail("expected an integer");
  value = operand.value;
  return true;
}

std::optional<unsigned> bitsOfType(std::string_view type) {
  if (type == "pred")
    return 1;
  size_t digits = type.find_first_of("0123456789");
  if (digits == std::string_view::npos)
    return std::nullopt;
  std::string_view kind = type.substr(0, digits);
  if (kind != "b" && kind != "u" && kind != "s" && kind != "f")
    return std::nullopt;
  unsigned bits = 0;
  for (char c : type.substr(digits)) {
    if (c < '0' || c > '9')
      return std::nullopt;
    bits = bits * 10 + unsigned(c - '0');
  }
  bool known = bits == 8 || bits == 16 || bits == 32 || bits == 64 || bits == 128;
  return known ? std::optional(bits) : std::nullopt;
}

bool PtxReader::typeBits(unsigned &bits) {
  std::optional<unsigned> found;
  if (token().kind == Token::Kind::Dotted)
    found = bitsOfType(token().text);
  if (!found)
    return fail("expected a type, but found " + this->found());
  bits = *found;
  ++at;
  return true;
}

// {1, 2, …}, or one number: values of `bits` each.
bool PtxReader::initializer(Variable &variable, unsigned bits) {
  auto one = [&] {
    if (token().kind == Token::Kind::Word)
      return fail("a variable that is initialized with an address is not supported");
    Operand value;
    if (!number(value))
      return false;
    for (unsigned byte = 0; byte < bits / 8; ++byte)
      variable.initial.push_back(uint8_t(value.value >> (8 * byte)));
    return true;
  };
  if (!accept("{"))
    return one();
  do {
    if (!one())
      return false;
  } while (accept(","));
  return expect("}");
}

// After the space: `.align 4 .b8 name[16] = {…};`
bool PtxReader::variable(std::vector<Variable> &variables, Space space, bool isExternal) {
  Variable result{"", space};
  uint64_t align = 0;
  if (acceptDotted("align") && !integer(align))
    return false;
  unsigned vector = acceptDotted("v2") ? 2 : acceptDotted("v4") ? 4 : 1;
  unsigned bits;
  if (!typeBits(bits) || !word(result.name))
    return false;
  result.align = align ? unsigned(align) : bits * vector / 8;
  if (!result.align || (result.align & (result.align - 1)))
    return fail("expected an alignment that is a power of two");
  result.bytes = uint64_t(bits) * vector / 8;
  while (accept("[")) {
    uint64_t count = 0;
    if (token().text == "]")
      result.dynamic = true;
    else if (!integer(count))
      return false;
    if (!expect("]"))
      return false;
    result.bytes *= count;
  }
  if (result.dynamic && !(isExternal && space == Space::Shared))
    return fail("expected the number of entries of '" + result.name + "'");
  if (accept("=") && !initializer(result, bits))
    return false;
  if (result.initial.size() > result.bytes)
    return fail("'" + result.name + "' has more initial values than entries");
  variables.push_back(std::move(result));
  return expect(";");
}

std::optional<Space> spaceOfName(std::string_view name) {
  if (name == "global")
    return Space::Global;
  if (name == "shared" || name == "shared::cta")
    return Space::Shared;
  if (name == "local")
    return Space::Local;
  if (name == "const")
    return Space::Constant;
  if (name == "param" || name == "param::entry")
    return Space::Parameter;
  return std::nullopt;
}

// `.param .u64 .ptr .global .align 1 name`, also an array of bytes.
bool PtxReader::parameter(Kernel &kernel) {
  if (!acceptDotted("param"))
    return fail("expected '.param', but found " + found());
  uint64_t align = 0, ignored;
  if (acceptDotted("align") && !integer(align))
    return false;
  unsigned bits;
  if (!typeBits(bits))
    return false;
  if (acceptDotted("ptr")) {
    if (token().kind == Token::Kind::Dotted && spaceOfName(token().text))
      ++at;
    if (acceptDotted("align") && !integer(ignored))
      return false;
  }
  Parameter result;
  uint64_t count = 1;
  if (!word(result.name) || (accept("[") && !(integer(count) && expect("]"))))
    return false;
  unsigned unit = align ? unsigned(align) : bits / 8;
  result.bytes = unsigned(bits / 8 * count);
  result.offset = (kernel.parameterBytes + unit - 1) / unit * unit;
  kernel.parameterBytes = result.offset + result.bytes;
  kernel.parameters.push_back(std::move(result));
  return true;
}

bool PtxReader::entry() {
  Kernel kernel;
  kernel.line = token().line;
  if (!word(kernel.name))
    return false;
  if (accept("(") && !accept(")")) {
    do {
      if (!parameter(kernel))
        return false;
    } while (accept(","));
    if (!expect(")"))
      return false;
  }
  while (token().kind == Token::Kind::Dotted) {
    std::string_view name = token().text;
    bool threads = name == "maxntid" || name == "reqntid";
    ++at;
    uint64_t product = 1;
    while (token().kind == Token::Kind::Number) {
      uint64_t value;
      if (!integer(value))
        return false;
      product *= value;
      if (!accept(","))
        break;
    }
    if (threads)
      kernel.maximumThreads = unsigned(product);
  }
  if (!body(kernel))
    return false;
  module.kernels.push_back(std::move(kernel));
  return true;
}

bool PtxReader::target() {
  std::string name;
  if (!word(name))
    return false;
  if (name.rfind("sm_", 0) != 0 || name.size() < 5)
    return fail("expected '.target sm_XX', but found '" + name + "'");
  module.architecture = unsigned(std::strtoul(name.c_str() + 3, nullptr, 10));
  module.architectureSpecific = name.back() == 'a';
  while (accept(",")) // options: debug, texmode_…
    if (!word(name))
      return false;
  return true;
}

bool PtxReader::directive() {
  bool isExternal = false;
  while (acceptDotted("visible") || acceptDotted("weak") || acceptDotted("common") ||
         (token().text == "extern" && token().kind == Token::Kind::Dotted)) {
    if (acceptDotted("extern"))
      isExternal = true;
  }
  if (token().kind != Token::Kind::Dotted)
    return fail("expected a directive, but found " + found());
  if (acceptDotted("version")) {
    std::string text(token().text);
    module.version = unsigned(
        std::strtod(token().kind == Token::Kind::Number ? text.c_str() : "0", nullptr) * 10 + 0.5);
    ++at;
    return module.version || fail("expected a version");
  }
  if (acceptDotted("target"))
    return target();
  uint64_t ignored;
  if (acceptDotted("address_size"))
    return integer(ignored) && (ignored == 64 || fail("expected addresses of 64 bits"));
  if (acceptDotted("file")) {
    if (!integer(ignored))
      return false;
    ++at;
    while (accept(","))
      if (!integer(ignored))
        return false;
    return true;
  }
  if (acceptDotted("section")) // debug information
    return skipBraces();
  if (acceptDotted("entry"))
    return entry();
  if (token().text == "func")
    return fail("functions other than kernels are not supported");
  if (std::optional<Space> space = spaceOfName(token().text)) {
    ++at;
    return variable(module.variables, *space, isExternal);
  }
  return fail("unknown directive " + found());
}

bool PtxReader::skipBraces() {
  while (token().kind != Token::Kind::End && token().text != "{")
    ++at;
  if (!expect("{"))
    return false;
  for (unsigned depth = 1; depth;) {
    if (token().kind == Token::Kind::End)
      return fail("expected '}'");
    depth += token().text == "{";
    depth -= token().text == "}";
    ++at;
  }
  return true;
}

std::string trimmed(std::string text) {
  std::replace(text.begin(), text.end(), '\t', ' ');
  size_t begin = std::min(text.find_first_not_of(' '), text.size());
  return text.substr(begin, text.find_last_not_of(' ') + 1 - begin);
}

std::expected<PtxModule, std::string> parsePtx(std::string_view text) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin <= text.size();) {
    size_t end = std::min(text.find('\n', begin), text.size());
    lines.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  auto tokens = tokenize(text);
  if (!tokens)
    return std::unexpected(tokens.error());
  PtxReader reader(std::move(*tokens));
  while (reader.token().kind != Token::Kind::End)
    if (!reader.directive())
      return std::unexpected(reader.error + ": " + trimmed(lines[reader.errorLine - 1]));
  if (!reader.module.version || !reader.module.architecture)
    return std::unexpected("expected '.version' and '.target'");
  reader.module.lines = std::move(lines);
  return std::move(reader.module);
}

} // namespace memformer::emulator
